/* Jobs that do what their payload says, and write down when they ran in a table of the test's. */
#include <vv/db.h>
#include <vv/plugin.h>

/* payload: {"tag", "sleep" (ms), "then": "succeed" | "fail" | "give_up", "times" (failures)} */
static int run_job(struct vv_request *req, const struct vv_job_run *run)
{
    const char *then = vv_get_text(run->payload, "then");
    int64_t times = vv_get_int(run->payload, "times", INT32_MAX);
    struct vv_rows *rows;

    VV_TRY(vv_write(req, &rows,
                    "insert into jobtest_runs (job, attempt, tag) values ($1, $2, $3)"
                    " returning id",
                    VV_INT(run->id), VV_INT(run->attempt),
                    VV_TEXT(vv_get_text(run->payload, "tag"))));
    VV_TRY(vv_sleep(req, vv_get_int(run->payload, "sleep", 0)));
    VV_TRY(vv_exec(req, "update jobtest_runs set ended_at = clock_timestamp() where id = $1",
                   VV_INT(vv_row_int(rows, 0, "id"))));
    if (then != NULL && strcmp(then, "give_up") == 0)
        return vv_job_give_up(req, "this cannot be done");
    if (then != NULL && strcmp(then, "fail") == 0 && run->attempt <= times)
        return vv_fail(req, 503, "jobtest_failed", "failed on purpose");
    return 0;
}

static int tick(struct vv_request *req)
{
    return vv_exec(req, "insert into jobtest_runs (tag) values ('tick')");
}

static int enqueue(struct vv_request *req)
{
    struct vv_enqueue job = VV_ENQUEUE(vv_body_text(req, "kind"), vv_body_text(req, "payload"));
    struct vv_tx *tx;

    job.unique = vv_body_text(req, "unique");
    job.mutex = vv_body_text(req, "mutex");
    job.delay = vv_body_int(req, "delay");
    VV_TRY(vv_begin(req, &tx));
    for (int64_t i = 0; i < vv_body_int(req, "count"); i++)
        VV_TRY(vv_enqueue(tx, &job));
    if (vv_body_bool(req, "roll_back"))
        VV_TRY(vv_rollback(tx));
    else
        VV_TRY(vv_commit(tx));
    return vv_reply_message(req, "enqueued");
}

/* Enqueues, and goes on in the transaction for a while before it writes what the job looks at. */
static int enqueue_then_write(struct vv_request *req)
{
    struct vv_enqueue job = VV_ENQUEUE("jobtest.look", "{}");
    struct vv_rows *rows;
    struct vv_tx *tx;

    job.unique = "look";
    VV_TRY(vv_begin(req, &tx));
    VV_TRY(vv_enqueue(tx, &job));
    VV_TRY(vv_tx_query(tx, &rows, "select pg_sleep(1.6)"));
    VV_TRY(vv_tx_exec(tx, "insert into jobtest_seen (seen) values (false)"));
    VV_TRY(vv_commit(tx));
    return vv_reply_message(req, "written");
}

static int look(struct vv_request *req, const struct vv_job_run *run)
{
    (void)run;
    return vv_exec(req, "update jobtest_seen set seen = true");
}

/* As a webhook's intake does it: rows and their jobs in one statement, those that are there already
 * left alone. */
static const struct vv_batch store =
    VV_BATCH("store", VV_BATCH_ENQUEUES,
             "with given as ("
             "  select * from unnest($1::text[], $2::text[]) with ordinality as t (id, mutex, n)),"
             " stored as ("
             "  insert into jobtest_stored (id, mutex) select id, mutex from given"
             "  order by id on conflict do nothing returning id, mutex),"
             " enqueued as ("
             "  select vv_enqueue_jobs(array_agg('jobtest.run'::text),"
             "   array_agg(jsonb_build_object('tag', id)), array_agg(id), array_agg(mutex)) as jobs"
             "  from stored)"
             " select n, jobs from given, enqueued");

static int store_one(struct vv_request *req)
{
    struct vv_rows *rows;

    VV_TRY(vv_batch_query(req, &store, &rows, VV_TEXT(vv_body_text(req, "id")),
                          VV_TEXT(vv_body_text(req, "mutex"))));
    return vv_reply_row(req, 200, rows, 0);
}

static const struct vv_field store_body[] = {
    VV_FIELD_TEXT("id", 1, 100, VV_REQUIRED, "Whose row"),
    VV_FIELD_TEXT("mutex", 1, 100, VV_NULLABLE, "Mutex of its job"),
    VV_END,
};

static const struct vv_field enqueue_body[] = {
    VV_FIELD_TEXT("kind", 1, 100, VV_REQUIRED, "Kind"),
    VV_FIELD_TEXT("payload", 2, 1000, VV_REQUIRED, "Payload, as a JSON text"),
    VV_FIELD_TEXT("unique", 1, 100, VV_NULLABLE, "Name"),
    VV_FIELD_TEXT("mutex", 1, 100, VV_NULLABLE, "Mutex"),
    VV_FIELD_INT("delay", 0, 100000, 0, "Milliseconds"),
    VV_FIELD_INT("count", 1, 1000, 0, "How many", VV_SET(value, "1")),
    VV_FIELD_BOOL("roll_back", 0, "Whether the transaction fails"),
    VV_END,
};

static const struct vv_route routes[] = {
    VV_ROUTE(VV_POST, "/jobtest", VV_ANYONE, enqueue, VV_SET(body, enqueue_body),
             VV_SET(summary, "Enqueues a job")),
    VV_ROUTE(VV_POST, "/jobtest/store", VV_ANYONE, store_one, VV_SET(body, store_body),
             VV_SET(summary, "A row and its job, in a batch")),
    VV_ROUTE(VV_POST, "/jobtest/look", VV_ANYONE, enqueue_then_write,
             VV_SET(flags, VV_OPTIONAL_BODY), VV_SET(summary, "Enqueues, waits, writes")),
    VV_END,
};

static const struct vv_job jobs[] = {
    VV_JOB("jobtest.run", run_job, VV_SET(attempts, 3), VV_SET(first_backoff, 200),
           VV_SET(last_backoff, 400), VV_SET(timeout, 60000)),
    VV_JOB("jobtest.slow", run_job, VV_SET(attempts, 3), VV_SET(first_backoff, 60000)),
    VV_JOB("jobtest.short", run_job, VV_SET(timeout, 300), VV_SET(attempts, 1)),
    VV_JOB("jobtest.look", look, VV_SET(attempts, 3)),
    VV_END,
};

static const struct vv_schedule schedules[] = {
    VV_SCHEDULE("jobtest.tick", 2000, tick),
    VV_END,
};

VV_PLUGIN(.name = "jobtest", .version = "1.0.0", .summary = "Jobs for tests", .routes = routes,
          .jobs = jobs, .schedules = schedules)
