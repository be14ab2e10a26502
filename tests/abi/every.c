/* A plugin that uses every macro and every function of the SDK, as C11 and as C++17 alike. */
#include <vv/auth.h>
#include <vv/entitlements.h>
#include <vv/mail.h>
#include <vv/plugin.h>
#include <vv/subscriptions.h>

struct conf {
    const char *text;
    const char *path;
    const char *url;
    int64_t number;
    int64_t size;
    int64_t duration;
    int64_t choice;
    const char *const *list;
    struct vv_rate rate;
    bool flag;
};

static const struct vv_option options[] = {
    VV_OPTION_TEXT(struct conf, text, "text", VV_REQUIRED, "A text"),
    VV_OPTION_PATH(struct conf, path, NULL, VV_RELOADABLE, "A path"),
    VV_OPTION_URL(struct conf, url, "https://example.com", "http|https", 0, "A URL"),
    VV_OPTION_INT(struct conf, number, "7", 1, 10, VV_RELOADABLE | VV_DEPRECATED, "A number"),
    VV_OPTION_SIZE(struct conf, size, "2M", 1, 1 << 30, 0, "A size"),
    VV_OPTION_DURATION(struct conf, duration, "15m", 0, 0, 0, "A duration"),
    VV_OPTION_ENUM(struct conf, choice, "a", "a|b", 0, "A choice"),
    VV_OPTION_LIST(struct conf, list, "a, b", 0, "A list"),
    VV_OPTION_RATE(struct conf, rate, "600/m", 0, "A rate"),
    VV_OPTION_BOOL(struct conf, flag, "on", 0, "A flag"),
    VV_END,
};

static const struct vv_field inner[] = {
    VV_FIELD_TEXT("name", 1, 50, VV_REQUIRED | VV_TRIMMED | VV_ONE_LINE, "A name"),
    VV_END,
};

static const struct vv_field body[] = {
    VV_FIELD_INT("number", 1, 100, 0, "A number", VV_SET(value, "20")),
    VV_FIELD_REAL("real", 0, 1, 0, "A share"),
    VV_FIELD_BOOL("flag", 0, "A flag"),
    VV_FIELD_EMAIL("email", VV_NULLABLE, "An address"),
    VV_FIELD_TIME("when", 0, "A time"),
    VV_FIELD_ENUM("mood", "good|bad", 0, "A mood"),
    VV_FIELD_OBJECT("object", inner, 0, "An object"),
    VV_FIELD_ARRAY("array", inner, 0, "An array"),
    VV_END,
};

struct family {
    int64_t price;
};

static const struct vv_option family_options[] = {
    VV_OPTION_INT(struct family, price, "1", 0, 100, 0, "A price"),
    VV_END,
};

static const struct vv_section sections[] = {
    VV_SECTION("everything", struct family, family_options, "As many as there are"),
    VV_END,
};

static const struct vv_batch batch = VV_BATCH("every", VV_BATCH_READ, "select 1 as n");
static const struct vv_batch patient =
    VV_BATCH("every patient", VV_BATCH_WAITS | VV_BATCH_ENQUEUES, "select 1 as n");

static int turn(struct vv_request *step, void *arg)
{
    (void)step;
    (void)arg;
    return 0;
}

static void nothing(void *arg)
{
    (void)arg;
}

static int answers(struct vv_request *req, struct vv_rows *rows)
{
    if (vv_rows_count(rows) == 1)
        return vv_reply_row(req, 200, rows, 0);
    if (vv_rows_affected(rows) == 2)
        return vv_reply_rows(req, 200, "rows", rows);
    if (vv_row_null(rows, 0, "a") || vv_row_bool(rows, 0, "b") || vv_row_int(rows, 0, "c") == 3)
        return vv_reply_message(req, vv_row_text(rows, 0, "d"));
    if (vv_row(rows, 0, "e").type == VV_TYPE_REAL)
        return vv_reply_bytes(req, 200, "text/plain", "e", 1);
    return vv_fail(req, 500, "odd", "SQLSTATE %s", vv_sqlstate(req));
}

static int rates(struct vv_request *req)
{
    const struct conf *conf = (const struct conf *)vv_conf();
    struct vv_rate_state state;

    if (!VV_HAS(rate_take))
        return VV_NEXT;
    VV_TRY(vv_rate_take("every", vv_info(req, VV_INFO_NETWORK), &conf->rate, 1, &state));
    if (state.allowed == 0 && state.remaining == 0 && state.reset >= state.retry_after)
        return vv_fail(req, 429, "rate_limited", "Wait");
    return VV_NEXT;
}

static int decides(struct vv_request *req, struct vv_tx *tx)
{
    static const uint8_t digest[VV_CREDENTIAL_BYTES] = {1};
    struct vv_ask ask = VV_ASK(0, "every/endpoint", VV_COST_MAX);
    struct vv_verdict verdict;

    ask.flags = VV_ASK_UNRATED;
    ask.credential = digest;
    if (vv_entitlements() == NULL || strlen(ask.endpoint) > VV_ENDPOINT_MAX)
        return rates(req);
    VV_TRY(vv_entitlements()->decide(req, &ask, &verdict));
    VV_TRY(vv_entitlements()->decide_in(tx, &ask, &verdict));
    VV_TRY(vv_entitlements()->peek(req, vv_caller_id(req), &verdict));
    if (verdict.outcome == VV_ALLOWED && verdict.limit == VV_UNLIMITED && verdict.used > 0)
        return vv_reply_message(req, verdict.plan_id);
    return vv_entitlements()->answer(req, &verdict);
}

static int statements(struct vv_request *req)
{
    static const char bytes[] = {1, 2};
    struct vv_enqueue job = VV_ENQUEUE("every.job", NULL);
    struct vv_mail_message message = VV_MAIL("a@example.com", "every/mail", "{}");
    struct vv_event event;
    struct vv_rows *rows = NULL;
    struct vv_tx *tx = NULL;

    VV_TRY(vv_query(req, &rows, "select 1"));
    VV_TRY(vv_write(req, &rows, "insert", VV_INT(1), VV_BOOL(true), VV_REAL(0.5), VV_TEXT("t")));
    VV_TRY(vv_exec(req, "delete", VV_NULL(), VV_TIME(0), VV_BYTES(bytes, sizeof bytes)));
    VV_TRY(vv_query_slow(req, &rows, "select $1", VV_JSON("{}")));
    VV_TRY(vv_batch_query(req, &batch, &rows, VV_TEXT_N("text", 2)));
    VV_TRY(vv_batch_query(req, &patient, &rows, VV_INT(1)));
    VV_TRY(vv_query_params(req, VV_LANE_READ, &rows, "select 1", NULL, 0));
    VV_TRY(vv_batch_params(req, &batch, &rows, NULL, 0));
    VV_TRY(vv_begin(req, &tx));
    VV_TRY(vv_tx_query(tx, &rows, "select $1", VV_INT(1)));
    VV_TRY(vv_tx_exec(tx, "delete"));
    VV_TRY(vv_tx_query_params(tx, &rows, "select 1", NULL, 0));
    VV_TRY(vv_enqueue(tx, &job));
    vv_log(req, VV_LOG_DEBUG, "%s %s", vv_mail_date(req, 0), vv_mail_link(req, "/every"));
    if (vv_mail() != NULL)
        VV_TRY(vv_mail()->send(tx, &message));
    event = VV_EVENT("every.event", tx, NULL, NULL);
    VV_TRY(vv_emit(vv_tx_request(tx), &event));
    VV_TRY(decides(req, tx));
    if (vv_auth() == NULL || !vv_auth()->verification_required())
        return vv_rollback(tx);
    VV_TRY(vv_commit(tx));
    return answers(req, rows);
}

static int calls(struct vv_request *req)
{
    struct vv_http_call call = VV_HTTP_CALL("GET", "https://example.com");
    struct vv_http_answer *answer = NULL;
    const char *name = NULL;

    if (vv_section_count("everything") > 0 && vv_section("everything", 0, &name) != NULL)
        vv_log(req, VV_LOG_INFO, "%s", name);
    VV_TRY(vv_http_call(req, &call, &answer));
    if (vv_answer_status(answer) == 200 && vv_answer_header(answer, "etag") != NULL)
        return vv_reply_message(req, vv_answer_body(answer, NULL));
    return vv_plans() == NULL && vv_subscriptions() == NULL ? VV_NEXT : VV_EUNAVAILABLE;
}

static int writes(struct vv_request *req, const struct vv_value *value)
{
    struct vv_json *json = vv_object(req);

    vv_put(json, "value", vv_value_param(vv_get(value, "value")));
    vv_open_object(json, "object");
    vv_put_row(json, NULL, 0);
    vv_close(json);
    vv_open_array(json, "array");
    vv_put_rows(json, NULL, NULL);
    vv_close(json);
    if (vv_has(value, "text") && vv_get_bool(value, "flag", false) &&
        vv_get_int(value, "n", 1) == 1)
        vv_put(json, "text", VV_TEXT(vv_get_text(value, "text")));
    if (vv_count(value) > 0 && vv_value_json(req, vv_at(value, 0)) != NULL)
        return vv_reply_message(req, vv_json_text(vv_array(req)));
    return vv_reply(req, 200, json);
}

static int reads(struct vv_request *req)
{
    const struct conf *conf = (const struct conf *)vv_conf();
    struct vv_caller caller = VV_CALLER(VV_USER, 1);
    const struct vv_value *value = NULL;
    size_t length = 0;

    if (vv_body_has(req, "flag") && vv_body_bool(req, "flag") && vv_body_int(req, "number") > 0)
        return vv_fail(req, 409, "flagged", "%s", vv_body_text(req, "mood"));
    if (vv_body_bytes(req, &length) != NULL && length > 1 && vv_header(req, "accept") == NULL)
        return vv_fail_field(req, "number", "is odd");
    if (vv_caller(req) == NULL || vv_caller_id(req) == 0)
        return vv_set_caller(req, &caller);
    VV_TRY(vv_reply_header(req, "X-Every", vv_info(req, VV_INFO_ID)));
    VV_TRY(vv_parse(req, "{}", 2, &value));
    if (vv_param_int(req, "number") == conf->number && vv_args(req) != NULL)
        vv_log(req, VV_LOG_DEBUG, "%s", vv_param_text(req, "text"));
    VV_TRY(calls(req));
    VV_TRY(vv_step(req, turn, NULL));
    VV_TRY(vv_sleep(req, 1));
    VV_TRY(vv_offload(req, VV_POOL_BLOCK, nothing, NULL));
    VV_TRY(vv_defer(req, nothing, NULL));
    return writes(req, vv_body(req));
}

static int schedule(struct vv_request *req)
{
    vv_metric_add(0, 1);
    return VV_HAS(enqueue) && vv_param_real(VV_REAL(1)) > 0 ? statements(req) : 0;
}

static int run_job(struct vv_request *req, const struct vv_job_run *run)
{
    return run->attempt > 1 ? vv_job_give_up(req, vv_strdup(req, "too late")) : 0;
}

static int command(struct vv_request *req, int argc, const char *const *argv)
{
    vv_print(req, "%s", argc > 0 ? argv[0] : vv_printf(req, "%d", argc));
    return 0;
}

static int hook(struct vv_request *req, struct vv_event *event)
{
    const struct vv_user_event *user = vv_event_user(event);

    (void)req;
    if (vv_event_access(event) != NULL && vv_event_access(event)->granted)
        return VV_DONE;
    return user != NULL && user->verified ? VV_DONE : VV_NEXT;
}

static const struct vv_route routes[] = {
    VV_ROUTE(VV_POST, "/every", VV_ANYONE, reads, VV_SET(body, body),
             VV_SET(flags, VV_OPTIONAL_BODY), VV_SET(limit, "every"),
             VV_SET(summary, "Everything")),
    VV_ROUTE(VV_GET, "/every", VV_ANYONE, statements, VV_SET(summary, "Every statement")),
    VV_ROUTE(VV_GET, "/every/user", VV_USER, reads, VV_SET(limit, "every_user"),
             VV_SET(summary, "Every user")),
    VV_ROUTE(VV_GET, "/every/key", VV_KEY, reads, VV_SET(flags, VV_SELF_IDENTIFIED),
             VV_SET(summary, "Every key")),
    VV_END,
};

static const struct vv_hook hooks[] = {VV_HOOK("every.event", VV_PRIORITY_NORMAL, hook), VV_END};
static const struct vv_job jobs[] = {VV_JOB("every.job", run_job, VV_SET(attempts, 3)), VV_END};
static const struct vv_schedule schedules[] = {VV_SCHEDULE("every.day", 86400000, schedule),
                                               VV_END};
static const struct vv_command commands[] = {
    VV_COMMAND("every command", "[WORD]", "Prints it", command),
    VV_END,
};
static const struct vv_check checks[] = {
    VV_CHECK("every", VV_CHECK_HEALTH, "Is always well", schedule),
    VV_END,
};
static const struct vv_metric metrics[] = {
    VV_COUNTER("every_total", NULL, "A counter"),
    VV_GAUGE("every_level", "kind=\"all\"", "A gauge"),
    VV_END,
};
static const struct vv_limit limits[] = {
    VV_LIMIT("every", "30/m", "A limit"),
    VV_USER_LIMIT("every_user", "5/h", "A limit of users"),
    VV_END,
};

struct every_service {
    struct vv_service base;
};

static const struct every_service service = {{(uint32_t)sizeof(struct every_service), 1, 0}};

static int init(struct vv_request *req)
{
    static const struct vv_credential_source source = {
        (uint32_t)sizeof(struct vv_credential_source), "select 1"};

    if (vv_entitlements() != NULL)
        VV_TRY(vv_entitlements()->credentials(&source));
    if (vv_server_option("public_url") != NULL && vv_service("auth/1") != NULL)
        vv_log(req, VV_LOG_INFO, "%s", (const char *)vv_alloc(req, 1));
    return vv_publish("every/1", &service.base);
}

static int start(struct vv_request *req)
{
    return vv_step(req, turn, NULL);
}

static void stop(void)
{
}

VV_PLUGIN(VV_SET(name, "every"), VV_SET(version, "1.0.0"), VV_SET(summary, "Uses everything"),
          VV_SET(depends, "auth/1?, mail/1?, plans/1?, subscriptions/1?, entitlements/1?"),
          VV_SET(provides, "every/1"), VV_SET(conf_size, sizeof(struct conf)),
          VV_SET(options, options), VV_SET(routes, routes), VV_SET(hooks, hooks),
          VV_SET(jobs, jobs), VV_SET(schedules, schedules), VV_SET(commands, commands),
          VV_SET(checks, checks), VV_SET(metrics, metrics), VV_SET(limits, limits),
          VV_SET(sections, sections), VV_SET(init, init), VV_SET(start, start), VV_SET(stop, stop))
