/* What the files of the job runner share. Only jobs_*.c include this. */
#ifndef VV_CORE_JOBS_INTERNAL_H
#define VV_CORE_JOBS_INTERNAL_H

#include "buffer.h"
#include "db.h"
#include "jobs.h"
#include "plugin.h"

#define JOBS_LEASE 30000 /* milliseconds; renewed while the job runs */

/* A kind of job that some plugin of this process runs. */
struct jobs_kind {
    struct vv_self *plugin;
    const struct vv_job *job;
    uint32_t timeout, attempts, first_backoff, last_backoff, concurrency; /* defaults put in */
    uint32_t executing;
};

/* A claimed job: executing first, then with an outcome that has to be recorded. */
struct jobs_run {
    struct vv_list link;
    struct jobs_kind *kind;
    int64_t id;
    uint32_t attempt;
    char *payload;
    int64_t lease_end;      /* steady clock: from then on somebody else may run it */
    struct vv_request *req; /* while it executes; then NULL */
    int result;
    bool given_up, lost; /* lost: the row is no longer ours to change */
    char *error;
};

/* Everything of the job worker's process. On the loop. */
struct jobs_state {
    struct jobs_kind *kinds;
    size_t kind_count;
    struct vv_list executing, ended; /* of struct jobs_run */
    char worker[128];                /* who we are in the column of that name */
    size_t worker_prefix;            /* as much of it as all processes of this machine share */
};
extern struct jobs_state jobs_state;

/* Statements of the core, on the lane that writes. */
#define JOBS_SQL(req, rows, ...) \
    vv_db_query(NULL, (req), VV_LANE_WRITE, VV_ARGS_(__VA_ARGS__), (rows))
#define JOBS_TX_SQL(tx, rows, ...) vv_db_tx_query(NULL, (tx), VV_ARGS_(__VA_ARGS__), (rows))

/* A column by its number; NULL is 0, or a NULL pointer. */
int64_t jobs_int(const struct vv_rows *rows, size_t row, size_t column);
const char *jobs_text(const struct vv_rows *rows, size_t row, size_t column);

/* jobs_identity.c: names this process in jobs_state.worker, and tells whether the process of this
 * machine that a row names is gone. */
void jobs_identity_make(void);
bool jobs_identity_dead(const char *worker);

/* jobs_claim.c: each in a request of its own. Claimed jobs are handed to jobs_execute(). */
int jobs_claim(struct vv_request *req);
int jobs_renew(struct vv_request *req);
int jobs_reap(struct vv_request *req);

/* jobs_record.c: writes down outcomes until none is left, or the database is away. */
int jobs_record(struct vv_request *req);

/* jobs_schedule.c: starts what is due. */
int jobs_schedule(struct vv_request *req);
unsigned jobs_schedules_executing(void);

/* jobs_listen.c: kicks when somebody notifies; comes back by itself, looked at every second. */
void jobs_listen_tick(void);
void jobs_listen_stop(void);

/* jobs.c */
void jobs_execute(struct jobs_run *run);
void jobs_kick(void);
void jobs_ended(void);

#endif
