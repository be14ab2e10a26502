/* Whether a user's call may go ahead, in the order that costs least, and what it counts. */
#include "aws.h"

#include <inttypes.h>
#include <vv/entitlements.h>

/* The refusal of a verdict; 0: there is none. */
static int grant_refuse(struct vv_request *req, const struct vv_verdict *verdict)
{
    if (verdict->outcome == VV_ALLOWED)
        return vv_entitlements()->answer(req, verdict);
    vv_metric_add(AWS_METRIC_DENIED, 1);
    /* Who is signed in and not disabled can only be unverified. */
    if (verdict->outcome == VV_UNKNOWN_CALLER)
        return vv_fail(req, 403, "email_unverified", "Please verify your email address first");
    return vv_entitlements()->answer(req, verdict);
}

/* What was looked up, as it matters to a call of our cost, which [usage] rate_limit is not for. */
static int grant_peek(struct vv_request *req, int64_t user_id, struct vv_verdict *ret_verdict)
{
    int64_t cost = aws_conf()->usage_cost;

    VV_TRY(vv_entitlements()->peek(req, user_id, ret_verdict));
    ret_verdict->rate_count = 0;
    if (ret_verdict->outcome == VV_UNKNOWN_CALLER || ret_verdict->outcome == VV_NO_ACCESS)
        return grant_refuse(req, ret_verdict);
    ret_verdict->outcome = VV_ALLOWED;
    if (ret_verdict->limit != VV_UNLIMITED && cost > 0 &&
        ret_verdict->limit - ret_verdict->used < cost)
        ret_verdict->outcome = VV_OVER_QUOTA;
    return grant_refuse(req, ret_verdict);
}

static int grant_rate(struct vv_request *req, int64_t user_id)
{
    struct vv_rate_state state;
    int64_t seconds;

    VV_TRY(vv_rate_take("sessions", vv_printf(req, "%" PRId64, user_id), &aws_conf()->rate_limit, 1,
                        &state));
    if (state.allowed != 0)
        return 0;
    vv_metric_add(AWS_METRIC_DENIED, 1);
    seconds = (state.retry_after + 999999) / 1000000;
    vv_reply_header(req, "Retry-After", vv_printf(req, "%" PRId64, seconds < 1 ? 1 : seconds));
    return vv_fail(req, 429, "rate_limited", "Too many credentials at once; try again shortly");
}

/* Counts the call. Access may have ended while AWS was asked: then the session is not handed out.
 */
static int grant_count(struct vv_request *req, int64_t user_id, const char *endpoint)
{
    int64_t cost = aws_conf()->usage_cost;
    struct vv_ask ask = VV_ASK(user_id, endpoint, cost);
    struct vv_verdict verdict;

    if (cost == 0)
        return grant_peek(req, user_id, &verdict);
    ask.flags = VV_ASK_UNRATED;
    VV_TRY(vv_entitlements()->decide(req, &ask, &verdict));
    return grant_refuse(req, &verdict);
}

int aws_grant(struct vv_request *req, const char *endpoint,
              int (*reply)(struct vv_request *req, const struct aws_keys *keys))
{
    int64_t user_id = vv_caller_id(req);
    struct vv_verdict verdict;
    struct aws_keys keys;
    struct aws_who who = {0};

    VV_TRY(grant_peek(req, user_id, &verdict));
    if (verdict.ends_at != 0) {
        who.left = (verdict.ends_at - verdict.now) / 1000000;
        if (who.left < AWS_SHORTEST) {
            vv_metric_add(AWS_METRIC_DENIED, 1);
            return vv_fail(req, 403, "subscription_ending", AWS_ENDING_TEXT);
        }
    }
    VV_TRY(grant_rate(req, user_id));
    who.user = vv_printf(req, "%" PRId64, user_id);
    who.name = vv_printf(req, "vv-%s", who.user);
    who.plan = verdict.plan_id[0] == '\0' ? "none" : verdict.plan_id;
    VV_TRY(aws_session_get(req, user_id, &who, &keys));
    VV_TRY(grant_count(req, user_id, endpoint));
    vv_reply_header(req, "Cache-Control", "no-store");
    return reply(req, &keys);
}
