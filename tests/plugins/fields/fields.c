/* Routes and fields: echoes what the schema made of path, query and body. */
#include <vv/plugin.h>

static const struct vv_field item_fields[] = {
    VV_FIELD_TEXT("name", 1, 10, VV_REQUIRED | VV_TRIMMED | VV_ONE_LINE, "What it is called"),
    VV_FIELD_INT("count", 1, 9, 0, "How many", .value = "1"),
    VV_END,
};

static const struct vv_field echo_body[] = {
    VV_FIELD_TEXT("text", 2, 5, VV_REQUIRED, "Two to five characters"),
    VV_FIELD_INT("number", -5, 5, 0, "Near zero"),
    VV_FIELD_REAL("real", 0, 1, 0, "A share"),
    VV_FIELD_BOOL("flag", 0, "Yes or no"),
    VV_FIELD_EMAIL("email", VV_NULLABLE, "An address"),
    VV_FIELD_ENUM("mood", "good|bad", 0, "How it feels", .value = "good"),
    VV_FIELD_TIME("when", 0, "A moment"),
    VV_FIELD_OBJECT("item", item_fields, 0, "One thing"),
    VV_FIELD_ARRAY("items", item_fields, 0, "Several things"),
    VV_END,
};

static const struct vv_field echo_query[] = {
    VV_FIELD_INT("id", 1, 1000, VV_REQUIRED, "From the path"),
    VV_FIELD_TEXT("q", 0, 10, 0, "From the query string", .value = "nothing"),
    VV_END,
};

static int echo(struct vv_request *req)
{
    struct vv_json *json = vv_object(req);

    vv_put(json, "args", VV_JSON(vv_value_json(req, vv_args(req))));
    vv_put(json, "body", VV_JSON(vv_value_json(req, vv_body(req))));
    vv_put(json, "method", VV_TEXT(vv_info(req, VV_INFO_METHOD)));
    vv_put(json, "path", VV_TEXT(vv_info(req, VV_INFO_PATH)));
    return vv_reply(req, 201, json);
}

static int raw(struct vv_request *req)
{
    size_t length;
    const void *bytes = vv_body_bytes(req, &length);

    VV_TRY(vv_reply_header(req, "X-Seen", vv_header(req, "x-shown")));
    return vv_reply_bytes(req, 200, "application/octet-stream", bytes, length);
}

static int optional(struct vv_request *req)
{
    return vv_reply_message(req, vv_body_has(req, "mood") ? vv_body_text(req, "mood") : "none");
}

static const struct vv_field mood_body[] = {
    VV_FIELD_ENUM("mood", "good|bad", 0, "How it feels"),
    VV_END,
};

static int refuse(struct vv_request *req)
{
    if (vv_has(vv_args(req), "q"))
        return vv_fail(req, 409, "taken", "The word '%s' is taken", vv_param_text(req, "q"));
    vv_fail_field(req, "one", "is bad");
    return vv_fail_field(req, "two", "is worse");
}

static const struct vv_field refuse_query[] = {
    VV_FIELD_TEXT("q", 0, 10, 0, "A word"),
    VV_END,
};

static const struct vv_route routes[] = {
    VV_ROUTE(VV_POST, "/fields/{id}", VV_ANYONE, echo, .query = echo_query, .body = echo_body,
             .summary = "Echoes"),
    VV_ROUTE(VV_PUT, "/fields/raw", VV_ANYONE, raw, .flags = VV_RAW_BODY,
             .summary = "Echoes bytes"),
    VV_ROUTE(VV_POST, "/fields/optional", VV_ANYONE, optional, .body = mood_body,
             .flags = VV_OPTIONAL_BODY, .summary = "Takes a body or none"),
    VV_ROUTE(VV_GET, "/fields/refuse", VV_ANYONE, refuse, .query = refuse_query,
             .summary = "Always refuses"),
    VV_ROUTE(VV_GET, "/fields/limited", VV_ANYONE, optional, .limit = "fields_test",
             .summary = "A few calls from one address"),
    VV_END,
};

static const struct vv_limit limits[] = {VV_LIMIT("fields_test", "3/h", "For a test"), VV_END};

VV_PLUGIN(.name = "fields", .version = "1", .summary = "Echoes what schemas make of requests",
          .routes = routes, .limits = limits)
