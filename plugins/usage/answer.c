/* What a caller is told of a verdict: RateLimit headers, and the refusals. */
#include "usage.h"

#include <inttypes.h>

const struct vv_metric usage_metrics[] = {
    VV_COUNTER("vv_decisions_total", "outcome=\"allowed\"", "Calls that were decided about"),
    VV_COUNTER("vv_decisions_total", "outcome=\"unknown_caller\"", "Calls that were decided about"),
    VV_COUNTER("vv_decisions_total", "outcome=\"no_access\"", "Calls that were decided about"),
    VV_COUNTER("vv_decisions_total", "outcome=\"over_quota\"", "Calls that were decided about"),
    VV_COUNTER("vv_decisions_total", "outcome=\"over_rate\"", "Calls that were decided about"),
    VV_END,
};

static int64_t answer_seconds(int64_t microseconds)
{
    return microseconds <= 0 ? 0 : (microseconds + 999999) / 1000000;
}

static int64_t answer_remaining(const struct vv_verdict *verdict)
{
    return verdict->used < verdict->limit ? verdict->limit - verdict->used : 0;
}

/* Both policies in one list, as the draft has it (draft-ietf-httpapi-ratelimit-headers). `now` is
 * the time that the period's end is far from. */
static void answer_headers(struct vv_request *req, const struct vv_verdict *verdict, int64_t now)
{
    const char *rate = "", *rate_policy = "", *quota = "", *quota_policy = "", *comma;

    if (verdict->rate_count != 0) {
        rate_policy = vv_printf(req, "\"rate\";q=%" PRId64 ";w=%" PRId64, verdict->rate_count,
                                verdict->rate_period < 1000 ? 1 : verdict->rate_period / 1000);
        rate = vv_printf(req, "\"rate\";r=%" PRId64 ";t=%" PRId64,
                         verdict->rate_remaining < 0 ? 0 : verdict->rate_remaining,
                         answer_seconds(verdict->rate_reset));
    }
    if (verdict->limit != VV_UNLIMITED) {
        quota_policy = vv_printf(req, "\"quota\";q=%" PRId64 ";w=%" PRId64, verdict->limit,
                                 answer_seconds(verdict->period_end - verdict->period_start));
        quota = vv_printf(req, "\"quota\";r=%" PRId64 ";t=%" PRId64, answer_remaining(verdict),
                          answer_seconds(verdict->period_end - now));
    }
    if (rate[0] == '\0' && quota[0] == '\0')
        return;
    comma = rate[0] != '\0' && quota[0] != '\0' ? ", " : "";
    vv_reply_header(req, "RateLimit-Policy",
                    vv_printf(req, "%s%s%s", rate_policy, comma, quota_policy));
    vv_reply_header(req, "RateLimit", vv_printf(req, "%s%s%s", rate, comma, quota));
}

static void answer_retry(struct vv_request *req, int64_t seconds)
{
    vv_reply_header(req, "Retry-After", vv_printf(req, "%" PRId64, seconds < 1 ? 1 : seconds));
}

int usage_answer(struct vv_request *req, const struct vv_verdict *verdict)
{
    if (verdict->outcome == VV_UNKNOWN_CALLER)
        return vv_fail(req, 401, "invalid_api_key", "This API key is not valid");
    if (verdict->outcome == VV_NO_ACCESS)
        return vv_fail(req, 403, "subscription_required", "Active subscription required");
    answer_headers(req, verdict, verdict->now);
    if (verdict->outcome == VV_OVER_QUOTA) {
        answer_retry(req, answer_seconds(verdict->period_end - verdict->now));
        return vv_fail(req, 429, "quota_exceeded",
                       "This period's calls are used up: %" PRId64 " of %" PRId64, verdict->used,
                       verdict->limit);
    }
    if (verdict->outcome == VV_OVER_RATE) {
        answer_retry(req, answer_seconds(verdict->rate_retry));
        return vv_fail(req, 429, "rate_limited", "Too many calls at once; try again shortly");
    }
    return 0;
}
