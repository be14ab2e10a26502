/* A user's session: our credentials assume the role for it, and whatever goes wrong gets its
 * answer.
 */
#include "aws.h"

#include <inttypes.h>

#define SESSION_RETRY "5" /* seconds: when to come again while AWS is away */

/* ---- assuming the role ------------------------------------------------------------------------
 */

static const char *session_form(struct vv_request *req, const struct aws_who *who)
{
    const char *form = aws_form_add(req, NULL, "Action", "AssumeRole");

    form = aws_form_add(req, form, "RoleArn", aws_conf()->role_arn);
    form = aws_form_add(req, form, "RoleSessionName", who->name);
    form = aws_form_add(req, form, "Policy", aws_setup.policy);
    form = aws_form_add(req, form, "ExternalId", aws_conf()->external_id);
    if (!aws_conf()->session_tags)
        return form;
    form = aws_form_add(req, form, "Tags.member.1.Key", "user");
    form = aws_form_add(req, form, "Tags.member.1.Value", aws_tag_value(req, who->user));
    form = aws_form_add(req, form, "Tags.member.2.Key", "plan");
    return aws_form_add(req, form, "Tags.member.2.Value", aws_tag_value(req, who->plan));
}

/* Whether AWS means our own credentials, so that a fresh look at where they come from may help. */
static bool session_is_stale(const char *code)
{
    static const char *const codes[] = {"ExpiredToken", "ExpiredTokenException",
                                        "InvalidClientTokenId", "UnrecognizedClientException"};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(code, codes[i]) == 0)
            return true;
    return false;
}

static enum aws_result session_ask(struct vv_request *req, struct aws_call *call, bool *ret_stale)
{
    struct aws_base base;
    enum aws_result result;
    int rc = aws_base_get(req, call->until, &base);

    *ret_stale = false;
    if (rc == VV_ECANCELED)
        return AWS_CANCELED;
    if (rc < 0) {
        call->code = "no credentials";
        call->message = base.why;
        return AWS_UNAVAILABLE_NOW;
    }
    call->keys = &base.keys;
    result = aws_sts_call(req, call);
    call->keys = NULL;
    *ret_stale = result == AWS_REFUSED && session_is_stale(call->code);
    if (*ret_stale)
        aws_base_reject(base.generation);
    return result;
}

enum aws_result aws_session_assume(struct vv_request *req, const struct aws_who *who, int64_t until,
                                   struct aws_keys *ret_keys, struct aws_call *ret_call)
{
    enum aws_result result;
    bool stale;

    memset(ret_call, 0, sizeof *ret_call);
    ret_call->form = session_form(req, who);
    ret_call->until = until;
    ret_call->duration = aws_conf()->session_duration / AWS_SECOND;
    ret_call->ends = who->left == 0 ? 0 : aws_steady() + who->left * AWS_SECOND;
    result = session_ask(req, ret_call, &stale);
    if (stale)
        result = session_ask(req, ret_call, &stale);
    if (result == AWS_DONE && aws_sts_keys(req, "AssumeRole", ret_call, ret_keys) < 0) {
        ret_call->code = "bad answer";
        ret_call->message = "the answer has no credentials that make sense";
        result = AWS_BAD_ANSWER;
    }
    return result;
}

/* ---- for a user -------------------------------------------------------------------------------
 */

static int session_unavailable(struct vv_request *req, const char *retry)
{
    vv_metric_add(AWS_METRIC_UNAVAILABLE, 1);
    vv_reply_header(req, "Retry-After", retry);
    return vv_fail(req, 503, AWS_UNAVAILABLE, AWS_UNAVAILABLE_TEXT);
}

static int session_failed(struct vv_request *req, enum aws_result result,
                          const struct aws_call *call)
{
    if (result == AWS_CANCELED || result == AWS_ENDING) {
        aws_breaker_undecided();
        return result == AWS_CANCELED ? VV_ECANCELED
                                      : vv_fail(req, 403, "subscription_ending", AWS_ENDING_TEXT);
    }
    vv_log(req, VV_LOG_WARNING, "AssumeRole failed: %s: %s", call->code, call->message);
    if (result == AWS_REFUSED) {
        aws_breaker_good(); /* it is there, and says no */
        vv_metric_add(AWS_METRIC_REFUSED, 1);
        return vv_fail(req, 502, "aws_refused",
                       "AWS refused to give out credentials; the people who run this service have "
                       "to look into it");
    }
    aws_breaker_bad(req);
    if (result == AWS_UNAVAILABLE_NOW)
        return session_unavailable(req, SESSION_RETRY);
    vv_metric_add(AWS_METRIC_BAD_ANSWER, 1);
    return vv_fail(req, 502, "aws_error",
                   "AWS gave an answer that makes no sense; please try again later");
}

int aws_session_get(struct vv_request *req, int64_t user_id, const struct aws_who *who,
                    struct aws_keys *ret_keys)
{
    struct aws_call call;
    enum aws_result result;
    int64_t wait;

    if (aws_reuse_find(req, user_id, who, ret_keys)) {
        vv_metric_add(AWS_METRIC_REUSED, 1);
        return 0;
    }
    if (!aws_breaker_pass(&wait))
        return session_unavailable(req, vv_printf(req, "%" PRId64, wait));
    result = aws_session_assume(req, who, aws_steady() + aws_conf()->timeout, ret_keys, &call);
    if (result != AWS_DONE)
        return session_failed(req, result, &call);
    aws_breaker_good();
    aws_reuse_store(user_id, who, ret_keys);
    vv_metric_add(AWS_METRIC_ISSUED, 1);
    return 0;
}
