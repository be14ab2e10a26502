/* What the files of the database service share: waiting for a unit, answering errors. */
#ifndef VV_CORE_DB_INTERNAL_H
#define VV_CORE_DB_INTERNAL_H

#include "db.h"
#include "db_unit.h"

/* A fiber that waits for the outcome of a unit; lives on its stack. */
struct vv_db_call {
    struct vv_wait wait;
    struct vv_db_unit *unit;
};

/* Before the unit is given away. */
void vv_db_call_init(struct vv_db_call *call, struct vv_db_unit *unit, bool cancellable);

/* 0: the unit is back, with its outcome. VV_ECANCELED: it is gone. */
VV_MUST_CHECK int vv_db_call_wait(struct vv_db_call *call);

/* Whether this request may wait for the database now. */
VV_MUST_CHECK int vv_db_may(struct vv_self *self, struct vv_request *req);

/* A unit with its parameters and, unless that is off, a prepared statement; NULL: the parameters
 * make no sense, which is in the log, and the answer is prepared. */
struct vv_db_unit *vv_db_unit_make(struct vv_self *self, struct vv_request *req, const char *sql,
                                   const struct vv_param *params, size_t count);

/* Notes, logs and answers the unit's error; returns its code. */
int vv_db_unit_report(struct vv_self *self, struct vv_request *req, const struct vv_db_unit *unit);

/* The same for an error that no statement had. */
int vv_db_refuse(struct vv_request *req, int code);

/* Something waits: time is looked at until nothing does. */
void vv_db_watch(void);

/* The lane for reads or writes. */
struct vv_db_lane;
struct vv_db_lane *vv_db_lane(bool reads);

/* Both of these are known to be away: so would be whatever is opened now. */
bool vv_db_away(void);

/* Gives a unit to the lane of those that wait for locks. 0: its done() will be called. */
VV_MUST_CHECK int vv_db_submit_waiting(struct vv_db_unit *unit);

/* Calls function() soon, once for all that was committed within 50 ms. */
void vv_db_follow(void (*function)(void));

void vv_db_batches_init(struct event_base *base);
void vv_db_tx_init(struct event_base *base);

#endif
