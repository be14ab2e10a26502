/* Lanes: what is sent at once, what waits, what is sent again, and what fails. */
#include "db_lane.h"

#include "config.h"
#include "db_internal.h"
#include "db_send.h"

static struct vv_db_lane *lane_of(struct vv_db_conn *conn)
{
    return VV_CONTAINER(conn, struct vv_db_lane, conn);
}

void vv_db_lane_forget(struct vv_db_unit *unit)
{
    unit->lane->waiting--;
    unit->lane = NULL;
    vv_list_remove(&unit->link);
}

static struct vv_db_unit *lane_first(struct vv_db_lane *lane)
{
    return vv_list_empty(&lane->queue) ? NULL
                                       : VV_CONTAINER(lane->queue.next, struct vv_db_unit, link);
}

/* One that is to be repeated has waited longest: `before` is the queue's first then. */
static void lane_queue(struct vv_db_lane *lane, struct vv_list *before, struct vv_db_unit *unit)
{
    unit->lane = lane;
    lane->waiting++;
    vv_list_append(before, &unit->link);
}

static void lane_pump(struct vv_db_lane *lane)
{
    struct vv_db_unit *unit;

    while (lane->conn.state == VV_DB_READY && !lane->conn.dirty && !lane->conn.broken &&
           lane->conn.sent_count < VV_DB_LANE_DEPTH && (unit = lane_first(lane)) != NULL) {
        vv_db_lane_forget(unit);
        vv_db_conn_send(&lane->conn, unit);
    }
}

static void lane_fail_queue(struct vv_db_lane *lane, int code)
{
    struct vv_db_unit *unit;
    unsigned count = lane->waiting;

    while (count-- > 0 && (unit = lane_first(lane)) != NULL) {
        vv_db_lane_forget(unit);
        vv_db_unit_fail(unit, code);
        vv_db_unit_finish(unit);
    }
}

/* Known to be away: whoever waits is told now. After a loss what was never sent waits for the first
 * attempt to come back. */
static void lane_changed(struct vv_db_conn *conn)
{
    if (vv_db_conn_away(conn))
        lane_fail_queue(lane_of(conn), VV_EUNAVAILABLE);
    else
        lane_pump(lane_of(conn));
}

static bool lane_repeats(struct vv_db_unit *unit)
{
    if (unit->code == 0 || unit->abandoned)
        return false;
    if (vv_db_is_conflict(unit->sqlstate))
        return ++unit->tries < unit->most_tries;
    /* Once more, without a prepared statement: a pooler might find the stale one again. */
    if (vv_db_is_stale_plan(unit->sqlstate) && !unit->planned_anew) {
        unit->planned_anew = true;
        unit->flags |= VV_DB_UNNAMED;
        return true;
    }
    return false;
}

static void lane_completed(struct vv_db_conn *conn, struct vv_db_unit *unit)
{
    struct vv_db_lane *lane = lane_of(conn);

    if (lane_repeats(unit)) {
        vv_db_unit_reset(unit);
        lane_queue(lane, lane->queue.next, unit);
    } else {
        vv_db_unit_finish(unit);
    }
    lane_pump(lane);
}

static const struct vv_db_conn_owner lane_owner = {
    .changed = lane_changed, .completed = lane_completed, .persistent = true};

void vv_db_lane_init(struct vv_db_lane *lane, struct event_base *base)
{
    vv_list_init(&lane->queue);
    lane->waiting = 0;
    vv_db_conn_init(&lane->conn, base, &lane_owner);
}

void vv_db_lane_open(struct vv_db_lane *lane)
{
    vv_db_conn_open(&lane->conn);
}

void vv_db_lane_stop(struct vv_db_lane *lane)
{
    vv_db_conn_close(&lane->conn);
    lane_fail_queue(lane, VV_EUNAVAILABLE);
}

int vv_db_lane_submit(struct vv_db_lane *lane, struct vv_db_unit *unit)
{
    if (lane->conn.state == VV_DB_CLOSED || vv_db_conn_away(&lane->conn))
        return VV_EUNAVAILABLE;
    if (lane->waiting >= VV_DB_LANE_QUEUE)
        return VV_EBUSY;
    unit->flags |= VV_DB_SETTINGS;
    unit->wait_until = vv_clock_steady() + vv_config->database.wait_timeout * 1000;
    lane_queue(lane, &lane->queue, unit);
    lane_pump(lane);
    vv_db_watch();
    return 0;
}

void vv_db_lane_check(struct vv_db_lane *lane, int64_t now)
{
    struct vv_db_unit *unit;

    if (vv_db_conn_stuck(&lane->conn, now))
        vv_db_conn_lose(&lane->conn, "it does not answer any more");
    while ((unit = lane_first(lane)) != NULL && unit->wait_until <= now) {
        vv_db_lane_forget(unit);
        /* Without a connection it is the database that is missing, not room. */
        vv_db_unit_fail(unit, lane->conn.state == VV_DB_READY ? VV_EBUSY : VV_EUNAVAILABLE);
        vv_db_unit_finish(unit);
    }
}

bool vv_db_lane_idle(const struct vv_db_lane *lane)
{
    return lane->waiting == 0 && lane->conn.sent_count == 0;
}
