/* Exclusive connections: one fiber's at a time, for transactions and slow statements. */
#ifndef VV_CORE_DB_POOL_H
#define VV_CORE_DB_POOL_H

#include "db_conn.h"

void vv_db_pool_init(struct event_base *base, unsigned size);
void vv_db_pool_stop(void);

/* Waits for a connection that is ready. VV_EUNAVAILABLE, VV_EBUSY, VV_ECANCELED. */
VV_MUST_CHECK int vv_db_pool_take(struct vv_db_conn **ret_conn);

/* Gives it back; one that is not as new is closed. */
void vv_db_pool_give(struct vv_db_conn *conn);

/* As vv_db_lane_check(). */
void vv_db_pool_check(int64_t now);
bool vv_db_pool_idle(void);

#endif
