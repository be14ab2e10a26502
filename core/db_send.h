/* How a unit is written into libpq's pipeline: settings, prepared statements, Sync. */
#ifndef VV_CORE_DB_SEND_H
#define VV_CORE_DB_SEND_H

#include "db_conn.h"

/* The first unit of a connection: applies the settings where they will stay. */
bool vv_db_send_setup(struct vv_db_conn *conn, struct vv_db_unit *unit);
struct vv_db_unit *vv_db_setup_unit(struct vv_db_conn *conn);

/* Whether the setup's answer says that a pooler is in between. */
bool vv_db_setup_pooled(struct vv_db_conn *conn, const struct vv_db_unit *unit);

/* Writes everything up to the Sync. False: libpq refused, the connection is of no use any more. */
bool vv_db_send_unit(struct vv_db_conn *conn, struct vv_db_unit *unit);

/* After the answer: forgets a prepared statement that is not there or does not fit any more. */
void vv_db_send_learn(struct vv_db_conn *conn, struct vv_db_unit *unit);

/* Whether the error is one of a prepared statement, which the same text without one may not have.
 */
bool vv_db_is_stale_plan(const char *sqlstate);

#endif
