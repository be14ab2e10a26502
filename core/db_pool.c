/* Exclusive connections: handed out, waited for, opened when they are wanted. */
#include "db_pool.h"

#include "config.h"
#include "db_internal.h"
#include "fiber.h"

#include <event2/event.h>

#define POOL_WAITERS 4096
#define POOL_PAUSE   200000 /* microseconds after a failed attempt, while others serve */

struct pool_waiter {
    struct vv_list link;
    struct vv_wait wait;
    struct vv_db_conn *conn;
    int64_t until;
};

static struct vv_db_conn *pool_conns;
static unsigned pool_size, pool_waiting;
static struct vv_list pool_waiters;
static struct event *pool_event;
static int64_t pool_not_before; /* when to connect again */

static void pool_changed(struct vv_db_conn *conn);
static void pool_completed(struct vv_db_conn *conn, struct vv_db_unit *unit);

static const struct vv_db_conn_owner pool_owner = {
    .changed = pool_changed, .completed = pool_completed, .persistent = false};

static void pool_end_wait(struct pool_waiter *waiter, struct vv_db_conn *conn, int result)
{
    vv_list_remove(&waiter->link);
    pool_waiting--;
    waiter->conn = conn;
    if (conn != NULL)
        conn->taken = true;
    vv_fiber_wake(&waiter->wait, result);
}

static struct pool_waiter *pool_first(void)
{
    return vv_list_empty(&pool_waiters) ? NULL
                                        : VV_CONTAINER(pool_waiters.next, struct pool_waiter, link);
}

/* Hands out what is free, and opens as many as are missing. */
static void pool_pump(evutil_socket_t fd, short what, void *arg)
{
    unsigned coming = 0;
    struct pool_waiter *waiter;

    (void)fd, (void)what, (void)arg;
    for (unsigned i = 0; i < pool_size && (waiter = pool_first()) != NULL; i++) {
        struct vv_db_conn *conn = &pool_conns[i];

        if (conn->state == VV_DB_READY && !conn->taken && !conn->dirty)
            pool_end_wait(waiter, conn, 0);
        else if (conn->state == VV_DB_CONNECTING || conn->state == VV_DB_SETTING_UP)
            coming++;
    }
    if (vv_clock_steady() < pool_not_before)
        return;
    for (unsigned i = 0; i < pool_size && coming < pool_waiting; i++) {
        if (pool_conns[i].state == VV_DB_CLOSED && !pool_conns[i].taken) {
            vv_db_conn_open(&pool_conns[i]);
            coming++;
        }
    }
}

static void pool_wake_up(void)
{
    if (pool_waiting > 0)
        event_active(pool_event, 0, 0);
}

static bool pool_serves(void)
{
    for (unsigned i = 0; i < pool_size; i++) {
        if (pool_conns[i].state == VV_DB_READY)
            return true;
    }
    return false;
}

static void pool_changed(struct vv_db_conn *conn)
{
    struct pool_waiter *waiter;

    if (vv_db_conn_away(conn)) {
        pool_not_before = vv_clock_steady() + POOL_PAUSE;
        /* With others at work (the server has no room for one more) they wait for those. */
        while (!pool_serves() && (waiter = pool_first()) != NULL)
            pool_end_wait(waiter, NULL, VV_EUNAVAILABLE);
    }
    pool_wake_up();
}

static void pool_completed(struct vv_db_conn *conn, struct vv_db_unit *unit)
{
    if (unit->gives_back) {
        if (unit->code != 0 && unit->rolls_back)
            conn->dirty = true;
        vv_db_pool_give(conn);
    }
    vv_db_unit_finish(unit);
}

void vv_db_pool_init(struct event_base *base, unsigned size)
{
    vv_list_init(&pool_waiters);
    pool_size = size;
    pool_conns = vv_xcalloc(size, sizeof *pool_conns);
    pool_event = event_new(base, -1, 0, pool_pump, NULL);
    vv_assert(pool_event != NULL);
    for (unsigned i = 0; i < size; i++)
        vv_db_conn_init(&pool_conns[i], base, &pool_owner);
}

void vv_db_pool_stop(void)
{
    struct pool_waiter *waiter;

    for (unsigned i = 0; i < pool_size; i++) {
        if (pool_conns[i].state != VV_DB_CLOSED)
            vv_db_conn_close(&pool_conns[i]);
    }
    while ((waiter = pool_first()) != NULL)
        pool_end_wait(waiter, NULL, VV_EUNAVAILABLE);
}

static void pool_cancel(struct vv_wait *wait)
{
    vv_list_remove(&VV_CONTAINER(wait, struct pool_waiter, wait)->link);
    pool_waiting--;
}

int vv_db_pool_take(struct vv_db_conn **ret_conn)
{
    struct pool_waiter waiter = {.conn = NULL};
    int rc;

    if (pool_waiting >= POOL_WAITERS)
        return VV_EBUSY;
    for (unsigned i = 0; i < pool_size && pool_waiting == 0; i++) {
        struct vv_db_conn *conn = &pool_conns[i];

        if (conn->state != VV_DB_READY || conn->taken || conn->dirty)
            continue;
        conn->taken = true;
        *ret_conn = conn;
        return 0;
    }
    vv_list_init(&waiter.link);
    vv_list_append(&pool_waiters, &waiter.link);
    pool_waiting++;
    waiter.until = vv_clock_steady() + vv_config->database.wait_timeout * 1000;
    vv_wait_init(&waiter.wait, pool_cancel);
    pool_wake_up();
    vv_db_watch();
    rc = vv_fiber_wait(&waiter.wait);
    *ret_conn = waiter.conn;
    return rc;
}

void vv_db_pool_give(struct vv_db_conn *conn)
{
    vv_assert(conn->taken);
    conn->taken = false;
    if (conn->state == VV_DB_READY &&
        (conn->dirty || PQtransactionStatus(conn->pg) != PQTRANS_IDLE))
        vv_db_conn_close(conn);
    pool_wake_up();
}

void vv_db_pool_check(int64_t now)
{
    struct pool_waiter *waiter;

    for (unsigned i = 0; i < pool_size; i++) {
        if (vv_db_conn_stuck(&pool_conns[i], now))
            vv_db_conn_lose(&pool_conns[i], "it does not answer any more");
    }
    while ((waiter = pool_first()) != NULL && waiter->until <= now)
        pool_end_wait(waiter, NULL, pool_serves() ? VV_EBUSY : VV_EUNAVAILABLE);
    pool_wake_up();
}

bool vv_db_pool_idle(void)
{
    for (unsigned i = 0; i < pool_size; i++) {
        if (pool_conns[i].sent_count > 0)
            return false;
    }
    return pool_waiting == 0;
}
