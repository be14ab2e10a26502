/* vvctl doctor: whether we have credentials, may assume the role with them, and know the time. */
#include "aws.h"

#include <inttypes.h>
#include <stdlib.h>

#define CHECKS_SKEW 240 /* seconds: AWS refuses what was signed more than 5 minutes ago */

static int64_t checks_until(void)
{
    return aws_steady() + aws_conf()->timeout;
}

static int checks_credentials(struct vv_request *req)
{
    struct aws_base base;
    int rc = aws_base_get(req, checks_until(), &base);

    if (rc == VV_ECANCELED)
        return rc;
    if (rc < 0)
        return vv_fail(req, 503, "no_credentials", "no credentials of our own: %s", base.why);
    if (base.keys.expires == 0)
        vv_print(req, "from %s; they do not expire", base.where);
    else
        vv_print(req, "from %s; they are renewed, these last %" PRId64 " min", base.where,
                 (base.keys.expires - aws_now()) / 60000000);
    return 0;
}

static int checks_role(struct vv_request *req)
{
    const struct aws_who who = {.name = "vv-doctor", .user = "doctor", .plan = "none"};
    struct aws_call call;
    struct aws_keys keys;
    enum aws_result result = aws_session_assume(req, &who, checks_until(), &keys, &call);

    if (result == AWS_CANCELED)
        return VV_ECANCELED;
    if (result != AWS_DONE)
        return vv_fail(req, 503, "no_session", "%s cannot be assumed: %s: %s", aws_conf()->role_arn,
                       call.code, call.message);
    vv_print(req, "%s, for %" PRId64 " s", aws_conf()->role_arn,
             aws_conf()->session_duration / AWS_SECOND);
    return 0;
}

static int checks_policy(struct vv_request *req)
{
    vv_print(req, "%zu of %d characters", strlen(aws_setup.policy), AWS_POLICY_MAX);
    return 0;
}

/* Whatever STS answers to a request without a signature, it says what time it is. */
static int checks_clock(struct vv_request *req)
{
    struct vv_http_call http = VV_HTTP_CALL("GET", aws_setup.sts_url);
    struct vv_http_answer *answer;
    int64_t date, apart;
    int rc;

    http.retry = VV_HTTP_AGAIN;
    http.timeout = (uint32_t)aws_conf()->timeout;
    rc = vv_http_call(req, &http, &answer);
    if (rc == VV_ECANCELED)
        return rc;
    if (rc < 0)
        return vv_fail(req, 503, "sts_unreachable", "%s cannot be reached", aws_setup.sts_url);
    date = aws_time_http(vv_answer_header(answer, "Date"));
    if (date == 0) {
        vv_print(req, "%s does not say what time it is", aws_setup.sts_url);
        return 0;
    }
    apart = (aws_clock() - date) / 1000000;
    if (llabs(apart) > CHECKS_SKEW)
        return vv_fail(req, 503, "wrong_clock",
                       "this machine's clock is %lld s %s AWS's: set it (ntp, chrony)",
                       llabs(apart), apart > 0 ? "before" : "behind");
    vv_print(req, "%lld s apart from AWS's", llabs(apart));
    return 0;
}

const struct vv_check aws_checks[] = {
    VV_CHECK("aws-credentials", 0, "We have credentials of our own", checks_credentials),
    VV_CHECK("aws-role", 0, "The role can be assumed for users", checks_role),
    VV_CHECK("aws-policy", 0, "The session policy fits", checks_policy),
    VV_CHECK("aws-clock", 0, "Our clock and AWS's agree", checks_clock),
    VV_END,
};
