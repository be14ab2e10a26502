/* Lives on "entitlements/1": decides about calls of any user, and says what came of it. */
#include <vv/entitlements.h>
#include <vv/plugin.h>

static const char *const outcomes[] = {"allowed", "unknown_caller", "no_access", "over_quota",
                                       "over_rate"};

static void put_verdict(struct vv_json *json, const struct vv_verdict *verdict)
{
    vv_put(json, "outcome", VV_TEXT(outcomes[verdict->outcome]));
    if (verdict->outcome == VV_UNKNOWN_CALLER)
        return;
    vv_put(json, "user_id", VV_INT(verdict->user_id));
    vv_put(json, "credential_id", VV_INT(verdict->credential_id));
    vv_put(json, "email", VV_TEXT(verdict->email));
    vv_put(json, "plan_id", VV_TEXT(verdict->plan_id));
    vv_put(json, "status", VV_TEXT(verdict->status));
    vv_put(json, "used", VV_INT(verdict->used));
    vv_put(json, "limit", verdict->limit == VV_UNLIMITED ? VV_NULL() : VV_INT(verdict->limit));
    vv_put(json, "period_start", VV_TIME(verdict->period_start));
    vv_put(json, "period_end", VV_TIME(verdict->period_end));
    vv_put(json, "ends_at", verdict->ends_at == 0 ? VV_NULL() : VV_TIME(verdict->ends_at));
    vv_put(json, "rate_count", VV_INT(verdict->rate_count));
    vv_put(json, "rate_remaining", VV_INT(verdict->rate_remaining));
    vv_put(json, "rate_reset", VV_INT(verdict->rate_reset));
    vv_put(json, "rate_retry", VV_INT(verdict->rate_retry));
}

/* Alone in a transaction, which then ends as it is told to. */
static int decide_inside(struct vv_request *req, const struct vv_ask *ask,
                         struct vv_verdict *ret_verdict)
{
    struct vv_tx *tx;

    VV_TRY(vv_begin(req, &tx));
    VV_TRY(vv_entitlements()->decide_in(tx, ask, ret_verdict));
    return strcmp(vv_body_text(req, "inside"), "commit") == 0 ? vv_commit(tx) : vv_rollback(tx);
}

static int decide(struct vv_request *req)
{
    struct vv_ask ask =
        VV_ASK(vv_body_int(req, "user"), vv_body_text(req, "endpoint"), vv_body_int(req, "cost"));
    struct vv_json *json = vv_object(req);
    struct vv_verdict verdict = {.size = 0};
    int64_t allowed = 0;

    if (vv_body_bool(req, "unrated"))
        ask.flags = VV_ASK_UNRATED;
    for (int64_t turn = 0; turn < vv_body_int(req, "times"); turn++) {
        if (vv_body_has(req, "inside"))
            VV_TRY(decide_inside(req, &ask, &verdict));
        else
            VV_TRY(vv_entitlements()->decide(req, &ask, &verdict));
        allowed += verdict.outcome == VV_ALLOWED;
    }
    if (verdict.outcome > VV_OVER_RATE)
        return vv_fail(req, 500, "no_outcome", "%u is no outcome", verdict.outcome);
    if (vv_body_bool(req, "answer"))
        VV_TRY(vv_entitlements()->answer(req, &verdict));
    put_verdict(json, &verdict);
    vv_put(json, "times_allowed", VV_INT(allowed));
    return vv_reply(req, 200, json);
}

static int peek(struct vv_request *req)
{
    struct vv_json *json = vv_object(req);
    struct vv_verdict verdict;

    VV_TRY(vv_entitlements()->peek(req, vv_body_int(req, "user"), &verdict));
    put_verdict(json, &verdict);
    return vv_reply(req, 200, json);
}

static const struct vv_field decide_body[] = {
    VV_FIELD_INT("user", 0, 0, VV_REQUIRED, "Who calls"),
    VV_FIELD_INT("cost", 0, 0, 0, "What each call costs", .value = "1"),
    VV_FIELD_TEXT("endpoint", 0, 0, VV_NULLABLE, "What is called"),
    VV_FIELD_INT("times", 1, 100000, 0, "How many calls, one after the other", .value = "1"),
    VV_FIELD_ENUM("inside", "commit|rollback", 0, "Each in a transaction that ends like this"),
    VV_FIELD_BOOL("unrated", 0, "Without [usage] rate_limit"),
    VV_FIELD_BOOL("answer", 0, "Answers as a caller would be answered"),
    VV_END,
};

static const struct vv_field peek_body[] = {
    VV_FIELD_INT("user", 0, 0, VV_REQUIRED, "Who would call"),
    VV_END,
};

static const struct vv_route routes[] = {
    VV_ROUTE(VV_POST, "/decider/decide", VV_ANYONE, decide, .body = decide_body,
             .summary = "Decides about calls; answers the last verdict"),
    VV_ROUTE(VV_POST, "/decider/peek", VV_ANYONE, peek, .body = peek_body,
             .summary = "What would be decided"),
    VV_END,
};

VV_PLUGIN(.name = "decider", .version = "1", .summary = "Decides about anybody's calls",
          .depends = "entitlements/1", .routes = routes)
