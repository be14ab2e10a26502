/* Rates: counts what a caller says, is limited by address and by user, and identifies by itself. */
#include <vv/plugin.h>

static struct vv_rate rate_of(struct vv_request *req)
{
    struct vv_rate rate;

    memset(&rate, 0, sizeof rate);
    rate.count = vv_param_int(req, "count");
    rate.period = vv_param_int(req, "period");
    return rate;
}

static int take(struct vv_request *req)
{
    struct vv_rate rate = rate_of(req);
    struct vv_json *json = vv_object(req);
    struct vv_rate_state state;
    int rc = vv_rate_take(vv_param_text(req, "name"), vv_param_text(req, "key"), &rate,
                          (uint32_t)vv_param_int(req, "amount"), &state);

    vv_put(json, "code", VV_INT(rc));
    if (rc >= 0) {
        vv_put(json, "allowed", VV_BOOL(state.allowed != 0));
        vv_put(json, "remaining", VV_INT(state.remaining));
        vv_put(json, "retry_after", VV_INT(state.retry_after));
        vv_put(json, "reset", VV_INT(state.reset));
    }
    return vv_reply(req, 200, json);
}

static int pass(struct vv_request *req)
{
    return vv_reply_message(req, "passed");
}

/* It knows more of its rates than the core does. */
static int tell(struct vv_request *req)
{
    VV_TRY(vv_reply_header(req, "RateLimit-Policy", "\"mine\";q=7;w=1"));
    VV_TRY(vv_reply_header(req, "RateLimit", "\"mine\";r=6;t=1"));
    return pass(req);
}

/* The handler's own look at the key; the core has asked nobody. */
static int enter(struct vv_request *req)
{
    const char *key = vv_header(req, "X-API-Key");

    if (key != NULL && strcmp(key, "sesame") == 0)
        return vv_reply_message(req, vv_caller(req) == NULL ? "nobody was asked" : "identified");
    return vv_fail(req, 401, "invalid_key", "This key opens nothing");
}

static int challenge(struct vv_request *req)
{
    VV_TRY(vv_reply_header(req, "WWW-Authenticate", "Riddle realm=\"cave\""));
    return vv_fail(req, 401, "no_answer", "Say the word");
}

static const struct vv_field take_query[] = {
    VV_FIELD_TEXT("name", 1, 50, VV_REQUIRED, "Of what"),
    VV_FIELD_TEXT("key", 0, 1000, VV_REQUIRED, "Of whom"),
    VV_FIELD_INT("count", -1, 1000000, 0, "How many pass", .value = "10"),
    VV_FIELD_INT("period", -1, 86400000, 0, "In how many milliseconds", .value = "3600000"),
    VV_FIELD_INT("amount", 0, 4294967295, 0, "How many at once", .value = "1"),
    VV_END,
};

static const struct vv_route routes[] = {
    VV_ROUTE(VV_POST, "/rates/{name}", VV_ANYONE, take, .query = take_query,
             .flags = VV_OPTIONAL_BODY, .summary = "Counts"),
    VV_ROUTE(VV_GET, "/rates/plain", VV_USER, pass, .summary = "Limited as routes of users are"),
    VV_ROUTE(VV_GET, "/rates/other", VV_USER, pass, .summary = "Limited with the one above"),
    VV_ROUTE(VV_GET, "/rates/exports", VV_USER, pass, .limit = "rates_exports",
             .summary = "Limited by user"),
    VV_ROUTE(VV_GET, "/rates/keyed", VV_KEY, pass, .limit = "rates_exports",
             .summary = "Limited by the key's user"),
    VV_ROUTE(VV_GET, "/rates/both", VV_USER, pass, .limit = "rates_visits",
             .summary = "Limited by address and by user"),
    VV_ROUTE(VV_GET, "/rates/told", VV_USER, tell, .summary = "Tells rates of its own"),
    VV_ROUTE(VV_GET, "/rates/enter", VV_KEY, enter, .flags = VV_SELF_IDENTIFIED,
             .summary = "Looks at the key itself"),
    VV_ROUTE(VV_GET, "/rates/riddle", VV_USER, challenge, .flags = VV_SELF_IDENTIFIED,
             .summary = "Asks for something else"),
    VV_END,
};

static const struct vv_limit limits[] = {
    VV_LIMIT("rates_visits", "off", "Visits from one address"),
    VV_USER_LIMIT("rates_exports", "3/h", "Exports of one user"),
    VV_END,
};

VV_PLUGIN(.name = "rates", .version = "1.0.0", .summary = "Counts and limits", .routes = routes,
          .limits = limits)
