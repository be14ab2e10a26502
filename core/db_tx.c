/* Transactions: begun with their first statement, committed, or rolled back behind one's back. */
#include "config.h"
#include "db_internal.h"
#include "db_lane.h"
#include "db_pool.h"
#include "db_rows.h"
#include "db_send.h"
#include "log.h"
#include "plugin.h"

#include <event2/event.h>

#define TX_AFTER       4     /* functions that one transaction calls after its commit */
#define TX_AFTER_PAUSE 50000 /* microseconds between two calls of one function */

enum tx_state {
    TX_FRESH,  /* nothing was sent, not even "begin" */
    TX_OPEN,   /* its statements succeeded so far */
    TX_FAILED, /* only a rollback is possible */
    TX_ENDED,
};

struct vv_tx {
    struct vv_request *req;
    struct vv_self *self; /* who began it */
    struct vv_db_conn *conn;
    enum tx_state state;
    void (*after[TX_AFTER])(void);
    size_t after_count;
};

/* A function to call after commits, however many there are. */
struct tx_follower {
    void (*function)(void);
    int64_t called;
    struct event *event;
};

static struct tx_follower tx_followers[TX_AFTER];
static struct event_base *tx_base;

void vv_db_tx_init(struct event_base *base)
{
    tx_base = base;
}

static const char *tx_name(struct vv_self *self)
{
    return self == NULL ? "core" : self->name;
}

static int tx_misuse(struct vv_self *self, struct vv_request *req, const char *what)
{
    vv_log_line(VV_LOG_ERROR, self, req, "plugin '%s' %s", tx_name(self), what);
    return vv_db_refuse(req, VV_EREFUSED);
}

int vv_db_begin(struct vv_self *self, struct vv_request *req, struct vv_tx **ret_tx)
{
    struct vv_db_conn *conn;
    struct vv_tx *tx;
    int rc = vv_db_may(self, req);

    *ret_tx = NULL;
    if (rc < 0)
        return rc;
    if (req->tx != NULL)
        return tx_misuse(self, req,
                         "began a transaction while this request holds one: a request has one at a "
                         "time");
    if (vv_db_away())
        return vv_db_refuse(req, VV_EUNAVAILABLE);
    rc = vv_db_pool_take(&conn);
    if (rc < 0)
        return vv_db_refuse(req, rc);
    tx = vv_arena_alloc(req->arena, sizeof *tx);
    tx->req = req;
    tx->self = self;
    tx->conn = conn;
    req->tx = tx;
    *ret_tx = tx;
    return 0;
}

struct vv_request *vv_db_tx_request(struct vv_tx *tx)
{
    return tx->req;
}

static void tx_end(struct vv_tx *tx)
{
    tx->state = TX_ENDED;
    tx->conn = NULL;
    tx->req->tx = NULL;
}

static void tx_unit_done(struct vv_db_unit *unit)
{
    vv_db_unit_free(unit);
}

/* Nobody waits for it: the connection goes back to the pool when it is through. */
static void tx_send_rollback(struct vv_db_conn *conn, bool last)
{
    struct vv_db_unit *unit = vv_db_unit_new("rollback", NULL, 0);

    unit->done = tx_unit_done;
    unit->gives_back = unit->rolls_back = last;
    vv_db_conn_send(conn, unit);
    vv_db_watch();
}

/* Sends a statement and waits for it. The unit comes back with its outcome; NULL: cancelled. */
static struct vv_db_unit *tx_run(struct vv_tx *tx, struct vv_db_unit *unit)
{
    struct vv_db_call call;

    if (tx->state == TX_FRESH)
        unit->flags |= VV_DB_BEGIN | VV_DB_SETTINGS;
    vv_db_call_init(&call, unit, true);
    vv_db_conn_send(tx->conn, unit);
    vv_db_watch();
    return vv_db_call_wait(&call) < 0 ? NULL : unit;
}

/* A prepared statement that does not fit any more hurts nobody when it was the first one: the
 * transaction begins again. */
static struct vv_db_unit *tx_run_again(struct vv_tx *tx, struct vv_db_unit *unit)
{
    if (tx->state != TX_FRESH || !vv_db_is_stale_plan(unit->sqlstate) ||
        tx->conn->state != VV_DB_READY)
        return unit;
    tx_send_rollback(tx->conn, false);
    vv_db_unit_reset(unit);
    unit->flags |= VV_DB_UNNAMED;
    return tx_run(tx, unit);
}

int vv_db_tx_query(struct vv_self *self, struct vv_tx *tx, const char *sql,
                   const struct vv_param *params, size_t count, struct vv_rows **ret_rows)
{
    struct vv_request *req = tx->req;
    struct vv_db_unit *unit;
    int rc = vv_db_may(self, req);

    if (ret_rows != NULL)
        *ret_rows = NULL;
    if (rc < 0)
        return rc;
    if (tx->state == TX_ENDED)
        return tx_misuse(self, req, "used a transaction that had ended");
    if (tx->state == TX_FAILED)
        return tx_misuse(self, req,
                         "went on with a transaction after an error: only a rollback is possible");
    unit = vv_db_unit_make(self, req, sql, params, count);
    if (unit == NULL)
        return VV_EINVAL;
    if (tx->conn->state != VV_DB_READY) {
        vv_db_unit_free(unit);
        tx->state = TX_FAILED;
        return vv_db_refuse(req, VV_EUNAVAILABLE);
    }
    unit = tx_run(tx, unit);
    if (unit != NULL && unit->code != 0)
        unit = tx_run_again(tx, unit);
    if (unit == NULL) {
        tx->state = TX_FAILED;
        return vv_db_refuse(req, VV_ECANCELED);
    }
    if (unit->code != 0) {
        tx->state = TX_FAILED;
        rc = vv_db_unit_report(self, req, unit);
    } else {
        tx->state = TX_OPEN;
        if (ret_rows != NULL) {
            *ret_rows = vv_db_rows_new(req, unit->result);
            unit->result = NULL;
        }
    }
    vv_db_unit_free(unit);
    return rc;
}

static void follower_call(evutil_socket_t fd, short what, void *arg)
{
    struct tx_follower *follower = arg;

    (void)fd, (void)what;
    follower->called = vv_clock_steady();
    follower->function();
}

/* At once, or when the pause since the last time is over. */
void vv_db_follow(void (*function)(void))
{
    struct tx_follower *follower = tx_followers;
    int64_t wait;

    while (follower->function != NULL && follower->function != function) {
        follower++;
        vv_assert(follower < tx_followers + TX_AFTER);
    }
    if (follower->function == NULL) {
        follower->function = function;
        follower->event = evtimer_new(tx_base, follower_call, follower);
        vv_assert(follower->event != NULL);
    }
    if (evtimer_pending(follower->event, NULL))
        return;
    wait = follower->called == 0 ? 0 : follower->called + TX_AFTER_PAUSE - vv_clock_steady();
    evtimer_add(follower->event,
                &(struct timeval){.tv_usec = (suseconds_t)VV_MAX(wait, INT64_C(0))});
}

void vv_db_after_commit(struct vv_tx *tx, void (*function)(void))
{
    for (size_t i = 0; i < tx->after_count; i++) {
        if (tx->after[i] == function)
            return;
    }
    vv_assert(tx->after_count < TX_AFTER);
    tx->after[tx->after_count++] = function;
}

/* 0 only when the server says that it was committed: after an error inside it says ROLLBACK. */
static int tx_committed(struct vv_self *self, struct vv_request *req, struct vv_db_unit *unit)
{
    if (unit->code == 0 && strcmp(PQcmdStatus(unit->result), "COMMIT") != 0) {
        vv_log_line(VV_LOG_ERROR, self, req, "a commit was answered with '%s'",
                    PQcmdStatus(unit->result));
        return vv_db_refuse(req, VV_ESQL);
    }
    return unit->code == 0 ? 0 : vv_db_unit_report(self, req, unit);
}

int vv_db_commit(struct vv_tx *tx)
{
    struct vv_request *req = tx->req;
    struct vv_self *self = tx->self;
    struct vv_db_call call;
    struct vv_db_unit *unit;
    int rc;

    if (tx->state == TX_ENDED)
        return tx_misuse(self, req, "committed a transaction that had ended");
    if (tx->state == TX_FAILED) {
        (void)vv_db_rollback(tx);
        return tx_misuse(self, req, "committed a transaction after an error: it was rolled back");
    }
    rc = vv_db_may(self, req);
    if (rc < 0 || tx->state == TX_FRESH || tx->conn->state != VV_DB_READY) {
        bool lost = rc == 0 && tx->conn->state != VV_DB_READY && tx->state == TX_OPEN;

        (void)vv_db_rollback(tx);
        return lost ? vv_db_refuse(req, VV_EUNAVAILABLE) : rc;
    }
    unit = vv_db_unit_new("commit", NULL, 0);
    unit->gives_back = unit->rolls_back = true;
    vv_db_call_init(&call, unit, false);
    vv_db_conn_send(tx->conn, unit);
    vv_db_watch();
    rc = vv_db_call_wait(&call);
    vv_assert(rc == 0); /* it cannot be cancelled */
    tx_end(tx);
    rc = tx_committed(self, req, unit);
    vv_db_unit_free(unit);
    for (size_t i = 0; i < tx->after_count && rc == 0; i++)
        vv_db_follow(tx->after[i]);
    return rc;
}

int vv_db_rollback(struct vv_tx *tx)
{
    struct vv_db_conn *conn = tx->conn;
    bool begun = tx->state != TX_FRESH;

    if (tx->state == TX_ENDED)
        return 0;
    tx_end(tx);
    if (begun && conn->state == VV_DB_READY)
        tx_send_rollback(conn, true);
    else
        vv_db_pool_give(conn);
    return 0;
}
