/* Jobs and schedules: work that outlives its request, is tried again, or given up. */
#include <vv/plugin.h>

/* Fails as often as its payload says, then writes its word down. */
static int note(struct vv_request *req, const struct vv_job_run *run)
{
    if ((int64_t)run->attempt <= vv_get_int(run->payload, "failures", 0))
        return vv_fail(req, 503, "not_yet", "Attempt %u of %u", run->attempt, run->attempts);
    return vv_exec(req, "insert into noted (word, attempt) values ($1, $2)",
                   VV_TEXT(vv_get_text(run->payload, "word")), VV_INT(run->attempt));
}

static int tick(struct vv_request *req)
{
    return vv_exec(req, "insert into noted (word, attempt) values ('tick', 0)");
}

static int enqueue(struct vv_request *req)
{
    struct vv_enqueue job = VV_ENQUEUE("tasks.note", vv_value_json(req, vv_body(req)));
    struct vv_tx *tx;

    job.unique = vv_body_text(req, "unique");
    VV_TRY(vv_begin(req, &tx));
    VV_TRY(vv_enqueue(tx, &job));
    if (vv_body_bool(req, "abandon"))
        return vv_fail(req, 418, "abandoned", "Neither the change nor its job");
    VV_TRY(vv_commit(tx));
    return vv_reply_message(req, "enqueued");
}

static const struct vv_field task_fields[] = {
    VV_FIELD_TEXT("word", 1, 20, VV_REQUIRED, "What to write down"),
    VV_FIELD_INT("failures", 0, 10, 0, "How often it fails first"),
    VV_FIELD_TEXT("unique", 1, 20, 0, "A name that is pending once"),
    VV_FIELD_BOOL("abandon", 0, "Whether to roll back"),
    VV_END,
};

static const struct vv_route routes[] = {
    VV_ROUTE(VV_POST, "/tasks", VV_ANYONE, enqueue, .body = task_fields, .summary = "Enqueues"),
    VV_END,
};

static const struct vv_job jobs[] = {
    VV_JOB("tasks.note", note, .attempts = 3, .first_backoff = 20, .last_backoff = 50),
    VV_END,
};

static const struct vv_schedule schedules[] = {
    VV_SCHEDULE("tasks.tick", 1000, tick),
    VV_END,
};

VV_PLUGIN(.name = "tasks", .version = "1", .summary = "Works behind requests", .routes = routes,
          .jobs = jobs, .schedules = schedules)
