/* Work outside requests: jobs, schedules, commands of vvctl, checks of health, metrics. */
#ifndef VV_WORK_H
#define VV_WORK_H

#include <vv/base.h>
#include <vv/route.h>

VV_BEGIN_C

/* ---- jobs: a durable queue in PostgreSQL, run by the job worker --------------------------------
 */

/* What a job's function is told about its run. Borrowed. */
struct vv_job_run {
    uint32_t size;
    uint32_t attempt;               /* 1 at the first run */
    uint32_t attempts;              /* after this many failures it waits in the dead letter */
    int64_t id;                     /* stays the same over all attempts */
    const struct vv_value *payload; /* the JSON object it was enqueued with */
};

/* The code of a failure that no later attempt can mend: see vv_job_give_up() in request.h. */
#define VV_GIVEN_UP "given_up"

/* Returns 0 when done: the row is deleted. VV_EFAIL after vv_job_give_up(): dead at once, no retry.
 * Any other error: again later, with exponential backoff and jitter. It may be run again after a
 * crash, even when it had ended: make it idempotent. */
typedef int vv_job_function(struct vv_request *req, const struct vv_job_run *run);

/* An element of a table of jobs. */
struct vv_job {
    const char *kind; /* "mail.send" */
    vv_job_function *function;
    uint32_t timeout;       /* milliseconds for one run; 0 = 60 s */
    uint32_t attempts;      /* 0 = 20 */
    uint32_t first_backoff; /* milliseconds before the second run, doubling; 0 = 1 s */
    uint32_t last_backoff;  /* its bound; 0 = 1 h */
    uint32_t concurrency;   /* runs of this kind at once in one worker; 0 = 8 */
};

/* What to enqueue, for vv_enqueue(). Write it with VV_ENQUEUE(). */
struct vv_enqueue {
    uint32_t size;
    const char *kind;
    const char *payload; /* a JSON object; NULL = {} */
    const char *unique;  /* a second one of this name is not enqueued while the first is pending */
    const char *mutex;   /* two of this name never run at once; NULL = none */
    int64_t delay;       /* milliseconds from now */
};

/* A function that runs every `every` milliseconds on one worker of all servers of the database. */
struct vv_schedule {
    const char *name; /* "auth.cleanup" */
    int64_t every;
    vv_handler *function;
};

/* ---- commands: what `vvctl NAME ...` runs ------------------------------------------------------
 */

/* argv[0] is the first word after the command's name. Output goes through vv_print(). Returns 0, or
 * an error: vvctl prints the vv_fail() sentence and exits with 1. */
typedef int vv_command_function(struct vv_request *req, int argc, const char *const *argv);

/* An element of a table of commands. */
struct vv_command {
    const char *name;  /* "mail list" */
    const char *usage; /* "[--failed] [ADDRESS]" */
    const char *help;
    vv_command_function *function;
};

/* ---- checks: what /health shows and `vvctl doctor` explains ------------------------------------
 */

enum vv_check_flag {
    VV_CHECK_HEALTH = 1, /* also run for /health: must be quick */
};

/* Returns 0 and may call vv_print() for a remark; or vv_fail(req, 503, "smtp_unreachable", ...). */
struct vv_check {
    const char *name;
    uint32_t flags;
    vv_handler *function;
    const char *help;
};

/* ---- metrics: slots in shared memory, summed over the workers ----------------------------------
 */

enum vv_metric_type {
    VV_METRIC_TYPE_END = 0,
    VV_METRIC_TYPE_COUNTER = 1,
    VV_METRIC_TYPE_GAUGE = 2,
};

/* An element of a table of metrics. */
struct vv_metric {
    uint32_t type;
    const char *name;   /* "vv_mails_sent_total" */
    const char *labels; /* fixed label pairs of this slot, e.g. "result=\"sent\""; or NULL */
    const char *help;
};

VV_END_C

/* VV_JOB("mail.send", deliver, .attempts = 12) */
#define VV_JOB(name, callback, ...) \
    VV_ELEMENT_(vv_job, VV_SET(kind, name), VV_SET(function, callback), __VA_ARGS__)
#define VV_SCHEDULE(label, milliseconds, callback)                             \
    VV_ELEMENT_(vv_schedule, VV_SET(name, label), VV_SET(every, milliseconds), \
                VV_SET(function, callback))
#define VV_COMMAND(label, arguments, line, callback)                                           \
    VV_ELEMENT_(vv_command, VV_SET(name, label), VV_SET(usage, arguments), VV_SET(help, line), \
                VV_SET(function, callback))
#define VV_CHECK(label, bits, line, callback)                                           \
    VV_ELEMENT_(vv_check, VV_SET(name, label), VV_SET(flags, bits), VV_SET(help, line), \
                VV_SET(function, callback))
#define VV_COUNTER(label, pairs, line)                                                \
    VV_ELEMENT_(vv_metric, VV_SET(type, VV_METRIC_TYPE_COUNTER), VV_SET(name, label), \
                VV_SET(labels, pairs), VV_SET(help, line))
#define VV_GAUGE(label, pairs, line)                                                \
    VV_ELEMENT_(vv_metric, VV_SET(type, VV_METRIC_TYPE_GAUGE), VV_SET(name, label), \
                VV_SET(labels, pairs), VV_SET(help, line))

#endif
