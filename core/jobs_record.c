/* Writes down what became of jobs: gone, again later, or dead. */
#include "jobs_internal.h"

#include "log.h"

static void record_free(struct jobs_run *run)
{
    vv_list_remove(&run->link);
    free(run->payload);
    free(run->error);
    free(run);
}

/* Milliseconds before the next attempt: doubling, bounded, and off by up to a fifth either way, so
 * that what failed together does not come back together. */
static int64_t record_backoff(const struct jobs_run *run)
{
    const struct jobs_kind *kind = run->kind;
    int64_t pause = kind->first_backoff;
    uint32_t chance;

    for (uint32_t i = 1; i < run->attempt && pause < kind->last_backoff; i++)
        pause *= 2;
    pause = VV_MIN(pause, (int64_t)kind->last_backoff);
    vv_random_bytes(&chance, sizeof chance);
    return pause * (80 + chance % 41) / 100;
}

static int record_delete(struct vv_request *req, const struct jobs_run *run)
{
    return JOBS_SQL(req, NULL,
                    "delete from jobs where id = $1 and attempts = $2 and worker = $3"
                    " and state = 'running'",
                    VV_INT(run->id), VV_INT(run->attempt), VV_TEXT(jobs_state.worker));
}

static int record_update(struct vv_request *req, const struct jobs_run *run, const char *state,
                         int64_t pause, const char *error)
{
    return JOBS_SQL(req, NULL,
                    "update jobs set state = $4, last_error = $5, worker = null,"
                    " lease_until = null, changed_at = statement_timestamp(),"
                    " run_at = statement_timestamp() + $6::bigint * interval '1 millisecond'"
                    " where id = $1 and attempts = $2 and worker = $3 and state = 'running'",
                    VV_INT(run->id), VV_INT(run->attempt), VV_TEXT(jobs_state.worker),
                    VV_TEXT(state), VV_TEXT(error), VV_INT(pause));
}

static void record_log(const struct jobs_run *run, bool dead, int64_t pause)
{
    if (dead)
        vv_log_line(VV_LOG_ERROR, run->kind->plugin, NULL,
                    "job %lld (%s) is dead after attempt %u: %s", (long long)run->id,
                    run->kind->job->kind, run->attempt, run->error);
    else
        vv_log_line(VV_LOG_WARNING, run->kind->plugin, NULL,
                    "job %lld (%s) failed at attempt %u, next in %lld ms: %s", (long long)run->id,
                    run->kind->job->kind, run->attempt, (long long)pause, run->error);
}

static int record_failure(struct vv_request *req, const struct jobs_run *run)
{
    bool dead = run->given_up || run->attempt >= run->kind->attempts;
    const char *state = dead ? "dead" : "ready";
    int64_t pause = dead ? 0 : record_backoff(run);
    int rc = record_update(req, run, state, pause, run->error);

    /* A reason that the database cannot store must not keep the job from being concluded. */
    if (rc == VV_ESQL)
        rc = record_update(req, run, state, pause, "its reason is no valid text");
    /* One of its name was enqueued while it ran: that one will do the work. */
    if (rc == VV_EUNIQUE)
        return record_delete(req, run);
    if (rc >= 0)
        record_log(run, dead, pause);
    return rc;
}

/* All that ended well, in one statement. They are freed only when it has succeeded. */
static int record_successes(struct vv_request *req)
{
    struct vv_buffer list;
    struct vv_list taken, *at, *next;
    int rc;

    vv_buffer_init(&list, req->arena);
    vv_list_init(&taken);
    for (at = jobs_state.ended.next; at != &jobs_state.ended; at = next) {
        struct jobs_run *run = VV_CONTAINER(at, struct jobs_run, link);

        next = at->next;
        if (run->result < 0 || run->lost)
            continue;
        vv_buffer_printf(&list, "%s{\"id\":%lld,\"attempts\":%u}", list.length == 0 ? "[" : ",",
                         (long long)run->id, run->attempt);
        vv_list_remove(at);
        vv_list_append(&taken, at);
    }
    if (vv_list_empty(&taken))
        return 0;
    vv_buffer_char(&list, ']');
    rc = JOBS_SQL(req, NULL,
                  "delete from jobs j using jsonb_to_recordset($1::jsonb) as r"
                  " (id bigint, attempts int) where j.id = r.id and j.attempts = r.attempts"
                  " and j.worker = $2 and j.state = 'running'",
                  VV_JSON(list.data), VV_TEXT(jobs_state.worker));
    while ((at = vv_list_shift(&taken)) != NULL) {
        struct jobs_run *run = VV_CONTAINER(at, struct jobs_run, link);

        vv_list_init(&run->link);
        if (rc >= 0)
            record_free(run);
        else
            vv_list_append(&jobs_state.ended, &run->link);
    }
    return rc;
}

int jobs_record(struct vv_request *req)
{
    struct vv_list *at;

    VV_TRY(record_successes(req));
    while ((at = jobs_state.ended.next) != &jobs_state.ended) {
        struct jobs_run *run = VV_CONTAINER(at, struct jobs_run, link);

        /* One that succeeded while failures were written down waits for the next round. */
        if (run->result >= 0 && !run->lost) { /* NOLINT(clang-analyzer-unix.Malloc) */
            jobs_kick();
            return 0;
        }
        if (!run->lost)
            VV_TRY(record_failure(req, run));
        record_free(run);
    }
    return 0;
}
