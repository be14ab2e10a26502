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

/* Appends a text and a number that is not negative: this is on the way of every call, and printf
 * took longer for it than the rest of an answer takes. */
static char *answer_put(char *at, const char *text, int64_t number)
{
    char digits[20], *first = digits + sizeof digits;
    uint64_t rest = number < 0 ? 0 : (uint64_t)number;
    size_t count;

    do {
        *--first = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    count = (size_t)(digits + sizeof digits - first);
    at = stpcpy(at, text);
    memcpy(at, first, count);
    at[count] = '\0';
    return at + count;
}

/* Both policies in one list, as the draft has it (draft-ietf-httpapi-ratelimit-headers). `now` is
 * the time that the period's end is far from. */
static void answer_headers(struct vv_request *req, const struct vv_verdict *verdict, int64_t now)
{
    bool rated = verdict->rate_count != 0, limited = verdict->limit != VV_UNLIMITED;
    char policies[160], states[160], *policy = policies, *state = states;

    if (rated) {
        policy = answer_put(policy, "\"rate\";q=", verdict->rate_count);
        policy = answer_put(policy,
                            ";w=", verdict->rate_period < 1000 ? 1 : verdict->rate_period / 1000);
        state = answer_put(state, "\"rate\";r=", verdict->rate_remaining);
        state = answer_put(state, ";t=", answer_seconds(verdict->rate_reset));
    }
    if (limited) {
        policy = answer_put(policy, rated ? ", \"quota\";q=" : "\"quota\";q=", verdict->limit);
        (void)answer_put(policy,
                         ";w=", answer_seconds(verdict->period_end - verdict->period_start));
        state =
            answer_put(state, rated ? ", \"quota\";r=" : "\"quota\";r=", answer_remaining(verdict));
        (void)answer_put(state, ";t=", answer_seconds(verdict->period_end - now));
    }
    if (!rated && !limited)
        return;
    vv_reply_header(req, "RateLimit-Policy", policies);
    vv_reply_header(req, "RateLimit", states);
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
