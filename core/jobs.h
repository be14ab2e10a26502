/* Durable jobs and schedules: enqueued in transactions, run by the job worker. */
#ifndef VV_CORE_JOBS_H
#define VV_CORE_JOBS_H

#include "request.h"

/* In the job worker, once the schema is ready: claims and runs jobs until vv_jobs_stop(). */
void vv_jobs_start(void);

/* Claims nothing more; calls done() when what runs has ended, or the deadline (steady clock, us)
 * has come. Jobs that were cut off come back when their lease ends. */
void vv_jobs_stop(int64_t deadline, void (*done)(void));

/* The host's function: see vv_enqueue() in <vv/db.h>. */
int vv_jobs_enqueue(struct vv_self *self, struct vv_tx *tx, const struct vv_enqueue *job);

/* In any worker: after a transaction with jobs was committed, wakes the job worker (once per 50
 * ms). */
void vv_jobs_notify(void);

/* `vvctl jobs …`: the core's own commands. Ends with VV_END. */
extern const struct vv_command vv_jobs_commands[];

#endif
