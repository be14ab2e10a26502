/* Makes the outgoing calls that tests ask for, and shows the sections of two families. */
#include <vv/plugin.h>

#define MOST_HEADERS 16

struct plan {
    const char *name, *secret;
    int64_t price;
    bool popular;
};

static const struct vv_option plan_options[] = {
    VV_OPTION_TEXT(struct plan, name, NULL, VV_REQUIRED, "What people call it"),
    VV_OPTION_INT(struct plan, price, "5", 0, 1000, 0, "What it costs"),
    VV_OPTION_BOOL(struct plan, popular, "off", 0, "Whether it stands out"),
    VV_OPTION_TEXT(struct plan, secret, NULL, VV_SECRET, "A secret"),
    VV_END,
};

static const struct vv_section sections[] = {
    VV_SECTION("plan", struct plan, plan_options, "One for each plan"),
    VV_SECTION("other", struct plan, plan_options, "Another family"),
    VV_END,
};

static int show(struct vv_request *req)
{
    const char *family = vv_param_text(req, "family"), *name;
    struct vv_json *json = vv_object(req);
    size_t i;

    vv_open_array(json, "sections");
    for (i = 0; i < vv_section_count(family); i++) {
        const struct plan *plan = vv_section(family, i, &name);

        vv_open_object(json, NULL);
        vv_put(json, "id", VV_TEXT(name));
        vv_put(json, "name", VV_TEXT(plan->name));
        vv_put(json, "price", VV_INT(plan->price));
        vv_put(json, "popular", VV_BOOL(plan->popular));
        vv_close(json);
    }
    vv_close(json);
    vv_put(json, "past", VV_BOOL(vv_section(family, i, NULL) != NULL));
    return vv_reply(req, 200, json);
}

static const struct vv_http_pair *headers_of(struct vv_request *req, const struct vv_value *list)
{
    struct vv_http_pair *pairs = vv_alloc(req, (MOST_HEADERS + 1) * sizeof *pairs);

    for (size_t i = 0; i < vv_count(list) && i < MOST_HEADERS; i++) {
        pairs[i].name = vv_get_text(vv_at(list, i), "name");
        pairs[i].value = vv_get_text(vv_at(list, i), "value");
    }
    return pairs;
}

static struct vv_http_call call_of(struct vv_request *req, const struct vv_value *from)
{
    const char *body = vv_get_text(from, "body"), *method = vv_get_text(from, "method");
    struct vv_http_call call =
        VV_HTTP_CALL(method == NULL ? "GET" : method, vv_get_text(from, "url"));

    call.retry = (uint32_t)vv_get_int(from, "retry", VV_HTTP_ONCE);
    call.attempts = (uint32_t)vv_get_int(from, "attempts", 0);
    call.timeout = (uint32_t)vv_get_int(from, "timeout", 0);
    call.attempt_timeout = (uint32_t)vv_get_int(from, "attempt_timeout", 0);
    call.max_body = (uint32_t)vv_get_int(from, "max_body", 0);
    call.headers = headers_of(req, vv_get(from, "headers"));
    call.body = body;
    call.body_length = body == NULL ? 0 : strlen(body);
    call.content_type = vv_get_text(from, "content_type");
    call.aws_sigv4 = vv_get_text(from, "aws_sigv4");
    call.user = vv_get_text(from, "user");
    call.password = vv_get_text(from, "password");
    return call;
}

/* {url, method, ..., bare, in_transaction}: with `bare` an error is answered as the server does. */
static int call(struct vv_request *req)
{
    const struct vv_value *from;
    struct vv_http_answer *answer;
    struct vv_http_call call;
    struct vv_json *json;
    struct vv_tx *tx;
    size_t length;
    const void *bytes = vv_body_bytes(req, &length);
    int rc;

    VV_TRY(vv_parse(req, bytes, length, &from));
    call = call_of(req, from);
    if (vv_get_bool(from, "in_transaction", false))
        VV_TRY(vv_begin(req, &tx));
    rc = vv_http_call(req, &call, &answer);
    if (rc < 0 && vv_get_bool(from, "bare", false))
        return rc;
    json = vv_object(req);
    vv_put(json, "code", VV_INT(rc));
    if (rc >= 0) {
        const char *name = vv_get_text(from, "answer_header");

        vv_put(json, "status", VV_INT(vv_answer_status(answer)));
        vv_put(json, "body", VV_TEXT(vv_answer_body(answer, &length)));
        vv_put(json, "length", VV_INT((int64_t)length));
        vv_put(json, "header", VV_TEXT(name == NULL ? NULL : vv_answer_header(answer, name)));
    }
    return vv_reply(req, 200, json);
}

static const struct vv_field show_query[] = {
    VV_FIELD_TEXT("family", 1, 50, VV_REQUIRED, "Which"),
    VV_END,
};

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "/caller/sections", VV_ANYONE, show, .query = show_query,
             .summary = "The sections"),
    VV_ROUTE(VV_POST, "/caller", VV_ANYONE, call, .summary = "One call"),
    VV_ROUTE(VV_POST, "/caller/brief", VV_ANYONE, call, .deadline = 500,
             .summary = "One call in 500 ms"),
    VV_END,
};

VV_PLUGIN(.name = "caller", .version = "1.0.0", .summary = "Calls out as tests want it",
          .routes = routes, .sections = sections)
