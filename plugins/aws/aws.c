/* Temporary credentials of AWS for users: the table of contents of this plugin, and its start. */
#include "aws.h"

#include <inttypes.h>
#include <vv/entitlements.h>
#include <vv/plugin.h>

#define DEADLINE    30000 /* milliseconds of a request: more than [aws] timeout may be */
#define SWEEP       5000
#define DAY         (86400 * AWS_SECOND)
#define ARN_ACCOUNT 12

struct aws_setup aws_setup;

static const struct vv_option options[] = {
    VV_OPTION_TEXT(struct aws_conf, region, NULL, VV_REQUIRED, "Of STS and Transcribe: us-east-1"),
    VV_OPTION_TEXT(struct aws_conf, role_arn, NULL, VV_REQUIRED,
                   "The role that is assumed for users: arn:aws:iam::123456789012:role/NAME"),
    VV_OPTION_DURATION(struct aws_conf, session_duration, "1h", 0, 400 * DAY, 0,
                       "How long credentials last: 900s to 3600s, and never past paid access"),
    VV_OPTION_URL(struct aws_conf, sts_endpoint, NULL, "https|http", 0,
                  "Where STS is; default: the region's"),
    VV_OPTION_TEXT(struct aws_conf, external_id, NULL, 0,
                   "What the role's trust policy demands as sts:ExternalId"),
    VV_OPTION_BOOL(struct aws_conf, session_tags, "on", 0,
                   "Sessions carry the tags user and plan; the trust policy allows sts:TagSession"),
    VV_OPTION_LIST(struct aws_conf, policy_actions,
                   "transcribe:StartStreamTranscription, "
                   "transcribe:StartStreamTranscriptionWebSocket",
                   0, "All that a session may do, as far as the role may"),
    VV_OPTION_INT(struct aws_conf, usage_cost, "1", 0, VV_COST_MAX, 0,
                  "What a call counts; 0: nothing, and then it is not recorded"),
    VV_OPTION_RATE(struct aws_conf, rate_limit, "10/m", 0, "Calls of one user"),
    VV_OPTION_INT(struct aws_conf, reuse_seconds, "0", 0, AWS_LONGEST, 0,
                  "How long a user who asks again may get the same credentials; 0: never"),
    VV_OPTION_DURATION(struct aws_conf, presign_expires, "300s", AWS_SECOND, 300 * AWS_SECOND, 0,
                       "How long the URL of /aws/transcribe-url can be opened"),
    VV_OPTION_DURATION(struct aws_conf, timeout, "10s", AWS_SECOND, 25 * AWS_SECOND, 0,
                       "How long a request waits for AWS, all attempts together"),
    VV_OPTION_INT(struct aws_conf, breaker_failures, "5", 1, 1000, 0,
                  "After so many failures in a row AWS is not asked for a while"),
    VV_OPTION_DURATION(struct aws_conf, breaker_pause, "10s", 100, 600 * AWS_SECOND, 0,
                       "That while; longer, up to 8 times, as long as AWS keeps failing"),
    VV_END,
};

static const struct vv_field credentials_reply[] = {
    VV_FIELD_TEXT("access_key_id", 0, 0, VV_REQUIRED, "Of the session"),
    VV_FIELD_TEXT("secret_access_key", 0, 0, VV_REQUIRED, "Signs; never sent anywhere"),
    VV_FIELD_TEXT("session_token", 0, 0, VV_REQUIRED, "Goes with every signed request"),
    VV_FIELD_TIME("expiration", VV_REQUIRED, "Until when AWS takes them"),
    VV_FIELD_INT("expires_in", 0, 0, VV_REQUIRED, "The same in seconds from now"),
    VV_FIELD_TEXT("region", 0, 0, VV_REQUIRED, "Where to use them"),
    VV_END,
};

static const struct vv_route routes[] = {
    VV_ROUTE(VV_POST, "/aws/credentials", VV_USER, aws_credentials_post, .flags = VV_OPTIONAL_BODY,
             .deadline = DEADLINE, .reply = credentials_reply,
             .summary = "Temporary credentials for Amazon Transcribe streaming"),
    VV_ROUTE(VV_POST, "/aws/transcribe-url", VV_USER, aws_transcribe_post, .deadline = DEADLINE,
             .body = aws_transcribe_body, .reply = aws_transcribe_reply,
             .summary = "A presigned URL of Amazon Transcribe's WebSocket"),
    VV_END,
};

#define SESSIONS(outcome) \
    VV_COUNTER("vv_aws_sessions_total", "outcome=\"" outcome "\"", "Sessions that were asked for")

static const struct vv_metric metrics[] = {
    [AWS_METRIC_ISSUED] = SESSIONS("issued"),
    [AWS_METRIC_REUSED] = SESSIONS("reused"),
    [AWS_METRIC_DENIED] = SESSIONS("denied"),
    [AWS_METRIC_REFUSED] = SESSIONS("aws_refused"),
    [AWS_METRIC_UNAVAILABLE] = SESSIONS("aws_unavailable"),
    [AWS_METRIC_BAD_ANSWER] = SESSIONS("aws_error"),
    VV_END,
};

/* ---- start ------------------------------------------------------------------------------------
 */

static bool init_is_made_of(const char *text, const char *characters, size_t least, size_t most)
{
    size_t length = strlen(text);

    return length >= least && length <= most && strspn(text, characters) == length;
}

#define LOWER   "abcdefghijklmnopqrstuvwxyz"
#define UPPER   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"
#define IN_NAME LOWER UPPER DIGITS "_+=,.@-"

/* arn:PARTITION:iam::ACCOUNT:role/PATH/NAME */
static bool init_is_role(const char *arn)
{
    const char *account = strstr(arn, ":iam::"), *role;

    if (strncmp(arn, "arn:aws", 7) != 0 || account == NULL || strlen(arn) > 2048)
        return false;
    account += 6;
    role = account + strspn(account, DIGITS);
    return role - account == ARN_ACCOUNT && strncmp(role, ":role/", 6) == 0 &&
           init_is_made_of(role + 6, IN_NAME "/", 1, 2048);
}

static int init_duration(struct vv_request *req)
{
    int64_t seconds = aws_conf()->session_duration / AWS_SECOND;

    if (aws_conf()->session_duration > AWS_LONGEST * AWS_SECOND)
        return vv_fail(req, 500, "bad_duration",
                       "[aws] session_duration is %" PRId64
                       " s; a role that is assumed with the credentials of another role (role "
                       "chaining) gets %d s at most",
                       seconds, AWS_LONGEST);
    if (seconds < AWS_SHORTEST || aws_conf()->session_duration % AWS_SECOND != 0)
        return vv_fail(req, 500, "bad_duration",
                       "[aws] session_duration must be whole seconds from %ds to %ds", AWS_SHORTEST,
                       AWS_LONGEST);
    if (aws_conf()->presign_expires % AWS_SECOND != 0)
        return vv_fail(req, 500, "bad_duration", "[aws] presign_expires must be whole seconds");
    return 0;
}

static int init_texts(struct vv_request *req)
{
    const struct aws_conf *conf = aws_conf();

    if (!init_is_made_of(conf->region, LOWER DIGITS "-", 2, 40))
        return vv_fail(req, 500, "bad_region", "[aws] region must be one such as us-east-1");
    if (!init_is_role(conf->role_arn))
        return vv_fail(req, 500, "bad_role",
                       "[aws] role_arn must be one such as arn:aws:iam::123456789012:role/NAME");
    if (conf->external_id != NULL && !init_is_made_of(conf->external_id, IN_NAME ":/", 2, 1224))
        return vv_fail(req, 500, "bad_external_id",
                       "[aws] external_id: STS takes 2 to 1,224 letters, digits and _+=,.@:/-");
    return 0;
}

/* What lies outside the default partition has other names. */
static const char *init_suffix(void)
{
    return strncmp(aws_conf()->region, "cn-", 3) == 0 ? "amazonaws.com.cn" : "amazonaws.com";
}

static int init_places(struct vv_request *req)
{
    const struct aws_conf *conf = aws_conf();
    const char *sts = conf->sts_endpoint;
    size_t length;

    if (sts == NULL)
        sts = vv_printf(req, "https://sts.%s.%s", conf->region, init_suffix());
    if (strpbrk(sts, "?#@") != NULL)
        return vv_fail(req, 500, "bad_endpoint",
                       "[aws] sts_endpoint must be scheme://host/ and no more");
    length = strlen(sts);
    while (length > 0 && sts[length - 1] == '/')
        length--;
    aws_setup.sts_url = vv_printf(req, "%.*s/", (int)length, sts);
    aws_setup.sts_sigv4 = vv_printf(req, "aws:amz:%s:sts", conf->region);
    aws_setup.stream_host =
        vv_printf(req, "transcribestreaming.%s.%s:8443", conf->region, init_suffix());
    if (strncmp(sts, "http:", 5) == 0)
        vv_log(req, VV_LOG_WARNING, "[aws] sts_endpoint: credentials travel unencrypted");
    return 0;
}

static int aws_init(struct vv_request *req)
{
    const char *why;

    VV_TRY(init_duration(req));
    VV_TRY(init_texts(req));
    VV_TRY(init_places(req));
    aws_setup.policy = aws_policy_make(req, aws_conf()->policy_actions, &why);
    return aws_setup.policy == NULL ? vv_fail(req, 500, "bad_policy", "%s", why) : 0;
}

/* Goes on as long as the worker. */
static int aws_start(struct vv_request *req)
{
    while (aws_conf()->reuse_seconds > 0) {
        VV_TRY(vv_sleep(req, SWEEP));
        aws_reuse_sweep();
    }
    return 0;
}

static void aws_stop(void)
{
    aws_base_wipe();
    aws_reuse_wipe();
}

VV_PLUGIN(.name = "aws", .version = "0.1.0",
          .summary = "Temporary AWS credentials for users who have access",
          .depends = "auth/1, entitlements/1", .conf_size = sizeof(struct aws_conf),
          .options = options, .routes = routes, .checks = aws_checks, .metrics = metrics,
          .init = aws_init, .start = aws_start, .stop = aws_stop)
