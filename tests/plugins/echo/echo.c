/* A plugin of the tests: routes that say back what they got, and some that misbehave. */
#include <vv/plugin.h>

struct conf {
    bool ill;
};

static int echo_body(struct vv_request *req)
{
    struct vv_json *json = vv_object(req);

    vv_put(json, "body", VV_JSON(vv_value_json(req, vv_body(req))));
    return vv_reply(req, 200, json);
}

static int echo_args(struct vv_request *req)
{
    struct vv_json *json = vv_object(req);

    vv_put(json, "args", VV_JSON(vv_value_json(req, vv_args(req))));
    return vv_reply(req, 200, json);
}

static int echo_raw(struct vv_request *req)
{
    size_t length;
    const void *bytes = vv_body_bytes(req, &length);

    return vv_reply_bytes(req, 200, "application/octet-stream", bytes, length);
}

static int echo_info(struct vv_request *req)
{
    struct vv_json *json = vv_object(req);

    vv_put(json, "id", VV_TEXT(vv_info(req, VV_INFO_ID)));
    vv_put(json, "method", VV_TEXT(vv_info(req, VV_INFO_METHOD)));
    vv_put(json, "path", VV_TEXT(vv_info(req, VV_INFO_PATH)));
    vv_put(json, "address", VV_TEXT(vv_info(req, VV_INFO_ADDRESS)));
    vv_put(json, "network", VV_TEXT(vv_info(req, VV_INFO_NETWORK)));
    vv_put(json, "user_agent", VV_TEXT(vv_info(req, VV_INFO_USER_AGENT)));
    vv_put(json, "caller", VV_INT(vv_caller_id(req)));
    return vv_reply(req, 200, json);
}

static int echo_sleep(struct vv_request *req)
{
    VV_TRY(vv_sleep(req, vv_param_int(req, "ms")));
    return vv_reply_message(req, "slept");
}

static int echo_forgotten(struct vv_request *req)
{
    (void)req;
    return VV_DONE;
}

static int echo_broken(struct vv_request *req)
{
    (void)req;
    return VV_ESQL;
}

static int echo_headers(struct vv_request *req)
{
    bool refused = vv_reply_header(req, "X-Split", "a\r\nX-Evil: 1") < 0 &&
                   vv_reply_header(req, "X Name", "a") < 0 &&
                   vv_reply_header(req, "Content-Length", "1") < 0;

    if (vv_reply_header(req, "X-Mine", "yes") < 0 ||
        vv_reply_header(req, "Cache-Control", "max-age=60") < 0)
        return vv_fail(req, 500, "header", "A header was refused");
    return vv_reply_message(req, refused ? "refused" : "taken");
}

static int echo_fields(struct vv_request *req)
{
    vv_fail_field(req, "one", "This is wrong");
    return vv_fail_field(req, "two", "This \"too\"");
}

static int identify(struct vv_request *req, struct vv_event *event)
{
    const struct vv_identify *who = (const struct vv_identify *)event->data;
    struct vv_caller caller = {.size = sizeof caller, .user_id = 7};

    if (who->authorization != NULL && strcmp(who->authorization, "Bearer good") == 0)
        caller.who = VV_USER;
    else if (who->api_key != NULL && strcmp(who->api_key, "good") == 0)
        caller.who = VV_KEY;
    else if (who->authorization != NULL && strcmp(who->authorization, "Bearer revoked") == 0)
        return vv_fail(req, 401, "revoked", "That session has ended");
    else
        return VV_NEXT;
    return vv_set_caller(req, &caller);
}

static int check_ill(struct vv_request *req)
{
    const struct conf *conf = (const struct conf *)vv_conf();

    if (conf->ill)
        return vv_fail(req, 503, "ill", "The echo is hoarse");
    vv_print(req, "clear");
    return 0;
}

static const struct vv_option options[] = {
    VV_OPTION_BOOL(struct conf, ill, "false", 0, "Whether its check fails"),
    VV_END,
};

static const struct vv_field part_fields[] = {
    VV_FIELD_TEXT("name", 1, 10, VV_REQUIRED, "Its name"),
    VV_END,
};

static const struct vv_field body_fields[] = {
    VV_FIELD_TEXT("text", 1, 100, VV_REQUIRED | VV_TRIMMED, "What to say"),
    VV_FIELD_INT("times", 1, 9, 0, "How often", .value = "1"),
    VV_FIELD_EMAIL("email", VV_NULLABLE, "To whom"),
    VV_FIELD_ARRAY("parts", part_fields, 0, "Its parts"),
    VV_END,
};

static const struct vv_field args_fields[] = {
    VV_FIELD_INT("id", 1, 1000, VV_REQUIRED, "Which"),
    VV_FIELD_TEXT("q", 1, 20, 0, "What to look for"),
    VV_END,
};

static const struct vv_field sleep_fields[] = {
    VV_FIELD_INT("ms", 0, 60000, VV_REQUIRED, "How long"),
    VV_END,
};

static const struct vv_route routes[] = {
    VV_ROUTE(VV_POST, "/echo", VV_ANYONE, echo_body, .body = body_fields, .summary = "Body"),
    VV_ROUTE(VV_PATCH, "/echo", VV_ANYONE, echo_body, .body = body_fields,
             .flags = VV_OPTIONAL_BODY, .summary = "Body"),
    VV_ROUTE(VV_POST, "/echo/free", VV_ANYONE, echo_body, .summary = "Any body"),
    VV_ROUTE(VV_POST, "/echo/user", VV_USER, echo_body, .body = body_fields, .summary = "Body"),
    VV_ROUTE(VV_GET, "/echo/args/{id}", VV_ANYONE, echo_args, .query = args_fields,
             .summary = "Arguments"),
    VV_ROUTE(VV_GET, "/echo/path/{name}", VV_ANYONE, echo_args, .summary = "Path"),
    VV_ROUTE(VV_POST, "/echo/raw", VV_ANYONE, echo_raw, .flags = VV_RAW_BODY, .summary = "Bytes"),
    VV_ROUTE(VV_GET, "/echo/info", VV_ANYONE, echo_info, .summary = "The request"),
    VV_ROUTE(VV_GET, "/echo/user", VV_USER, echo_info, .summary = "The request, of a user"),
    VV_ROUTE(VV_GET, "/echo/key", VV_KEY, echo_info, .summary = "The request, of a key"),
    VV_ROUTE(VV_GET, "/echo/sleep", VV_ANYONE, echo_sleep, .query = sleep_fields,
             .summary = "Sleeps"),
    VV_ROUTE(VV_GET, "/echo/nap", VV_ANYONE, echo_sleep, .query = sleep_fields, .deadline = 200,
             .summary = "Sleeps, but not for long"),
    VV_ROUTE(VV_GET, "/echo/forgotten", VV_ANYONE, echo_forgotten, .summary = "Replies nothing"),
    VV_ROUTE(VV_GET, "/echo/broken", VV_ANYONE, echo_broken, .summary = "Fails"),
    VV_ROUTE(VV_GET, "/echo/headers", VV_ANYONE, echo_headers, .summary = "Headers"),
    VV_ROUTE(VV_GET, "/echo/fields", VV_ANYONE, echo_fields, .summary = "Bad fields"),
    VV_ROUTE(VV_GET, "/echo/limited", VV_ANYONE, echo_info, .limit = "echo",
             .summary = "A few an hour"),
    VV_ROUTE(VV_GET, "/echo/hidden", VV_ANYONE, echo_info, .flags = VV_HIDDEN_ROUTE,
             .summary = "Not in the document"),
    VV_END,
};

static const struct vv_limit limits[] = {
    VV_LIMIT("echo", "3/h", "Echoes"),
    VV_END,
};

static const struct vv_hook hooks[] = {
    VV_HOOK("request.identify", VV_PRIORITY_NORMAL, identify),
    VV_END,
};

static const struct vv_check checks[] = {
    VV_CHECK("voice", VV_CHECK_HEALTH, "Whether it can be heard", check_ill),
    VV_END,
};

VV_PLUGIN(.name = "echo", .version = "1.2.3", .summary = "Says back what it got",
          .conf_size = sizeof(struct conf), .options = options, .routes = routes, .limits = limits,
          .hooks = hooks, .checks = checks)
