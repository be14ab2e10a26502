/* AWS's Security Token Service: one call, when it is repeated, and what its answers mean. */
#include "aws.h"
#include "sigv4.h"
#include "xml.h"

#include <inttypes.h>
#include <stdlib.h>

#define STS_VERSION   "2011-06-15"
#define STS_ATTEMPTS  5
#define STS_BACKOFF   100 /* milliseconds before the second attempt at most, doubling */
#define STS_MOST      2000
#define STS_SKEW      (30 * INT64_C(1000000)) /* of our clock, before it is worth a correction */
#define STS_MARGIN    5                       /* seconds that a call may be on its way */
#define STS_HEADERS   4                       /* the last is the end */
#define STS_TEXT      256
#define STS_MESSAGE   8192 /* some quote what was signed, the token included */
#define STS_TOKEN_MAX 16384

static struct {
    int64_t skew; /* microseconds that AWS's clock is before ours */
} sts;

int64_t aws_now(void)
{
    return aws_clock() + sts.skew;
}

/* ---- what goes out ----------------------------------------------------------------------------
 */

/* The form with what depends on when it is sent. NULL: a session could not be short enough. */
static const char *sts_form(struct vv_request *req, const struct aws_call *call)
{
    int64_t seconds = call->duration;
    const char *form = vv_printf(req, "%s&Version=" STS_VERSION, call->form);

    if (call->duration == 0)
        return form;
    if (call->ends != 0) {
        int64_t left = (call->ends - aws_steady()) / 1000;

        if (left < AWS_SHORTEST)
            return NULL;
        left = left - STS_MARGIN < AWS_SHORTEST ? AWS_SHORTEST : left - STS_MARGIN;
        seconds = left < seconds ? left : seconds;
    }
    return vv_printf(req, "%s&DurationSeconds=%" PRId64, form, seconds);
}

/* libcurl signs by this machine's clock. Where that is wrong we sign ourselves: a header X-Amz-Date
 * of ours libcurl 7.88 would take, and then send twice. False: it could not be signed. */
static bool sts_sign(struct vv_request *req, const struct aws_call *call, struct vv_http_call *http,
                     struct vv_http_pair headers[STS_HEADERS])
{
    struct aws_signed what = {
        .url = http->url, .region = aws_conf()->region, .service = "sts", .body = http->body};
    char time[17];
    size_t count = 0;

    if (call->keys->token != NULL)
        headers[count++] = (struct vv_http_pair){"X-Amz-Security-Token", call->keys->token};
    http->headers = headers;
    if (sts.skew == 0) {
        http->aws_sigv4 = aws_setup.sts_sigv4;
        http->user = call->keys->id;
        http->password = call->keys->secret;
        return true;
    }
    aws_time_basic(aws_now(), time);
    what.time = vv_strdup(req, time);
    what.id = call->keys->id;
    what.secret = call->keys->secret;
    what.token = call->keys->token;
    headers[count++] = (struct vv_http_pair){"X-Amz-Date", what.time};
    headers[count] = (struct vv_http_pair){"Authorization", aws_sign_post(req, &what)};
    return headers[count].value != NULL;
}

static int sts_send(struct vv_request *req, const struct aws_call *call, const char *form,
                    struct vv_http_answer **ret_answer)
{
    struct vv_http_call http = VV_HTTP_CALL("POST", aws_setup.sts_url);
    int64_t left = call->until - aws_steady(), share = aws_conf()->timeout / 3;
    struct vv_http_pair headers[STS_HEADERS] = {{NULL, NULL}};

    http.body = form;
    http.body_length = strlen(form);
    http.content_type = "application/x-www-form-urlencoded; charset=utf-8";
    http.max_body = AWS_XML_MAX;
    /* One attempt of a call that may be repeated: so the connection is kept, and the repetition,
     * which has to look into the answer, is ours. */
    http.retry = VV_HTTP_AGAIN;
    http.attempts = 1;
    http.timeout = (uint32_t)(left < 1 ? 1 : left < share ? left : share);
    http.attempt_timeout = http.timeout;
    if (call->keys != NULL && !sts_sign(req, call, &http, headers))
        return VV_EUNAVAILABLE;
    return vv_http_call(req, &http, ret_answer);
}

/* ---- what comes back --------------------------------------------------------------------------
 */

/* One line without whatever of ours AWS repeats: it quotes signed headers, tokens among them. */
static const char *sts_clean(struct vv_request *req, const struct aws_call *call, const char *text)
{
    char *line = vv_printf(req, "%.*s", (int)strcspn(text, "\r\n"), text);
    const char *secrets[] = {NULL, NULL, NULL};

    if (call->keys != NULL) {
        secrets[0] = call->keys->id;
        secrets[1] = call->keys->secret;
        secrets[2] = call->keys->token;
    }
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        for (char *at; secrets[i] != NULL && (at = strstr(line, secrets[i])) != NULL;)
            memset(at, '*', strlen(secrets[i]));
    for (char *p = line; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
            *p = '?';
    return line;
}

static bool sts_error(struct vv_request *req, struct aws_call *call)
{
    char code[STS_TEXT], message[STS_MESSAGE];
    struct aws_xml_field fields[] = {
        {"ErrorResponse/Error/Code", code, sizeof code, false},
        {"ErrorResponse/Error/Message", message, sizeof message, false},
    };

    if (!aws_xml_read(call->answer, call->length, fields, 2) || code[0] == '\0')
        return false;
    call->code = sts_clean(req, call, code);
    call->message = vv_printf(req, "%.*s", STS_TEXT, sts_clean(req, call, message));
    return true;
}

/* STS throttles with 400. */
static bool sts_is_passing(const char *code)
{
    static const char *const codes[] = {"Throttling",
                                        "ThrottlingException",
                                        "ThrottledException",
                                        "RequestLimitExceeded",
                                        "RequestThrottled",
                                        "TooManyRequestsException",
                                        "IDPCommunicationError",
                                        "RequestTimeout",
                                        "RequestTimeoutException"};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(code, codes[i]) == 0)
            return true;
    return false;
}

/* Every answer says what time it is at AWS. True: that was news. */
static bool sts_learn_clock(struct vv_request *req, const struct vv_http_answer *answer)
{
    int64_t date = aws_time_http(vv_answer_header(answer, "Date")), skew = date - aws_clock();

    if (date == 0 || llabs(skew - sts.skew) < STS_SKEW)
        return false;
    sts.skew = llabs(skew) < STS_SKEW ? 0 : skew;
    if (sts.skew == 0)
        vv_log(req, VV_LOG_INFO, "this machine's clock and AWS's agree again");
    else
        vv_log(req, VV_LOG_WARNING,
               "this machine's clock is %lld s %s AWS's; signing with AWS's time from now on",
               llabs(skew) / 1000000, skew > 0 ? "behind" : "before");
    return true;
}

static bool sts_blames_clock(const char *code)
{
    static const char *const codes[] = {"SignatureDoesNotMatch", "RequestTimeTooSkewed",
                                        "RequestExpired", "InvalidSignatureException"};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(code, codes[i]) == 0)
            return true;
    return false;
}

/* ---- attempts ---------------------------------------------------------------------------------
 */

enum sts_turn {
    STS_SETTLED,
    STS_AGAIN,     /* after a pause */
    STS_CORRECTED, /* at once: the clock was wrong */
};

static enum sts_turn sts_read(struct vv_request *req, struct aws_call *call,
                              const struct vv_http_answer *answer, enum aws_result *ret_result)
{
    uint32_t status = vv_answer_status(answer);
    bool learned = sts_learn_clock(req, answer);

    call->answer = vv_answer_body(answer, &call->length);
    call->answer = call->answer == NULL ? "" : call->answer;
    *ret_result = AWS_DONE;
    if (status == 200)
        return STS_SETTLED;
    *ret_result = AWS_UNAVAILABLE_NOW;
    if (!sts_error(req, call)) {
        call->code = vv_printf(req, "status %u", (unsigned)status);
        call->message = "the answer is not in STS's form";
        if (status == 429 || status >= 500)
            return STS_AGAIN;
        *ret_result = AWS_BAD_ANSWER;
        return STS_SETTLED;
    }
    if (status == 429 || status >= 500 || sts_is_passing(call->code))
        return STS_AGAIN;
    *ret_result = AWS_REFUSED;
    return learned && call->keys != NULL && sts_blames_clock(call->code) ? STS_CORRECTED
                                                                         : STS_SETTLED;
}

static enum sts_turn sts_attempt(struct vv_request *req, struct aws_call *call,
                                 enum aws_result *ret_result)
{
    const char *form = sts_form(req, call);
    struct vv_http_answer *answer;
    int rc;

    *ret_result = AWS_ENDING;
    if (form == NULL)
        return STS_SETTLED;
    rc = sts_send(req, call, form, &answer);
    if (rc == 0)
        return sts_read(req, call, answer, ret_result);
    *ret_result = rc == VV_ECANCELED ? AWS_CANCELED : AWS_UNAVAILABLE_NOW;
    call->code = rc == VV_ETIMEOUT ? "timeout" : "no answer";
    call->message = "see the line before";
    return rc == VV_ECANCELED ? STS_SETTLED : STS_AGAIN;
}

/* Any length up to a bound that doubles: what was throttled together comes back apart. */
static int64_t sts_pause(unsigned attempt)
{
    int64_t most = STS_BACKOFF;

    for (; attempt > 1 && most < STS_MOST; attempt--)
        most *= 2;
    return 10 + aws_chance(most > STS_MOST ? STS_MOST : most);
}

enum aws_result aws_sts_call(struct vv_request *req, struct aws_call *call)
{
    enum aws_result result = AWS_UNAVAILABLE_NOW;
    bool corrected = false;

    call->code = "timeout";
    call->message = "there was no time left to ask";
    for (unsigned attempt = 1; aws_steady() < call->until; attempt++) {
        enum sts_turn turn = sts_attempt(req, call, &result);
        int64_t pause = sts_pause(attempt);

        if (turn == STS_SETTLED || (turn == STS_CORRECTED && corrected))
            break;
        corrected = corrected || turn == STS_CORRECTED;
        if (turn == STS_CORRECTED)
            continue;
        if (attempt >= STS_ATTEMPTS || aws_steady() + pause >= call->until)
            break;
        if (vv_sleep(req, pause) < 0)
            return AWS_CANCELED;
    }
    return result;
}

/* ---- credentials ------------------------------------------------------------------------------
 */

int aws_sts_keys(struct vv_request *req, const char *action, const struct aws_call *call,
                 struct aws_keys *ret_keys)
{
    char id[STS_TEXT], secret[STS_TEXT], expires[STS_TEXT], token[STS_TOKEN_MAX];
    const char *place = vv_printf(req, "%sResponse/%sResult/Credentials", action, action);
    struct aws_xml_field fields[] = {
        {vv_printf(req, "%s/AccessKeyId", place), id, sizeof id, false},
        {vv_printf(req, "%s/SecretAccessKey", place), secret, sizeof secret, false},
        {vv_printf(req, "%s/SessionToken", place), token, sizeof token, false},
        {vv_printf(req, "%s/Expiration", place), expires, sizeof expires, false},
    };
    struct aws_keys keys = {.id = id, .secret = secret, .token = token};
    int rc = VV_EINVAL;

    if (aws_xml_read(call->answer, call->length, fields, 4) && id[0] != '\0' && secret[0] != '\0' &&
        token[0] != '\0') {
        keys.expires = aws_time_iso(expires);
        rc = keys.expires == 0 ? VV_EINVAL : 0;
    }
    if (rc == 0)
        aws_keys_keep(req, &keys, ret_keys);
    explicit_bzero(secret, sizeof secret);
    explicit_bzero(token, sizeof token);
    return rc;
}
