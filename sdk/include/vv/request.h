/* Working on a request: memory, what came in, what goes out, waiting, the log, services, events. */
#ifndef VV_REQUEST_H
#define VV_REQUEST_H

#include <stdio.h>
#include <vv/host.h>

VV_BEGIN_C

/* ---- the plugin's surroundings ----------------------------------------------------------------
 */

/* The plugin's options, as its table describes them. Static; never changes while the process lives.
 */
static inline const void *vv_conf(void)
{
    return vv_host->conf(vv_host->self);
}

/* How many sections of a family ([plan:basic], [plan:pro]: 2) the configuration has. */
static inline size_t vv_section_count(const char *family)
{
    return vv_host->section_count(vv_host->self, family);
}

/* The struct of the section number `index`, in the order in which they were first written;
 * `ret_name` (may be NULL) gets what stands behind the colon. NULL past the end. Static. */
static inline const void *vv_section(const char *family, size_t index, const char **ret_name)
{
    return vv_host->section(vv_host->self, family, index, ret_name);
}

/* A key of [server] as text, e.g. "public_url"; NULL when it is empty or unknown. Static. */
static inline const char *vv_server_option(const char *key)
{
    return vv_host->server_option(key);
}

/* Writes a line to the log, with the plugin's name and the request's id (`req` may be NULL).
 * Levels: VV_LOG_ERROR to VV_LOG_DEBUG. Safe on an offload thread. Never pass it a secret. */
VV_PRINTF(3, 4)
VV_UNUSED static void vv_log(struct vv_request *req, int level, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    vv_host->log(vv_host->self, req, level, text);
}

/* Makes a service known under "name/major" during init. The struct must be static. VV_EINVAL: the
 * name is taken. */
VV_MUST_CHECK static inline int vv_publish(const char *name, const struct vv_service *service)
{
    return vv_host->publish(vv_host->self, name, service);
}

/* The service "name/major" that this plugin named in `depends`; NULL when an optional one is not
 * there. Service headers wrap this in a typed function. Static. */
static inline const struct vv_service *vv_service(const char *name)
{
    return vv_host->service(vv_host->self, name);
}

/* Runs the hooks of an event in order, on this fiber. May wait, as the hooks do. Returns VV_NEXT
 * (all were asked), VV_DONE (one settled it) or the error of the hook that refused. */
VV_MUST_CHECK static inline int vv_emit(struct vv_request *req, struct vv_event *event)
{
    return vv_host->emit(vv_host->self, req, event);
}

static inline struct vv_event vv_event_make_(const char *name, struct vv_tx *tx, const void *data,
                                             struct vv_json *reply)
{
    struct vv_event event;

    memset(&event, 0, sizeof event);
    event.size = (uint32_t)sizeof event;
    event.name = name;
    event.tx = tx;
    event.data = data;
    event.reply = reply;
    return event;
}
#define VV_EVENT(name, tx, data, reply) vv_event_make_((name), (tx), (data), (reply))

/* Adds to the metric that is element `index` of the plugin's table of metrics. */
static inline void vv_metric_add(uint32_t index, int64_t amount)
{
    vv_host->metric_add(vv_host->self, index, amount);
}

/*
 * Counts `amount` events of `key` (a user, an address, ...) under a name of the plugin's own, at a
 * rate that all workers of this machine share exactly (GCRA: the rate's count is also the burst).
 * Amount 0 only looks. *ret_state says whether they pass; those that do not are not counted. A rate
 * of count 0 lets everything pass. Does not wait; needs no request. VV_EINVAL: an argument makes no
 * sense. Since 0.3.
 */
VV_MUST_CHECK static inline int vv_rate_take(const char *name, const char *key,
                                             const struct vv_rate *rate, uint32_t amount,
                                             struct vv_rate_state *ret_state)
{
    ret_state->size = (uint32_t)sizeof *ret_state;
    return vv_host->rate_take(vv_host->self, name, key, rate, amount, ret_state);
}

/* ---- memory and time --------------------------------------------------------------------------
 */

/* Zeroed memory that lives until the request ends. Never NULL: without memory the process ends. */
static inline void *vv_alloc(struct vv_request *req, size_t size)
{
    return vv_host->alloc(req, size);
}

/* A copy of a text in the request's memory. */
static inline char *vv_strdup(struct vv_request *req, const char *text)
{
    size_t length = strlen(text);

    return (char *)memcpy(vv_alloc(req, length + 1), text, length + 1);
}

/* printf into the request's memory. */
VV_PRINTF(2, 3)
VV_UNUSED static char *vv_printf(struct vv_request *req, const char *format, ...)
{
    va_list args, again;
    char small[256], *text;
    int length;

    small[0] = '\0';
    va_start(args, format);
    va_copy(again, args);
    length = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    text = (char *)vv_alloc(req, (size_t)(length < 0 ? 0 : length) + 1);
    if (length < (int)sizeof small)
        memcpy(text, small, (size_t)(length < 0 ? 0 : length));
    else
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

/* Calls function(arg) when the request ends, last registered first. It must not wait. */
static inline int vv_defer(struct vv_request *req, void (*function)(void *arg), void *arg)
{
    return vv_host->defer(req, function, arg);
}

/* Waits. VV_ECANCELED when the deadline passed or the server stops; VV_EREFUSED while this request
 * holds a transaction. */
VV_MUST_CHECK static inline int vv_sleep(struct vv_request *req, int64_t milliseconds)
{
    return vv_host->sleep(vv_host->self, req, milliseconds);
}

/* Runs function(step, arg) on this fiber with a request of its own, whose memory is freed when it
 * returns, and returns what it returned: one turn of a loop that goes on as long as the worker. */
static inline int vv_step(struct vv_request *req,
                          int (*function)(struct vv_request *step, void *arg), void *arg)
{
    return vv_host->step(vv_host->self, req, function, arg);
}

/* Runs function(arg) on a thread and waits until it has ended; cannot be cancelled. The function
 * may call nothing of the host but vv_log(). VV_EBUSY: the queue is full; VV_EREFUSED: this request
 * holds a transaction. */
VV_MUST_CHECK static inline int vv_offload(struct vv_request *req, uint32_t pool,
                                           void (*function)(void *arg), void *arg)
{
    return vv_host->offload(vv_host->self, req, pool, function, arg);
}

/* ---- what came in -----------------------------------------------------------------------------
 */

/* One of enum vv_info; NULL when there is none. Request. */
static inline const char *vv_info(struct vv_request *req, uint32_t what)
{
    return vv_host->info(req, what);
}

/* A header's value, its name in any case; NULL when absent. Request. */
static inline const char *vv_header(struct vv_request *req, const char *name)
{
    return vv_host->header(req, name);
}

/* The parameters of path and query string as one object, checked against the route's `query`. */
static inline const struct vv_value *vv_args(struct vv_request *req)
{
    return vv_host->args(req);
}

/* The body's object, checked against the route's `body`; NULL when there is none. */
static inline const struct vv_value *vv_body(struct vv_request *req)
{
    return vv_host->body(req);
}

/* The body as it came. Request. */
static inline const void *vv_body_bytes(struct vv_request *req, size_t *ret_length)
{
    return vv_host->body_bytes(req, ret_length);
}

/* Who calls; NULL when nobody was identified. Request. */
static inline const struct vv_caller *vv_caller(struct vv_request *req)
{
    return vv_host->caller(req);
}

/* The id of the calling user; 0 when there is none. */
static inline int64_t vv_caller_id(struct vv_request *req)
{
    const struct vv_caller *caller = vv_host->caller(req);

    return caller == NULL ? 0 : caller->user_id;
}

/* VV_CALLER(VV_USER, id): what to give to vv_set_caller(); set its other members by name. */
static inline struct vv_caller vv_caller_make_(uint32_t who, int64_t user_id)
{
    struct vv_caller caller;

    memset(&caller, 0, sizeof caller);
    caller.size = (uint32_t)sizeof caller;
    caller.who = who;
    caller.user_id = user_id;
    return caller;
}
#define VV_CALLER(who, user_id) vv_caller_make_((who), (user_id))

/* For "request.identify" hooks: copies who calls. Returns VV_DONE. */
static inline int vv_set_caller(struct vv_request *req, const struct vv_caller *caller)
{
    return vv_host->set_caller(req, caller);
}

/* ---- what goes out ----------------------------------------------------------------------------
 */

/*
 * Prepares an error of RFC 9457 and returns VV_EFAIL: `return vv_fail(req, 404, "no_note",
 * "There is no note %s", id);`. `code` is stable, for programs; the sentence is for a person and
 * never holds a secret. 401 gets its WWW-Authenticate from the core. In jobs and commands it
 * is the reason that is logged, stored and printed.
 */
#define vv_fail(...) (vv_fail_say_(__VA_ARGS__), vv_failed_())

VV_PRINTF(4, 5)
VV_UNUSED static void vv_fail_say_(struct vv_request *req, uint32_t status, const char *code,
                                   const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    /* The parentheses keep macros of that name away: cmocka has one. */
    (void)(vv_host->fail)(req, status, code, text);
}

/* Apart from the above, because analysers do not look into functions with a variable number of
 * arguments, and are to see that this is an error. */
static inline int vv_failed_(void)
{
    return VV_EFAIL;
}

/* In a job: fails for good. It waits in the dead letter, with the reason, until somebody retries or
 * deletes it. Returns VV_EFAIL. */
static inline int vv_job_give_up(struct vv_request *req, const char *reason)
{
    return (vv_host->fail)(req, 500, VV_GIVEN_UP, reason);
}

/* Adds a bad field to a 422 answer and returns VV_EFAIL; may be called for several fields. */
static inline int vv_fail_field(struct vv_request *req, const char *field, const char *detail)
{
    return vv_host->fail_field(req, field, detail);
}

/* Sets a header of the answer, error or not. VV_EINVAL: not a name, or a value with control
 * characters. */
static inline int vv_reply_header(struct vv_request *req, const char *name, const char *value)
{
    return vv_host->reply_header(req, name, value);
}

/* Prepares the answer; open objects and arrays are closed. Returns VV_DONE. */
static inline int vv_reply(struct vv_request *req, uint32_t status, struct vv_json *json)
{
    return vv_host->reply(req, status, json);
}

/* Prepares an answer of another content type; the data is copied. Returns VV_DONE. */
static inline int vv_reply_bytes(struct vv_request *req, uint32_t status, const char *content_type,
                                 const void *data, size_t length)
{
    return vv_host->reply_bytes(req, status, content_type, data, length);
}

/* Writes to the terminal of vvctl (commands) or into the remark of a check. */
VV_PRINTF(2, 3)
VV_UNUSED static void vv_print(struct vv_request *req, const char *format, ...)
{
    char text[4096];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    vv_host->print(req, text);
}

VV_END_C

#endif
