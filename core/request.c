/* The life of a unit of work: made, run on a fiber, failed perhaps, ended. */
#include "request.h"

#include "db.h"
#include "log.h"
#include "plugin.h"

/* Called at the request's end, last registered first. */
struct vv_deferred {
    struct vv_deferred *next;
    void (*function)(void *arg);
    void *arg;
};

/* What a fiber needs to run a request; lives in the request's arena. */
struct request_run {
    struct vv_request *req;
    int (*function)(struct vv_request *req, void *arg);
    void (*done)(struct vv_request *req, void *arg, int result);
    void *arg;
};

struct vv_request *vv_request_new(enum vv_unit unit, struct vv_self *plugin, const char *id,
                                  int64_t deadline)
{
    struct vv_arena *arena = vv_arena_new();
    struct vv_request *req = vv_arena_alloc(arena, sizeof *req);

    req->arena = arena;
    req->plugin = plugin;
    req->unit = unit;
    req->id = vv_arena_strdup(arena, id);
    req->started = vv_clock_steady();
    req->deadline = deadline == 0 ? 0 : req->started + deadline * 1000;
    vv_buffer_init(&req->problem.fields, arena);
    return req;
}

void vv_request_end(struct vv_request *req)
{
    if (req->tx != NULL)
        (void)vv_db_rollback(req->tx);
    while (req->deferred != NULL) {
        struct vv_deferred *first = req->deferred;

        req->deferred = first->next;
        first->function(first->arg);
    }
    vv_arena_free(req->arena);
}

static void request_fiber(void *arg)
{
    struct request_run *run = arg;
    struct vv_request *req = run->req;
    int result;

    req->fiber = vv_fiber_current();
    if (req->deadline != 0)
        vv_fiber_deadline(req->fiber, req->deadline);
    result = run->function(req, run->arg);
    /* A handler that was cancelled in the middle of a transaction leaves it open: end it before the
     * answer goes out, which may say that nothing was changed. */
    if (req->tx != NULL)
        (void)vv_db_rollback(req->tx);
    run->done(req, run->arg, result);
}

int vv_request_spawn(struct vv_request *req, int (*function)(struct vv_request *req, void *arg),
                     void (*done)(struct vv_request *req, void *arg, int result), void *arg)
{
    struct request_run *run = vv_arena_alloc(req->arena, sizeof *run);

    run->req = req;
    run->function = function;
    run->done = done;
    run->arg = arg;
    return vv_fiber_spawn(request_fiber, run);
}

int vv_request_may_wait(struct vv_self *self, struct vv_request *req, const char *what)
{
    if (req->tx == NULL)
        return 0;
    vv_log_line(VV_LOG_ERROR, self, req,
                "plugin '%s' tried to %s while holding a transaction: end the transaction first",
                self == NULL ? "core" : self->name, what);
    return vv_request_error(req, VV_EREFUSED);
}

/* 5xx sentences say what a caller can do, and nothing of what is inside. */
int vv_request_error(struct vv_request *req, int code)
{
    struct vv_problem *problem = &req->problem;

    /* What was prepared for it where it happened knows more. */
    if (problem->status != 0 && problem->result == code)
        return code;
    switch (code) {
    case VV_EUNAVAILABLE:
        (void)vv_request_fail(req, 503, "unavailable",
                              "A part of this service is away for the moment; try again shortly");
        problem->retry_after = 1;
        break;
    case VV_ETIMEOUT:
        (void)vv_request_fail(req, 503, "timeout", "That took too long; try again shortly");
        problem->retry_after = 1;
        break;
    case VV_ECANCELED:
        (void)vv_request_fail(req, 503, "timeout",
                              "The time for this request ran out; try again shortly");
        problem->retry_after = 1;
        break;
    case VV_EBUSY:
        (void)vv_request_fail(req, 503, "overloaded", "Too busy at the moment; try again shortly");
        problem->retry_after = 1;
        break;
    default:
        (void)vv_request_fail(req, 500, "internal_error",
                              "Something went wrong on our side; it has been logged");
    }
    problem->result = code;
    return code;
}

void *vv_request_alloc(struct vv_request *req, size_t size)
{
    return vv_arena_alloc(req->arena, size);
}

int vv_request_defer(struct vv_request *req, void (*function)(void *arg), void *arg)
{
    struct vv_deferred *deferred = vv_arena_alloc(req->arena, sizeof *deferred);

    deferred->function = function;
    deferred->arg = arg;
    deferred->next = req->deferred;
    req->deferred = deferred;
    return 0;
}

int vv_request_sleep(struct vv_self *self, struct vv_request *req, int64_t milliseconds)
{
    int rc = vv_request_may_wait(self, req, "sleep");

    if (rc < 0)
        return rc;
    rc = vv_fiber_sleep((milliseconds < 0 ? 0 : milliseconds) * 1000);
    return rc < 0 ? vv_request_error(req, rc) : 0;
}

int vv_request_step(struct vv_self *self, struct vv_request *req,
                    int (*function)(struct vv_request *step, void *arg), void *arg)
{
    struct vv_request *step = vv_request_new(req->unit, self, req->id, 0);
    int result;

    step->fiber = req->fiber;
    step->deadline = req->deadline;
    step->print = req->print;
    step->print_arg = req->print_arg;
    result = function(step, arg);
    vv_request_end(step);
    return result;
}

int vv_request_fail(struct vv_request *req, uint32_t status, const char *code, const char *detail)
{
    struct vv_problem *problem = &req->problem;

    problem->status = status < 400 || status > 599 ? 500 : status;
    problem->code = vv_arena_strdup(req->arena, code);
    problem->detail = vv_arena_strdup(req->arena, detail);
    problem->retry_after = 0;
    problem->result = VV_EFAIL;
    vv_buffer_clear(&problem->fields);
    return VV_EFAIL;
}

int vv_request_fail_field(struct vv_request *req, const char *field, const char *detail)
{
    struct vv_buffer *fields = &req->problem.fields;

    if (req->problem.status != 422 || fields->length == 0)
        (void)vv_request_fail(req, 422, "validation_failed", "Some fields are not right");
    if (fields->length > 0)
        vv_buffer_char(fields, ',');
    vv_buffer_text(fields, "{\"field\":");
    vv_buffer_json(fields, field, strlen(field));
    vv_buffer_text(fields, ",\"detail\":");
    vv_buffer_json(fields, detail, strlen(detail));
    vv_buffer_char(fields, '}');
    return VV_EFAIL;
}

void vv_request_print(struct vv_request *req, const char *text)
{
    if (req->print != NULL)
        req->print(req, text);
}
