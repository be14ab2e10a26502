/* What the files of the HTTP side share: a connection, and a request's HTTP side. */
#ifndef VV_CORE_HTTP_INSIDE_H
#define VV_CORE_HTTP_INSIDE_H

#include "http.h"
#include "http_scan.h"
#include "router.h"

struct bufferevent;
struct event;
struct evhttp;
struct evhttp_connection;
struct evhttp_request;

/* A route of the core that never waits runs on the loop, without a fiber. */
#define VV_QUICK_ROUTE (1U << 31)

struct vv_conn {
    struct vv_list link;
    struct bufferevent *bev;
    struct evhttp_connection *evcon; /* NULL until it is adopted, one turn after the accept */
    struct vv_http *http;            /* the request in hand; NULL between requests */
    struct event *watch;             /* keeps the socket in the epoll set */
    evutil_socket_t fd;
    bool metrics; /* came through the metrics listener */
    bool tls;
    bool refused; /* taken from evhttp: its last answer is being written */
    bool close;   /* its next answer is its last */
    bool heard;   /* the watch was called since the last answer, when nobody read */
    uint8_t phase;
    uint32_t phase_messages, dispatched;
    int64_t deadline; /* steady clock; 0 = none */
    char peer[48];    /* the address at the other end */
    struct vv_scan scan;
};

struct vv_http_header {
    struct vv_http_header *next;
    const char *name, *value;
};

struct vv_http {
    struct vv_request *req;
    struct vv_conn *conn;         /* NULL when it is gone */
    struct evhttp_request *evreq; /* NULL once the answer is sent */
    const char *method;           /* as the client wrote it */
    uint32_t verb;                /* enum vv_method; HEAD counts as GET; 0 = none of them */
    bool head, options;
    const char *path;  /* decoded; NULL until it was read */
    const char *query; /* as it came, without '?'; NULL = none */
    struct vv_route_match match;
    const char *address, *network, *user_agent; /* made when asked for */
    const struct vv_value *args, *body;
    const void *bytes;
    size_t length;
    const struct vv_caller *caller;

    /* the answer */
    uint32_t status; /* 0: none is prepared */
    const char *content_type;
    const void *data;
    size_t data_length;
    struct vv_http_header *headers, **headers_end;
};

/* http_conn.c */
void vv_conn_init(struct event_base *base);
struct bufferevent *vv_conn_accept(struct event_base *base, void *metrics);
struct vv_conn *vv_conn_of(struct evhttp_request *evreq);
void vv_conn_answered(struct vv_conn *conn);
void vv_conn_flush(struct vv_conn *conn);
void vv_conn_drain(int64_t deadline, int64_t idle_deadline);
void vv_conn_free_all(void);
unsigned vv_conn_count(void);

/* http.c: connections came or went; the deadlines were looked at. */
void vv_http_count_changed(void);
void vv_http_swept(void);

/* http_tls.c: NULL without [server] tls_cert. */
struct ssl_ctx_st *vv_tls_context(void);

/* http_refuse.c: answers instead of evhttp and closes. Only while no request is in hand. */
void vv_conn_refuse(struct vv_conn *conn, uint32_t status, const char *why);

/* http_request.c */
void vv_http_dispatch(struct evhttp_request *evreq, void *arg);

/* http_limits.c: VV_EFAIL and 429 when the route's rate for this address, or for the caller, is
 * used up. */
VV_MUST_CHECK int vv_http_limit_address(struct vv_http *http);
VV_MUST_CHECK int vv_http_limit_user(struct vv_http *http);

/* http_target.c: splits and decodes. False: `http->req` has the problem. */
bool vv_http_target(struct vv_http *http, const char *target);
size_t vv_http_decode(char *text, size_t length, bool plus);

/* http_reply.c */
void vv_http_finish(struct vv_http *http, int result);
void vv_http_send(struct vv_http *http);
void vv_http_set_header(struct vv_http *http, const char *name, const char *value);
struct vv_http_header *vv_http_find_header(struct vv_http *http, const char *name);
const char *vv_http_reason(uint32_t status);
const char *vv_http_allow(struct vv_arena *arena, unsigned allow);
void vv_http_problem(struct vv_buffer *out, const struct vv_problem *problem, const char *id);

/* http_id.c: the caller's, when it is a sane one; else a new one. `buffer` holds 65 bytes. */
void vv_http_id_seed(void);
const char *vv_http_id(const char *offered, char *buffer);

/* cors.c */
void vv_cors_reply(struct vv_http *http, const char *origin);
bool vv_cors_preflight(struct vv_http *http, const char *origin);

/* address.c */
/* Writes the plain form of an address: no port, no zone, IPv4 instead of ::ffff:… False: none. */
bool vv_address_plain(const char *text, size_t length, char ret_text[48]);
const char *vv_address_client(struct vv_arena *arena, const char *peer, const char *forwarded);
const char *vv_address_network(struct vv_arena *arena, const char *address);

#endif
