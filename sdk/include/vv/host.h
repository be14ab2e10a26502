/* The host table: every function that the core offers to plugins. Authors call the wrappers
 * instead. */
#ifndef VV_HOST_H
#define VV_HOST_H

#include <vv/base.h>
#include <vv/hook.h>
#include <vv/option.h>
#include <vv/param.h>
#include <vv/route.h>
#include <vv/work.h>

VV_BEGIN_C

enum vv_log_level {
    VV_LOG_ERROR = 1,
    VV_LOG_WARNING = 2,
    VV_LOG_INFO = 3,
    VV_LOG_DEBUG = 4,
};

/* What vv_info() tells of a request. All are NULL outside HTTP but ID and PLUGIN. */
enum vv_info {
    VV_INFO_ID = 1,         /* the request id, as in X-Request-Id and the log */
    VV_INFO_METHOD = 2,     /* "GET" */
    VV_INFO_PATH = 3,       /* decoded, without the query string */
    VV_INFO_ADDRESS = 4,    /* the client's address, through trusted proxies: "192.0.2.1" */
    VV_INFO_NETWORK = 5,    /* the same as limits count it: an IPv4 address, an IPv6 /64 */
    VV_INFO_USER_AGENT = 6, /* at most 256 bytes of it, valid UTF-8 */
};

/* Who calls, as a "request.identify" hook found it. */
struct vv_caller {
    uint32_t size;
    uint32_t who;       /* enum vv_who */
    int64_t user_id;    /* VV_USER, VV_KEY; 0 for a service */
    int64_t session_id; /* VV_USER: the session the token belongs to; else 0 */
    int64_t key_id;     /* VV_KEY */
    const char *name;   /* VV_SERVICE: the name of its token; request */
};

/* Which statements share a connection: see vv_query(), vv_write(), vv_query_slow(). */
enum vv_lane {
    VV_LANE_READ = 0,
    VV_LANE_WRITE = 1,
    VV_LANE_SLOW = 2,
};

enum vv_pool {
    VV_POOL_HASH = 0,  /* CPU-heavy: one thread a worker, nice 10, at most 10 s of work queued */
    VV_POOL_BLOCK = 1, /* calls that wait: files, SMTP */
};

/* A statement that gathers what concurrent requests want of it: see vv_batch(). Static. */
struct vv_batch {
    uint32_t size;
    uint32_t flags;   /* enum vv_batch_flag */
    const char *name; /* for the log and the metrics */
    const char *sql;
};

enum vv_batch_flag {
    VV_BATCH_READ = 1,     /* it changes nothing: run it in the read lane */
    VV_BATCH_ENQUEUES = 2, /* it enqueues jobs in SQL: the job worker is woken after it */
    VV_BATCH_WAITS = 4,    /* it may wait for locks: it gets a connection that no other statement
                            * waits for, and up to 1 s; since 0.3 */
};

/* The beginning of every service's struct: "auth/1" is major 1. */
struct vv_service {
    uint32_t size;
    uint16_t major, minor;
};

enum vv_json_kind {
    VV_JSON_OBJECT = 0,
    VV_JSON_ARRAY = 1,
};

/* How a rate stands: see vv_rate_take(). */
struct vv_rate_state {
    uint32_t size;
    uint32_t allowed;    /* 1: it passes, and was counted */
    int64_t remaining;   /* what would still pass now */
    int64_t retry_after; /* microseconds until what was asked for passes; 0 when it does */
    int64_t reset;       /* microseconds until everything would pass */
};

struct vv_http_call;   /* http.h */
struct vv_http_answer; /* what the other side answered; lives as long as its request */

/*
 * Each plugin gets a table of its own, with its name in `self`. Members are only ever appended.
 * What each does stands at the wrapper of the same name in request.h, json.h and db.h.
 */
struct vv_host {
    uint32_t size;
    uint16_t major, minor;
    struct vv_self *self;

    /* 0.1: the plugin and its surroundings */
    const void *(*conf)(struct vv_self *self);
    const char *(*server_option)(const char *key);
    void (*log)(struct vv_self *self, struct vv_request *req, int level, const char *text);
    int (*publish)(struct vv_self *self, const char *name, const struct vv_service *service);
    const struct vv_service *(*service)(struct vv_self *self, const char *name);
    int (*emit)(struct vv_self *self, struct vv_request *req, struct vv_event *event);
    void (*metric_add)(struct vv_self *self, uint32_t index, int64_t amount);

    /* 0.1: memory and time of a request */
    void *(*alloc)(struct vv_request *req, size_t size);
    int (*defer)(struct vv_request *req, void (*function)(void *arg), void *arg);
    int (*sleep)(struct vv_self *self, struct vv_request *req, int64_t milliseconds);
    int (*offload)(struct vv_self *self, struct vv_request *req, uint32_t pool,
                   void (*function)(void *arg), void *arg);

    /* 0.1: what came in */
    const char *(*info)(struct vv_request *req, uint32_t what);
    const char *(*header)(struct vv_request *req, const char *name);
    const struct vv_value *(*args)(struct vv_request *req);
    const struct vv_value *(*body)(struct vv_request *req);
    const void *(*body_bytes)(struct vv_request *req, size_t *ret_length);
    const struct vv_caller *(*caller)(struct vv_request *req);
    int (*set_caller)(struct vv_request *req, const struct vv_caller *caller);

    /* 0.1: what goes out */
    int (*fail)(struct vv_request *req, uint32_t status, const char *code, const char *detail);
    int (*fail_field)(struct vv_request *req, const char *field, const char *detail);
    int (*reply_header)(struct vv_request *req, const char *name, const char *value);
    int (*reply)(struct vv_request *req, uint32_t status, struct vv_json *json);
    int (*reply_bytes)(struct vv_request *req, uint32_t status, const char *content_type,
                       const void *data, size_t length);
    void (*print)(struct vv_request *req, const char *text);

    /* 0.1: JSON */
    struct vv_json *(*json_new)(struct vv_request *req, uint32_t kind);
    void (*json_put)(struct vv_json *json, const char *name, struct vv_param value);
    void (*json_open)(struct vv_json *json, const char *name, uint32_t kind);
    void (*json_close)(struct vv_json *json);
    const char *(*json_text)(struct vv_json *json, size_t *ret_length);
    int (*parse)(struct vv_request *req, const char *text, size_t length,
                 const struct vv_value **ret_value);
    uint32_t (*value_type)(const struct vv_value *value);
    size_t (*value_count)(const struct vv_value *value);
    const struct vv_value *(*value_get)(const struct vv_value *value, const char *name);
    const struct vv_value *(*value_at)(const struct vv_value *value, size_t index);
    struct vv_param (*value_param)(const struct vv_value *value);
    const char *(*value_json)(struct vv_request *req, const struct vv_value *value);

    /* 0.1: the database */
    int (*query)(struct vv_self *self, struct vv_request *req, uint32_t lane, const char *sql,
                 const struct vv_param *params, size_t count, struct vv_rows **ret_rows);
    int (*batch)(struct vv_self *self, struct vv_request *req, const struct vv_batch *batch,
                 const struct vv_param *params, size_t count, struct vv_rows **ret_rows);
    int (*begin)(struct vv_self *self, struct vv_request *req, struct vv_tx **ret_tx);
    int (*tx_query)(struct vv_self *self, struct vv_tx *tx, const char *sql,
                    const struct vv_param *params, size_t count, struct vv_rows **ret_rows);
    int (*commit)(struct vv_tx *tx);
    int (*rollback)(struct vv_tx *tx);
    struct vv_request *(*tx_request)(struct vv_tx *tx);
    size_t (*rows_count)(const struct vv_rows *rows);
    int64_t (*rows_affected)(const struct vv_rows *rows);
    int (*rows_column)(const struct vv_rows *rows, const char *name);
    const char *(*rows_name)(const struct vv_rows *rows, size_t column);
    struct vv_param (*rows_value)(const struct vv_rows *rows, size_t row, size_t column);
    const char *(*sqlstate)(struct vv_request *req);
    int (*enqueue)(struct vv_self *self, struct vv_tx *tx, const struct vv_enqueue *job);

    /* 0.1: memory and time of a request */
    int (*step)(struct vv_self *self, struct vv_request *req,
                int (*function)(struct vv_request *step, void *arg), void *arg);

    /* 0.2 */
    size_t (*section_count)(struct vv_self *self, const char *family);
    const void *(*section)(struct vv_self *self, const char *family, size_t index,
                           const char **ret_name);
    int (*http_call)(struct vv_self *self, struct vv_request *req, const struct vv_http_call *call,
                     struct vv_http_answer **ret_answer);
    uint32_t (*http_status)(const struct vv_http_answer *answer);
    const char *(*http_body)(const struct vv_http_answer *answer, size_t *ret_length);
    const char *(*http_header)(const struct vv_http_answer *answer, const char *name);

    /* 0.3 */
    int (*rate_take)(struct vv_self *self, const char *name, const char *key,
                     const struct vv_rate *rate, uint32_t amount, struct vv_rate_state *ret_state);
};

/* This plugin's table. VV_PLUGIN() defines it, once for all files of the plugin; the loader sets it
 * before anything of the plugin is called. */
extern const struct vv_host *vv_host VV_HIDDEN;

/* Whether the server that runs is new enough to have this member of its host table. */
#define VV_HAS(member) (vv_host->size >= offsetof(struct vv_host, member) + sizeof(vv_host->member))

VV_END_C

#endif
