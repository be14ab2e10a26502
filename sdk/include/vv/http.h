/* Outgoing HTTP: one call, with a deadline, retries and, where AWS wants it, a signature. */
#ifndef VV_HTTP_H
#define VV_HTTP_H

#include <vv/request.h>

VV_BEGIN_C

/* A header of a call. */
struct vv_http_pair {
    const char *name, *value;
};

/* How a call is repeated: after a network error, 409, 429 and 5xx, with backoff and jitter, or as
 * the answer's Retry-After says. */
enum vv_http_retry {
    VV_HTTP_ONCE = 0,  /* not at all */
    VV_HTTP_SAFE = 1,  /* only when the other side cannot have acted: no connection, 429, 503 */
    VV_HTTP_AGAIN = 2, /* always: the call is idempotent, by its method or by a key in a header */
};

/* What to call. Write it with VV_HTTP_CALL(). Everything is borrowed during the call. */
struct vv_http_call {
    uint32_t size;
    uint32_t retry;           /* enum vv_http_retry */
    uint32_t attempts;        /* in all; 0 = 3 */
    uint32_t timeout;         /* milliseconds for all attempts; 0 = 20 s */
    uint32_t attempt_timeout; /* milliseconds for one; 0 = 10 s */
    uint32_t max_body;        /* bytes of the answer; 0 = 4 MiB; more is VV_EUNAVAILABLE */
    const char *method;       /* "GET" */
    const char *url;          /* http or https; certificates are checked against the system's CAs
                               * or [http] ca_file */
    const struct vv_http_pair *headers; /* ends with a NULL name; NULL = none */
    const void *body;                   /* NULL = none */
    size_t body_length;
    const char *content_type; /* of the body */
    const char *aws_sigv4; /* "aws:amz:REGION:SERVICE": signed (Signature Version 4); NULL = not */
    const char *user,
        *password; /* for the signature: access key id and secret; or basic auth; or NULL */
};

static inline struct vv_http_call vv_http_call_make_(const char *method, const char *url)
{
    struct vv_http_call call;

    memset(&call, 0, sizeof call);
    call.size = (uint32_t)sizeof call;
    call.method = method;
    call.url = url;
    return call;
}
#define VV_HTTP_CALL(method, url) vv_http_call_make_((method), (url))

/*
 * Calls, and waits for the whole answer. 0: there is one, of whatever status. Redirects are not
 * followed. Connections are kept and used again, but not for a call that must not happen twice (a
 * write that is not VV_HTTP_AGAIN): that gets one of its own. Errors (with a 503 prepared):
 * VV_EUNAVAILABLE no answer, VV_ETIMEOUT the time is over, VV_ECANCELED the request's deadline,
 * VV_EREFUSED while this request holds a transaction. The log names method, host and path, never
 * the query, headers or bodies.
 */
VV_MUST_CHECK static inline int vv_http_call(struct vv_request *req,
                                             const struct vv_http_call *call,
                                             struct vv_http_answer **ret_answer)
{
    return vv_host->http_call(vv_host->self, req, call, ret_answer);
}

/* The last attempt's status. */
static inline uint32_t vv_answer_status(const struct vv_http_answer *answer)
{
    return vv_host->http_status(answer);
}

/* The body, NUL-terminated; `ret_length` may be NULL. Request. */
static inline const char *vv_answer_body(const struct vv_http_answer *answer, size_t *ret_length)
{
    return vv_host->http_body(answer, ret_length);
}

/* A header of the answer, its name in any case; NULL when absent. Request. */
static inline const char *vv_answer_header(const struct vv_http_answer *answer, const char *name)
{
    return vv_host->http_header(answer, name);
}

VV_END_C

#endif
