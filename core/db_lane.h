/* Lanes: one connection that many fibers share, one statement and one Sync each. */
#ifndef VV_CORE_DB_LANE_H
#define VV_CORE_DB_LANE_H

#include "db_conn.h"

/* A deeper pipeline is no faster, and everything in it is lost with its connection. */
#define VV_DB_LANE_DEPTH 64
#define VV_DB_LANE_QUEUE 4096

struct vv_db_lane {
    struct vv_db_conn conn;
    struct vv_list queue; /* units that wait for room or for the connection */
    unsigned waiting;
};

void vv_db_lane_init(struct vv_db_lane *lane, struct event_base *base);
void vv_db_lane_open(struct vv_db_lane *lane);
void vv_db_lane_stop(struct vv_db_lane *lane);

/* 0: its done() will be called, perhaps at once. VV_EUNAVAILABLE, VV_EBUSY: it was not taken. */
VV_MUST_CHECK int vv_db_lane_submit(struct vv_db_lane *lane, struct vv_db_unit *unit);

/* Takes a unit out of its lane's queue. */
void vv_db_lane_forget(struct vv_db_unit *unit);

/* Fails what has waited too long, and gives up a connection that is silent. */
void vv_db_lane_check(struct vv_db_lane *lane, int64_t now);

/* Nothing is on its way through it. */
bool vv_db_lane_idle(const struct vv_db_lane *lane);

#endif
