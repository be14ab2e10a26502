/* The unit of work that a fiber runs for: its memory, its transaction, its failure. */
#ifndef VV_CORE_REQUEST_H
#define VV_CORE_REQUEST_H

#include "arena.h"
#include "buffer.h"
#include "fiber.h"
#include <vv/host.h>

enum vv_unit {
    VV_UNIT_HTTP,
    VV_UNIT_JOB,
    VV_UNIT_COMMAND,
    VV_UNIT_INIT,  /* never ends: what it allocates lives as long as the process; may not wait */
    VV_UNIT_START, /* a plugin's start function, or a fiber of the core's own */
};

/* What went wrong, for RFC 9457, the job table or vvctl. status 0: nothing did. */
struct vv_problem {
    uint32_t status;
    const char *code;
    const char *detail;
    struct vv_buffer fields; /* elements of "errors", comma separated; empty without any */
    int64_t retry_after;     /* seconds; 0 = no such header */
    int result;              /* the error code that this answers */
};

struct vv_http; /* the HTTP side of a request: http.h */

struct vv_request {
    struct vv_arena *arena;
    struct vv_fiber *fiber;
    struct vv_self *plugin; /* whose handler runs; NULL = the core */
    enum vv_unit unit;
    const char *id;       /* request id, "job 17", ...; never NULL */
    int64_t started;      /* steady clock */
    int64_t deadline;     /* steady clock; 0 = none */
    struct vv_http *http; /* NULL outside HTTP */
    struct vv_tx *tx;     /* the open transaction, or NULL */
    struct vv_problem problem;
    char sqlstate[6];
    struct vv_deferred *deferred;
    void (*print)(struct vv_request *req, const char *text); /* NULL: nowhere */
    void *print_arg;
};

/* A request in memory of its own. `deadline` is in milliseconds from now, 0 = none. */
struct vv_request *vv_request_new(enum vv_unit unit, struct vv_self *plugin, const char *id,
                                  int64_t deadline);

/* Rolls back what is open, runs the deferred functions, frees everything. On its fiber, or on none.
 */
void vv_request_end(struct vv_request *req);

/* Runs function(req, arg) on a new fiber with the request's deadline; then done(req, arg, result)
 * on the same fiber, which must end with vv_request_end(). VV_EBUSY: too many fibers; the request
 * is still the caller's then. */
VV_MUST_CHECK int vv_request_spawn(struct vv_request *req,
                                   int (*function)(struct vv_request *req, void *arg),
                                   void (*done)(struct vv_request *req, void *arg, int result),
                                   void *arg);

/* VV_EREFUSED, with a log line that names the plugin, while the request holds a transaction. */
int vv_request_may_wait(struct vv_self *self, struct vv_request *req, const char *what);

/* Prepares the answer for an error code that came without vv_fail(), and returns the code. */
int vv_request_error(struct vv_request *req, int code);

/* The host's functions of these names (see <vv/request.h>). */
void *vv_request_alloc(struct vv_request *req, size_t size);
int vv_request_defer(struct vv_request *req, void (*function)(void *arg), void *arg);
int vv_request_sleep(struct vv_self *self, struct vv_request *req, int64_t milliseconds);
int vv_request_step(struct vv_self *self, struct vv_request *req,
                    int (*function)(struct vv_request *step, void *arg), void *arg);
int vv_request_fail(struct vv_request *req, uint32_t status, const char *code, const char *detail);
int vv_request_fail_field(struct vv_request *req, const char *field, const char *detail);
void vv_request_print(struct vv_request *req, const char *text);

#endif
