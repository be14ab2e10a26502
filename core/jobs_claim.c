/* Takes jobs out of the table: claiming, renewing leases, taking back those of the dead. */
#include "jobs_internal.h"

#include "log.h"

#define CLAIM_AT_ONCE 50
#define CLAIM_LOCK    "select pg_advisory_xact_lock(1986359923, 1)" /* "vvjs" */

/*
 * Two of a mutex must never run at once. With SKIP LOCKED and NOT EXISTS alone two claimers were
 * seen to take one each: their snapshots did not show each other's. So claimers take turns (the
 * lock is held for milliseconds), and this is a second statement, whose snapshot is taken when the
 * lock is ours. Rows that an open transaction has locked by enqueuing them again are skipped.
 */
static const char claim_sql[] =
    "with kinds as (select * from jsonb_to_recordset($1::jsonb) as k (kind text, room int)),"
    " due as ("
    "  select d.id, d.mutex, d.run_at from kinds k cross join lateral ("
    "   select j.id, j.mutex, j.run_at from jobs j"
    "   where j.kind = k.kind and j.state = 'ready' and j.run_at <= statement_timestamp()"
    "   and (j.mutex is null or not exists (select 1 from jobs r where r.mutex = j.mutex"
    "        and r.state = 'running'))"
    "   order by j.run_at, j.id limit k.room for update of j skip locked) d),"
    " one_each as ("
    "  select distinct on (coalesce('m' || mutex, 'i' || id)) id, run_at from due"
    "  order by coalesce('m' || mutex, 'i' || id), run_at, id),"
    " chosen as (select id from one_each order by run_at, id limit $4::int)"
    " update jobs set state = 'running', attempts = attempts + 1, worker = $2,"
    "  lease_until = statement_timestamp() + $3::int * interval '1 millisecond',"
    "  changed_at = statement_timestamp()"
    " from chosen where jobs.id = chosen.id"
    " returning jobs.id, jobs.kind, jobs.payload, jobs.attempts";

static struct jobs_kind *claim_kind(const char *name)
{
    for (size_t i = 0; i < jobs_state.kind_count; i++) {
        if (strcmp(jobs_state.kinds[i].job->kind, name) == 0)
            return &jobs_state.kinds[i];
    }
    return NULL;
}

/* [{"kind": …, "room": …}] of what could be run now; false: nothing. */
static bool claim_room(struct vv_buffer *out)
{
    bool some = false;

    for (size_t i = 0; i < jobs_state.kind_count; i++) {
        const struct jobs_kind *kind = &jobs_state.kinds[i];

        if (kind->executing >= kind->concurrency)
            continue;
        vv_buffer_text(out, some ? ",{\"kind\":" : "[{\"kind\":");
        vv_buffer_json(out, kind->job->kind, strlen(kind->job->kind));
        vv_buffer_printf(out, ",\"room\":%u}", kind->concurrency - kind->executing);
        some = true;
    }
    vv_buffer_char(out, ']');
    return some;
}

static void claim_run(const struct vv_rows *rows, size_t row, int64_t lease_end)
{
    struct jobs_run *run = vv_xcalloc(1, sizeof *run);
    const char *payload = jobs_text(rows, row, 2);

    run->kind = claim_kind(jobs_text(rows, row, 1));
    vv_assert(run->kind != NULL);
    run->id = jobs_int(rows, row, 0);
    run->attempt = (uint32_t)jobs_int(rows, row, 3);
    run->payload = vv_xstrdup(payload == NULL ? "{}" : payload);
    run->lease_end = lease_end;
    vv_list_init(&run->link);
    jobs_execute(run);
}

int jobs_claim(struct vv_request *req)
{
    int64_t lease_end = vv_clock_steady() + JOBS_LEASE * INT64_C(1000);
    struct vv_buffer room;
    struct vv_rows *rows;
    struct vv_tx *tx;
    size_t count;

    vv_buffer_init(&room, req->arena);
    if (!claim_room(&room))
        return 0;
    VV_TRY(vv_db_begin(NULL, req, &tx));
    VV_TRY(JOBS_TX_SQL(tx, &rows, CLAIM_LOCK));
    VV_TRY(JOBS_TX_SQL(tx, &rows, claim_sql, VV_JSON(room.data), VV_TEXT(jobs_state.worker),
                       VV_INT(JOBS_LEASE), VV_INT(CLAIM_AT_ONCE)));
    /* An uncertain commit may have claimed them: then they come back when the lease ends. */
    VV_TRY(vv_db_commit(tx));
    count = vv_db_rows_count(rows);
    for (size_t row = 0; row < count; row++)
        claim_run(rows, row, lease_end);
    /* There may be more: of these kinds, or behind jobs that wait for a mutex. */
    if (count > 0)
        jobs_kick();
    return 0;
}

/* ---- leases ---------------------------------------------------------------------------------- */

static void renew_list(struct vv_buffer *out, const struct vv_list *runs, bool *some)
{
    for (const struct vv_list *at = runs->next; at != runs; at = at->next) {
        const struct jobs_run *run = VV_CONTAINER(at, struct jobs_run, link);

        vv_buffer_printf(out, "%s{\"id\":%lld,\"attempts\":%u}", *some ? "," : "",
                         (long long)run->id, run->attempt);
        *some = true;
    }
}

static bool renew_found(const struct vv_rows *rows, int64_t id)
{
    for (size_t row = 0; row < vv_db_rows_count(rows); row++) {
        if (jobs_int(rows, row, 0) == id)
            return true;
    }
    return false;
}

/* Runs that were claimed while the statement was on its way are not in its answer. */
static void renew_apply(const struct vv_list *runs, const struct vv_rows *rows, int64_t began,
                        int64_t lease_end)
{
    for (const struct vv_list *at = runs->next; at != runs; at = at->next) {
        struct jobs_run *run = VV_CONTAINER(at, struct jobs_run, link);

        if (renew_found(rows, run->id))
            run->lease_end = lease_end;
        else if (run->lease_end <= began + JOBS_LEASE * INT64_C(1000))
            run->lost = true;
    }
}

int jobs_renew(struct vv_request *req)
{
    int64_t began = vv_clock_steady();
    struct vv_buffer list;
    struct vv_rows *rows;
    bool some = false;

    vv_buffer_init(&list, req->arena);
    vv_buffer_char(&list, '[');
    renew_list(&list, &jobs_state.executing, &some);
    renew_list(&list, &jobs_state.ended, &some);
    vv_buffer_char(&list, ']');
    if (!some)
        return 0;
    VV_TRY(JOBS_SQL(req, &rows,
                    "update jobs j set lease_until ="
                    "  statement_timestamp() + $3::int * interval '1 millisecond'"
                    " from jsonb_to_recordset($1::jsonb) as r (id bigint, attempts int)"
                    " where j.id = r.id and j.attempts = r.attempts and j.worker = $2"
                    " and j.state = 'running' returning j.id",
                    VV_JSON(list.data), VV_TEXT(jobs_state.worker), VV_INT(JOBS_LEASE)));
    renew_apply(&jobs_state.executing, rows, began, began + JOBS_LEASE * INT64_C(1000));
    renew_apply(&jobs_state.ended, rows, began, began + JOBS_LEASE * INT64_C(1000));
    return 0;
}

/* ---- taking back ----------------------------------------------------------------------------- */

/* ["worker", …] of this machine that are dead: their jobs need not wait for the lease's end. */
static int reap_dead_workers(struct vv_request *req, struct vv_buffer *out)
{
    struct vv_rows *rows;
    bool some = false;

    vv_buffer_char(out, '[');
    VV_TRY(JOBS_SQL(req, &rows, "select distinct worker from jobs where state = 'running'"));
    for (size_t row = 0; row < vv_db_rows_count(rows); row++) {
        const char *worker = jobs_text(rows, row, 0);

        if (worker == NULL || !jobs_identity_dead(worker))
            continue;
        if (some)
            vv_buffer_char(out, ',');
        vv_buffer_json(out, worker, strlen(worker));
        some = true;
    }
    vv_buffer_char(out, ']');
    return 0;
}

static void reap_kinds(struct vv_buffer *out)
{
    vv_buffer_char(out, '[');
    for (size_t i = 0; i < jobs_state.kind_count; i++) {
        vv_buffer_text(out, i == 0 ? "{\"kind\":" : ",{\"kind\":");
        vv_buffer_json(out, jobs_state.kinds[i].job->kind, strlen(jobs_state.kinds[i].job->kind));
        vv_buffer_printf(out, ",\"most\":%u}", jobs_state.kinds[i].attempts);
    }
    vv_buffer_char(out, ']');
}

#define REAP_EXPIRED                                                          \
    "state = 'running' and (lease_until < statement_timestamp() or worker in" \
    " (select jsonb_array_elements_text($1::jsonb)))"

/* Should a job be enqueued under its name in between, the second statement fails, and the next
 * round's first one sees it. A job that kills its worker comes back ever more slowly. */
int jobs_reap(struct vv_request *req)
{
    struct vv_buffer dead, kinds;
    struct vv_rows *rows;
    struct vv_tx *tx;

    vv_buffer_init(&dead, req->arena);
    vv_buffer_init(&kinds, req->arena);
    VV_TRY(reap_dead_workers(req, &dead));
    reap_kinds(&kinds);
    VV_TRY(vv_db_begin(NULL, req, &tx));
    VV_TRY(JOBS_TX_SQL(tx, &rows, CLAIM_LOCK));
    VV_TRY(JOBS_TX_SQL(tx, &rows,
                       "delete from jobs where " REAP_EXPIRED " and unique_name in (select"
                       " r.unique_name from jobs r where r.state = 'ready')",
                       VV_JSON(dead.data)));
    VV_TRY(JOBS_TX_SQL(
        tx, &rows,
        "update jobs set state = case when attempts >= k.most then 'dead' else 'ready' end,"
        " run_at = statement_timestamp() + case when attempts < 2 then interval '0'"
        "  else least(power(2, least(attempts, 20) - 2), 3600) * interval '1 second' end,"
        " last_error = 'the worker that ran it ended', worker = null, lease_until = null,"
        " changed_at = statement_timestamp()"
        " from jsonb_to_recordset($2::jsonb) as k (kind text, most int)"
        " where jobs.kind = k.kind and " REAP_EXPIRED " returning id",
        VV_JSON(dead.data), VV_JSON(kinds.data)));
    VV_TRY(vv_db_commit(tx));
    if (vv_db_rows_count(rows) > 0)
        vv_warning("%zu jobs of workers that ended were taken back", vv_db_rows_count(rows));
    return 0;
}
