/* Test plugin: a route that takes its time, and a command, checks and metrics to look at. */
#include <vv/plugin.h>

struct conf {
    const char *text;
    bool healthy;
};

enum {
    CALLS = 0,
    WAITING = 1,
};

static int answer(struct vv_request *req)
{
    const struct conf *conf = vv_conf();
    struct vv_json *json;
    int rc;

    vv_metric_add(CALLS, 1);
    vv_metric_add(WAITING, 1);
    rc = vv_sleep(req, vv_param_int(req, "ms"));
    vv_metric_add(WAITING, -1);
    if (rc < 0)
        return rc;
    json = vv_object(req);
    vv_put(json, "text", VV_TEXT(conf->text));
    return vv_reply(req, 200, json);
}

static int echo(struct vv_request *req, int argc, const char *const *argv)
{
    int i;

    if (argc == 0)
        return vv_fail(req, 422, "nothing_to_say", "Say what to echo");
    for (i = 0; i < argc; i++)
        vv_print(req, "%s%s", i == 0 ? "" : " ", argv[i]);
    vv_print(req, "\n");
    return 0;
}

static int nap(struct vv_request *req, int argc, const char *const *argv)
{
    (void)argv;
    vv_print(req, "%d words\n", argc);
    return vv_sleep(req, 1);
}

static int ask(struct vv_request *req, int argc, const char *const *argv)
{
    struct vv_rows *rows;

    (void)argc;
    (void)argv;
    VV_TRY(vv_query(req, &rows, "select 6 * 7 as answer"));
    vv_print(req, "%d\n", (int)vv_row_int(rows, 0, "answer"));
    return 0;
}

static int check_nap(struct vv_request *req)
{
    const struct conf *conf = vv_conf();

    if (!conf->healthy)
        return vv_fail(req, 503, "tired", "It did not sleep well");
    vv_print(req, "slept well");
    return 0;
}

static const struct vv_option options[] = {
    VV_OPTION_TEXT(struct conf, text, "slept", 0, "What /slow answers"),
    VV_OPTION_BOOL(struct conf, healthy, "true", 0, "What its check finds"),
    VV_END,
};

static const struct vv_field query_fields[] = {
    VV_FIELD_INT("ms", 0, 60000, 0, "How long", .value = "0"),
    VV_END,
};

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "/slow", VV_ANYONE, answer, .query = query_fields, .summary = "Answers later"),
    VV_END,
};

static const struct vv_command commands[] = {
    VV_COMMAND("slow", "[WORD...]", "Sleeps for a moment", nap),
    VV_COMMAND("slow echo", "WORD...", "Says it again", echo),
    VV_COMMAND("slow ask", "", "Asks the database", ask),
    VV_END,
};

static const struct vv_check checks[] = {
    VV_CHECK("nap", VV_CHECK_HEALTH, "Whether it slept well", check_nap),
    VV_END,
};

static const struct vv_metric metrics[] = {
    VV_COUNTER("vv_slow_calls_total", NULL, "Calls of /slow"),
    VV_GAUGE("vv_slow_waiting", NULL, "Calls of /slow under way"),
    VV_END,
};

VV_PLUGIN(.name = "slow", .version = "1.0.0", .summary = "Takes its time",
          .conf_size = sizeof(struct conf), .options = options, .routes = routes,
          .commands = commands, .checks = checks, .metrics = metrics)
