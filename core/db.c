/* The database of a worker: its lanes, its clock, and single statements. */
#include "db.h"

#include "config.h"
#include "db_internal.h"
#include "db_lane.h"
#include "db_pool.h"
#include "db_rows.h"
#include "log.h"
#include "plugin.h"

#include <event2/event.h>

#define DB_TICK           50000 /* microseconds between looks at what waits */
#define DB_PING           5     /* seconds without a statement before one is sent */
#define DB_LANES          3     /* connections that are shared; the third comes and goes */
#define DB_CONFLICT_TRIES 3     /* runs of a statement that deadlocks, in all */
#define DB_FEWEST_POOL    2
#define DB_LOCK_WAIT      1000 /* milliseconds that a batch of VV_BATCH_WAITS waits for a lock */
#define DB_WAITS_IDLE     60000000 /* microseconds after which its connection is closed */

static struct vv_db_lane db_reads, db_writes, db_waits;
static int64_t db_waits_used;
static struct event *db_tick_event, *db_ping_event;
static bool db_opened, db_ticking, db_stopped = true;

static void db_tick(evutil_socket_t fd, short what, void *arg);
static void db_ping(evutil_socket_t fd, short what, void *arg);

struct vv_db_lane *vv_db_lane(bool reads)
{
    return reads ? &db_reads : &db_writes;
}

/* pool_size is of the whole machine: every worker has its part of it. */
static unsigned db_pool_size(void)
{
    int64_t processes = vv_config->server.worker_count + vv_config->server.job_workers;
    int64_t part = vv_config->database.pool_size / VV_MAX(processes, 1) - DB_LANES;

    return (unsigned)VV_MAX(part, DB_FEWEST_POOL);
}

/* Its statement may also run for as long as any other, once it has what it waited for. */
static void db_waits_settings(struct vv_db_conn *conn)
{
    conn->lock_timeout = VV_MAX(conn->lock_timeout, DB_LOCK_WAIT);
    conn->statement_timeout += conn->lock_timeout;
}

void vv_db_init(struct event_base *base)
{
    static const struct timeval every = {.tv_sec = DB_PING};

    db_stopped = false;
    db_tick_event = evtimer_new(base, db_tick, NULL);
    db_ping_event = event_new(base, -1, EV_PERSIST, db_ping, NULL);
    vv_assert(db_tick_event != NULL && db_ping_event != NULL);
    event_add(db_ping_event, &every);
    vv_db_batches_init(base);
    vv_db_tx_init(base);
    vv_db_lane_init(&db_reads, base);
    vv_db_lane_init(&db_writes, base);
    vv_db_lane_init(&db_waits, base);
    db_waits_settings(&db_waits.conn);
    vv_db_lane_open(&db_reads);
    vv_db_lane_open(&db_writes);
    vv_db_pool_init(base, db_pool_size());
}

void vv_db_stop(void)
{
    if (db_stopped)
        return;
    db_stopped = true;
    event_del(db_tick_event);
    event_del(db_ping_event);
    vv_db_lane_stop(&db_reads);
    vv_db_lane_stop(&db_writes);
    vv_db_lane_stop(&db_waits);
    vv_db_pool_stop();
}

void vv_db_open(void)
{
    db_opened = true;
}

bool vv_db_ready(void)
{
    return db_opened && !db_stopped && db_reads.conn.state == VV_DB_READY &&
           db_writes.conn.state == VV_DB_READY;
}

bool vv_db_away(void)
{
    return vv_db_conn_away(&db_reads.conn) && vv_db_conn_away(&db_writes.conn);
}

int64_t vv_db_latency(void)
{
    return vv_db_conn_latency();
}

void vv_db_watch(void)
{
    static const struct timeval pause = {.tv_usec = DB_TICK};

    if (db_ticking)
        return;
    db_ticking = true;
    evtimer_add(db_tick_event, &pause);
}

static void db_tick(evutil_socket_t fd, short what, void *arg)
{
    int64_t now = vv_clock_steady();

    (void)fd, (void)what, (void)arg;
    db_ticking = false;
    vv_db_lane_check(&db_reads, now);
    vv_db_lane_check(&db_writes, now);
    vv_db_lane_check(&db_waits, now);
    vv_db_pool_check(now);
    if (!vv_db_lane_idle(&db_reads) || !vv_db_lane_idle(&db_writes) ||
        !vv_db_lane_idle(&db_waits) || !vv_db_pool_idle())
        vv_db_watch();
}

/* A lane with nothing to do learns in this way that the other side is gone without a word. */
static void db_ping(evutil_socket_t fd, short what, void *arg)
{
    struct vv_db_lane *lanes[] = {&db_reads, &db_writes, &db_waits};
    int64_t now = vv_clock_steady(), quiet_since = now - DB_PING * INT64_C(1000000);

    (void)fd, (void)what, (void)arg;
    if (db_waits.conn.state == VV_DB_READY && vv_db_lane_idle(&db_waits) &&
        now - db_waits_used > DB_WAITS_IDLE)
        vv_db_conn_close(&db_waits.conn);
    for (size_t i = 0; i < VV_ARRAY_SIZE(lanes); i++) {
        struct vv_db_unit *unit;

        if (lanes[i]->conn.state != VV_DB_READY || !vv_db_lane_idle(lanes[i]) ||
            lanes[i]->conn.progress > quiet_since)
            continue;
        unit = vv_db_unit_new("select 1", NULL, 0);
        unit->abandoned = true;
        if (vv_db_lane_submit(lanes[i], unit) < 0)
            vv_db_unit_free(unit);
    }
}

/* Its connection is made when it is first used: most workers never meet a lock. */
int vv_db_submit_waiting(struct vv_db_unit *unit)
{
    if (db_stopped || vv_db_away())
        return VV_EUNAVAILABLE;
    if (db_waits.conn.state == VV_DB_CLOSED)
        vv_db_lane_open(&db_waits);
    db_waits_used = vv_clock_steady();
    return vv_db_lane_submit(&db_waits, unit);
}

/* ---- waiting ------------------------------------------------------------------------------- */

static void call_done(struct vv_db_unit *unit)
{
    struct vv_db_call *call = unit->arg;

    vv_fiber_wake(&call->wait, 0);
}

static void call_cancel(struct vv_wait *wait)
{
    struct vv_db_call *call = VV_CONTAINER(wait, struct vv_db_call, wait);

    vv_db_unit_abandon(call->unit);
}

void vv_db_call_init(struct vv_db_call *call, struct vv_db_unit *unit, bool cancellable)
{
    call->unit = unit;
    unit->arg = call;
    unit->done = call_done;
    vv_wait_init(&call->wait, cancellable ? call_cancel : NULL);
}

int vv_db_call_wait(struct vv_db_call *call)
{
    return vv_fiber_wait(&call->wait);
}

/* ---- errors -------------------------------------------------------------------------------- */

int vv_db_refuse(struct vv_request *req, int code)
{
    if (code != VV_ETIMEOUT)
        return vv_request_error(req, code);
    (void)vv_request_fail(req, 503, "database_busy",
                          "The database is busy with this at the moment; try again shortly");
    req->problem.retry_after = 1;
    req->problem.result = code;
    return code;
}

int vv_db_unit_report(struct vv_self *self, struct vv_request *req, const struct vv_db_unit *unit)
{
    memcpy(req->sqlstate, unit->sqlstate, sizeof req->sqlstate);
    if (unit->code == VV_ESQL)
        vv_log_line(VV_LOG_ERROR, self, req, "SQL error %s: %s; in: %s", unit->sqlstate,
                    unit->message == NULL ? "" : unit->message, unit->sql);
    else if (unit->code == VV_ETIMEOUT || (unit->code == VV_EUNAVAILABLE && unit->message != NULL))
        vv_log_line(VV_LOG_WARNING, self, req, "the database gave up (%s: %s); in: %s",
                    unit->sqlstate, unit->message == NULL ? "" : unit->message, unit->sql);
    return vv_db_refuse(req, unit->code);
}

int vv_db_may(struct vv_self *self, struct vv_request *req)
{
    req->sqlstate[0] = '\0';
    if (vv_fiber_current() == NULL) {
        vv_log_line(VV_LOG_ERROR, self, req,
                    "the database was asked outside a fiber: start functions may, init may not");
        return vv_db_refuse(req, VV_EREFUSED);
    }
    if (vv_fiber_cancelled(vv_fiber_current()))
        return vv_db_refuse(req, VV_ECANCELED);
    if (!db_opened || db_stopped)
        return vv_db_refuse(req, VV_EUNAVAILABLE);
    return 0;
}

struct vv_db_unit *vv_db_unit_make(struct vv_self *self, struct vv_request *req, const char *sql,
                                   const struct vv_param *params, size_t count)
{
    struct vv_db_unit *unit = vv_db_unit_new(sql, params, count);

    if (unit == NULL) {
        vv_log_line(VV_LOG_ERROR, self, req,
                    "a parameter is no value of SQL, or a text with a NUL; in: %s", sql);
        (void)vv_db_refuse(req, VV_EINVAL);
        return NULL;
    }
    unit->most_tries = DB_CONFLICT_TRIES;
    if (vv_config->database.prepared)
        unit->statement = vv_db_statement_find(sql);
    return unit;
}

/* ---- single statements --------------------------------------------------------------------- */

/* It gets the time that its request has, on a connection of its own. */
static int db_send_slow(struct vv_request *req, struct vv_db_unit *unit)
{
    struct vv_db_conn *conn;
    int64_t left;
    int rc;

    if (vv_db_away())
        return VV_EUNAVAILABLE;
    rc = vv_db_pool_take(&conn);
    if (rc < 0)
        return rc;
    left = req->deadline == 0 ? 0 : (req->deadline - vv_clock_steady()) / 1000;
    unit->timeout = req->deadline == 0 ? 0 : VV_MAX(left, 1);
    unit->flags |= VV_DB_SETTINGS;
    unit->gives_back = true;
    if (conn->state != VV_DB_READY) { /* lost since it was handed over */
        vv_db_pool_give(conn);
        return VV_EUNAVAILABLE;
    }
    vv_db_conn_send(conn, unit);
    vv_db_watch();
    return 0;
}

int vv_db_query(struct vv_self *self, struct vv_request *req, uint32_t lane, const char *sql,
                const struct vv_param *params, size_t count, struct vv_rows **ret_rows)
{
    struct vv_db_unit *unit;
    struct vv_db_call call;
    int rc = vv_db_may(self, req);

    if (ret_rows != NULL)
        *ret_rows = NULL;
    if (rc < 0)
        return rc;
    unit = vv_db_unit_make(self, req, sql, params, count);
    if (unit == NULL)
        return VV_EINVAL;
    vv_db_call_init(&call, unit, true);
    rc = lane == VV_LANE_SLOW ? db_send_slow(req, unit)
                              : vv_db_lane_submit(vv_db_lane(lane == VV_LANE_READ), unit);
    if (rc < 0) {
        vv_db_unit_free(unit);
        return vv_db_refuse(req, rc);
    }
    if (vv_db_call_wait(&call) < 0)
        return vv_db_refuse(req, VV_ECANCELED);
    if (unit->code != 0) {
        rc = vv_db_unit_report(self, req, unit);
    } else if (ret_rows != NULL) {
        *ret_rows = vv_db_rows_new(req, unit->result);
        unit->result = NULL;
    }
    vv_db_unit_free(unit);
    return rc;
}
