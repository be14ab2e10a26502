/* What the files of outgoing HTTP share, and nobody else needs. */
#ifndef VV_CORE_OUTGOING_INSIDE_H
#define VV_CORE_OUTGOING_INSIDE_H

#include "buffer.h"
#include "outgoing.h"
#include <curl/curl.h>

struct event;

/* A header of an answer, in the request's memory. */
struct outgoing_header {
    struct outgoing_header *next;
    const char *name, *value;
};

struct vv_http_answer {
    uint32_t status;
    struct outgoing_header *headers;
    const char *body; /* on the heap until the request ends */
    size_t length;
};

/* One attempt, then perhaps a pause before the next. On the stack of the fiber that calls: whoever
 * wakes it has taken it out of libcurl's hands before. */
struct outgoing_attempt {
    struct vv_wait wait;
    struct vv_list link;
    struct vv_request *req;
    uint32_t max_body;

    CURL *easy; /* NULL: it pauses, or nothing is under way */
    struct curl_slist *headers;
    struct event *pause;

    /* what became of it */
    CURLcode code;
    bool sent;           /* the other side may have seen something of it */
    int64_t retry_after; /* seconds; 0: it did not say */
    uint32_t status;
    struct outgoing_header *first, **last;
    size_t header_bytes;
    bool too_long;         /* we stopped it ourselves */
    struct vv_buffer body; /* heap */
    char reason[CURL_ERROR_SIZE];
};

/* Why a call cannot be meant, or NULL. outgoing_call.c */
const char *outgoing_check(struct vv_request *req, const struct vv_http_call *call);

/* Makes attempt->easy of a call; `timeout` in milliseconds. outgoing_call.c */
void outgoing_prepare(struct outgoing_attempt *attempt, const struct vv_http_call *call,
                      int64_t timeout);

/* Frees what outgoing_prepare() made. outgoing_call.c */
void outgoing_dispose(struct outgoing_attempt *attempt);

/* Runs what was prepared, and waits for it. 0: see attempt->code. VV_EUNAVAILABLE: the service has
 * stopped. VV_ECANCELED. outgoing_loop.c */
int outgoing_run(struct outgoing_attempt *attempt);

/* Waits, with the same results. outgoing_loop.c */
int outgoing_pause(struct outgoing_attempt *attempt, int64_t milliseconds);

#endif
