/* Puts jobs into the table, and wakes the job worker after the commit. */
#include "jobs_internal.h"

#include "log.h"
#include "process.h"

static bool queue_known(const char *kind)
{
    for (size_t i = 0; i < vv_plugins->enabled_count; i++) {
        const struct vv_self *plugin = vv_plugins->all[i];

        for (size_t j = 0; j < plugin->job_count; j++) {
            if (strcmp(plugin->jobs[j].kind, kind) == 0)
                return true;
        }
    }
    return false;
}

/*
 * Enqueuing a pending one is no mere no-op: DO UPDATE locks its row until this transaction ends, so
 * that nobody runs it before what it is to look at has been committed. If somebody is claiming it
 * just now, this waits, and then inserts a job of its own. A pause after a failure is kept.
 */
int vv_jobs_enqueue(struct vv_self *self, struct vv_tx *tx, const struct vv_enqueue *job)
{
    struct vv_enqueue copy = {.size = sizeof copy};
    int rc;

    memcpy(&copy, job, VV_MIN((size_t)job->size, sizeof copy));
    if (copy.kind == NULL || !queue_known(copy.kind)) {
        vv_log_line(VV_LOG_ERROR, self, vv_db_tx_request(tx),
                    "vv_enqueue(): no plugin that is on runs jobs of kind '%s'",
                    copy.kind == NULL ? "" : copy.kind);
        return vv_request_error(vv_db_tx_request(tx), VV_EINVAL);
    }
    rc = JOBS_TX_SQL(tx, NULL,
                     "insert into jobs (kind, payload, unique_name, mutex, run_at) values ($1,"
                     " $2::jsonb, $3, $4,"
                     " statement_timestamp() + $5::bigint * interval '1 millisecond')"
                     " on conflict (unique_name) where state = 'ready' and unique_name is not null"
                     " do update set run_at = case when jobs.attempts = 0"
                     " then least(jobs.run_at, excluded.run_at) else jobs.run_at end",
                     VV_TEXT(copy.kind), VV_JSON(copy.payload == NULL ? "{}" : copy.payload),
                     VV_TEXT(copy.unique), VV_TEXT(copy.mutex), VV_INT(copy.delay));
    if (rc >= 0)
        vv_db_after_commit(tx, vv_jobs_notify);
    return rc;
}

static int queue_notify(struct vv_request *req, void *arg)
{
    (void)arg;
    /* A statement of its own: inside the transaction it would hold a lock of the whole database
     * through the commit. */
    return JOBS_SQL(req, NULL, "select pg_notify('vv_jobs', '')");
}

static void queue_notified(struct vv_request *req, void *arg, int result)
{
    (void)arg, (void)result;
    vv_request_end(req);
}

/* Nothing depends on its arriving: the job worker looks every second anyway. */
void vv_jobs_notify(void)
{
    struct vv_request *req;

    if (vv_worker_role() == VV_ROLE_JOBS || vv_worker_role() == VV_ROLE_SINGLE) {
        jobs_kick();
        return;
    }
    req = vv_request_new(VV_UNIT_START, NULL, "jobs", 5000);
    if (vv_request_spawn(req, queue_notify, queue_notified, NULL) != 0)
        vv_request_end(req);
}
