/* The body of a worker: one loop with everything on it, from its first event to its drained end. */
#include "db.h"
#include "fiber.h"
#include "http.h"
#include "jobs.h"
#include "log.h"
#include "metrics.h"
#include "migrate.h"
#include "offload.h"
#include "outgoing.h"
#include "plugin.h"
#include "process.h"
#include <event2/event.h>
#include <signal.h>

#define WORKER_SCHEMA_POLL   50           /* milliseconds, until the schema is ready */
#define WORKER_MIGRATE       1000         /* milliseconds, between two tries */
#define WORKER_GAUGES_PERIOD 1000         /* milliseconds */
#define WORKER_SETTLE        (500 * 1000) /* microseconds for fibers to end, at the very end */

static struct {
    struct event_base *base;
    struct vv_worker_spec spec;
    struct event *term, *last, *interrupt, *schema, *gauges, *deadline;
    bool draining;
    bool started;     /* the plugins, and the jobs if this process runs them */
    unsigned pending; /* parts that still drain */
} worker;

struct event_base *vv_worker_base(void)
{
    return worker.base;
}

enum vv_role vv_worker_role(void)
{
    return worker.spec.role;
}

bool vv_worker_draining(void)
{
    return worker.draining;
}

void vv_worker_set(struct event_base *base, enum vv_role role)
{
    worker.base = base;
    worker.spec.role = role;
}

static bool worker_has_http(void)
{
    return worker.spec.role == VV_ROLE_WORKER || worker.spec.role == VV_ROLE_SINGLE;
}

static bool worker_has_jobs(void)
{
    return worker.spec.role == VV_ROLE_JOBS || worker.spec.role == VV_ROLE_SINGLE;
}

static struct timeval worker_time(int64_t microseconds)
{
    return (struct timeval){.tv_sec = microseconds / 1000000, .tv_usec = microseconds % 1000000};
}

static struct event *worker_timer(int64_t milliseconds, bool repeated, event_callback_fn callback)
{
    struct timeval time = worker_time(milliseconds * 1000);
    struct event *event =
        event_new(worker.base, -1, (short)(repeated ? EV_PERSIST : 0), callback, NULL);

    vv_assert(event != NULL && event_add(event, &time) == 0);
    return event;
}

/* The leader's migration ends at some time; a flag in shared memory costs nothing to look at. */
static void worker_schema(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    /* Alone, nobody else migrates; that it holds the loop is the price of one process. */
    if (worker.spec.role == VV_ROLE_SINGLE && !vv_metrics_schema_ready() &&
        vv_migrate(vv_plugins) == VV_MIGRATED)
        vv_metrics_set_schema_ready();
    if (!vv_metrics_schema_ready() || worker.draining)
        return;
    (void)event_del(worker.schema);
    vv_db_open();
    worker.started = true;
    vv_plugins_start(vv_plugins);
    if (worker_has_jobs())
        vv_jobs_start();
}

static void worker_gauges(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    vv_metrics_gauges(worker_has_http() ? vv_http_connections() : 0,
                      worker_has_http() ? vv_http_active() : 0);
}

static void worker_leave(void)
{
    (void)event_base_loopexit(worker.base, NULL);
}

static void worker_part_done(void)
{
    if (worker.pending > 0 && --worker.pending == 0)
        worker_leave();
}

static void worker_late(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    worker_leave();
}

static void worker_drain(evutil_socket_t fd, short what, void *arg)
{
    int64_t allowed = vv_config->server.drain_timeout;
    int64_t deadline = vv_clock_steady() + allowed * 1000;
    /* Alone there is no other generation to follow. */
    bool last = fd == VV_SIGNAL_LAST || worker.spec.role == VV_ROLE_SINGLE;

    (void)what;
    (void)arg;
    if (worker.draining) {
        if (last && worker_has_http())
            vv_http_drain_idle();
        return;
    }
    worker.draining = true;
    worker.deadline = worker_timer(allowed, false, worker_late);
    /* One for ourselves, should a part be done before the next is told. */
    worker.pending = 1;
    if (worker_has_http()) {
        worker.pending++;
        vv_http_drain(deadline, worker_part_done);
        if (last)
            vv_http_drain_idle();
    }
    if (worker_has_jobs() && worker.started) {
        worker.pending++;
        vv_jobs_stop(deadline, worker_part_done);
    }
    worker_part_done();
}

static struct event *worker_signal(int signal)
{
    struct event *event = evsignal_new(worker.base, signal, worker_drain, NULL);

    vv_assert(event != NULL && event_add(event, NULL) == 0);
    return event;
}

static void worker_make_base(void)
{
    struct event_config *config = event_config_new();

    vv_assert(config != NULL);
    (void)event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    worker.base = event_base_new_with_config(config);
    vv_assert(worker.base != NULL);
    event_config_free(config);
}

static void worker_listen(void)
{
    size_t i;

    vv_http_init(worker.base);
    for (i = 0; i < worker.spec.fd_count; i++)
        vv_http_listen(worker.spec.fds[i],
                       i >= worker.spec.fd_count - worker.spec.metrics_fd_count);
}

static void worker_say_ready(void)
{
    if (worker.spec.ready_fd < 0)
        return;
    /* Nobody is there to read when the leader has died; then we are on our way out, too. */
    (void)!write(worker.spec.ready_fd, "", 1);
    (void)close(worker.spec.ready_fd);
}

/* Fibers that were told to end get a last chance to. */
static void worker_settle(void)
{
    int64_t until = vv_clock_steady() + WORKER_SETTLE;
    struct timeval pause = worker_time(10 * 1000);

    while (vv_fibers_alive() > 0 && vv_clock_steady() < until) {
        (void)event_base_loopexit(worker.base, &pause);
        (void)event_base_loop(worker.base, EVLOOP_ONCE);
    }
}

static void worker_end(void)
{
    if (worker.pending > 0) {
        vv_warning("the drain deadline has passed; %u requests are cut off",
                   worker_has_http() ? vv_http_active() : 0);
        /* Their fibers still use everything: nothing can be taken apart in order. */
        _exit(0);
    }
    if (worker.started)
        vv_plugins_stop(vv_plugins);
    vv_outgoing_stop();
    worker_settle();
    if (vv_fibers_alive() > 0)
        _exit(0);
    if (worker_has_http())
        vv_http_free();
    vv_db_stop();
    vv_offload_stop();
    event_free(worker.term);
    event_free(worker.last);
    if (worker.interrupt != NULL)
        event_free(worker.interrupt);
    event_free(worker.schema);
    event_free(worker.gauges);
    event_free(worker.deadline);
    event_base_free(worker.base);
}

int vv_worker_run(const struct vv_worker_spec *spec)
{
    worker.spec = *spec;
    worker_make_base();
    vv_fibers_init(worker.base, (unsigned)vv_config->server.max_fibers);
    vv_offload_init(worker.base);
    vv_outgoing_init(worker.base);
    vv_db_init(worker.base);
    worker.term = worker_signal(SIGTERM);
    worker.last = worker_signal(VV_SIGNAL_LAST);
    if (spec->role == VV_ROLE_SINGLE)
        worker.interrupt = worker_signal(SIGINT);
    worker.schema = worker_timer(spec->role == VV_ROLE_SINGLE ? WORKER_MIGRATE : WORKER_SCHEMA_POLL,
                                 true, worker_schema);
    worker.gauges = worker_timer(WORKER_GAUGES_PERIOD, true, worker_gauges);
    if (worker_has_http())
        worker_listen();
    worker_schema(-1, 0, NULL);
    worker_say_ready();
    (void)event_base_dispatch(worker.base);
    worker_end();
    return 0;
}
