/* Outgoing calls: when one is repeated, when it is given up, and what the log says of it. */
#include "log.h"
#include "metrics.h"
#include "outgoing_inside.h"

#include <strings.h>

#define OUTGOING_ATTEMPTS        3
#define OUTGOING_TIMEOUT         20000 /* milliseconds */
#define OUTGOING_ATTEMPT_TIMEOUT 10000
#define OUTGOING_MAX_BODY        (4u << 20)
#define OUTGOING_BACKOFF         250 /* milliseconds before the second attempt, doubling */
#define OUTGOING_MOST_BACKOFF    8000

static struct vv_http_call outgoing_with_defaults(const struct vv_http_call *call)
{
    struct vv_http_call copy = {.size = sizeof copy};

    memcpy(&copy, call, VV_MIN((size_t)call->size, sizeof copy));
    copy.size = sizeof copy;
    copy.attempts = copy.retry == VV_HTTP_ONCE ? 1 : copy.attempts;
    copy.attempts = copy.attempts == 0 ? OUTGOING_ATTEMPTS : copy.attempts;
    copy.timeout = copy.timeout == 0 ? OUTGOING_TIMEOUT : copy.timeout;
    copy.attempt_timeout =
        copy.attempt_timeout == 0 ? OUTGOING_ATTEMPT_TIMEOUT : copy.attempt_timeout;
    copy.max_body = copy.max_body == 0 ? OUTGOING_MAX_BODY : copy.max_body;
    return copy;
}

/* Whether the next attempt would end in the same way. */
static bool outgoing_hopeless(CURLcode code)
{
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_NOT_BUILT_IN:
    case CURLE_WRITE_ERROR: /* we refused: too long */
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return true;
    default:
        return false;
    }
}

static bool outgoing_again(const struct vv_http_call *call, const struct outgoing_attempt *attempt)
{
    if (attempt->code != CURLE_OK)
        return !outgoing_hopeless(attempt->code) &&
               (call->retry == VV_HTTP_AGAIN || !attempt->sent);
    if (attempt->status == 429 || attempt->status == 503)
        return true;
    return call->retry == VV_HTTP_AGAIN && (attempt->status == 409 || attempt->status >= 500);
}

/* Milliseconds: doubling, less up to half of it, so that what failed together does not come back
 * together; but no sooner than the other side wants. */
static int64_t outgoing_backoff(const struct outgoing_attempt *attempt, uint32_t number)
{
    int64_t pause = OUTGOING_BACKOFF;
    uint32_t chance;

    for (; number > 1 && pause < OUTGOING_MOST_BACKOFF; number--)
        pause *= 2;
    vv_random_bytes(&chance, sizeof chance);
    pause = VV_MIN(pause, (int64_t)OUTGOING_MOST_BACKOFF) * (50 + chance % 51) / 100;
    return VV_MAX(pause, VV_MIN(attempt->retry_after, (int64_t)INT32_MAX) * 1000);
}

/* All attempts. What the last one left is in `attempt`; `ret_number` says how many there were. */
static int outgoing_attempts(const struct vv_http_call *call, struct outgoing_attempt *attempt,
                             uint32_t *ret_number)
{
    int64_t deadline = vv_clock_steady() / 1000 + call->timeout;
    int rc = 0;

    for (*ret_number = 1; rc == 0; ++*ret_number) {
        int64_t left = deadline - vv_clock_steady() / 1000;
        int64_t pause;

        outgoing_prepare(attempt, call,
                         VV_MAX(VV_MIN(left, (int64_t)call->attempt_timeout), INT64_C(1)));
        rc = outgoing_run(attempt);
        outgoing_dispose(attempt);
        if (rc < 0 || *ret_number >= call->attempts || !outgoing_again(call, attempt))
            break;
        pause = outgoing_backoff(attempt, *ret_number);
        if (vv_clock_steady() / 1000 + pause >= deadline)
            break;
        vv_buffer_free(&attempt->body);
        rc = outgoing_pause(attempt, pause);
        if (rc < 0)
            break;
    }
    return rc;
}

/* scheme://host/path of the URL: what follows may be a secret, and so may what stands before '@'.
 */
static char *outgoing_name(struct vv_request *req, const char *url)
{
    const char *host = strstr(url, "://") + 3;
    size_t authority = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', authority);
    const char *from = at == NULL ? host : at + 1;

    return vv_arena_printf(req->arena, "%.*s%.*s", (int)(host - url), url, (int)strcspn(from, "?#"),
                           from);
}

/* Why there is no answer. */
static const char *outgoing_reason(const struct outgoing_attempt *attempt, int rc)
{
    if (rc == VV_ECANCELED)
        return "the time of its request was over";
    if (attempt->too_long)
        return "the answer is longer than is allowed";
    if (attempt->code == CURLE_OK)
        return "this process ends";
    return attempt->reason[0] != '\0' ? attempt->reason : curl_easy_strerror(attempt->code);
}

static void outgoing_log(struct vv_self *self, struct vv_request *req,
                         const struct vv_http_call *call, const struct outgoing_attempt *attempt,
                         uint32_t number, int rc)
{
    const char *name = outgoing_name(req, call->url);
    const char *plural = number == 1 ? "" : "s";
    bool failed = rc < 0 || attempt->status == 429 || attempt->status >= 500;

    if (rc < 0)
        vv_log_line(VV_LOG_WARNING, self, req, "%s %s failed: %s after %u attempt%s", call->method,
                    name, outgoing_reason(attempt, rc), number, plural);
    else
        vv_log_line(failed ? VV_LOG_WARNING : VV_LOG_DEBUG, self, req,
                    "%s %s %s %u after %u attempt%s", call->method, name,
                    failed ? "failed:" : "answered", attempt->status, number, plural);
}

static struct vv_http_answer *outgoing_answer(struct vv_request *req,
                                              struct outgoing_attempt *attempt)
{
    struct vv_http_answer *answer = vv_arena_alloc(req->arena, sizeof *answer);

    answer->status = attempt->status;
    answer->headers = attempt->first;
    answer->body = attempt->body.data;
    answer->length = attempt->body.length;
    if (answer->length > 0)
        (void)vv_request_defer(req, free, attempt->body.data);
    return answer;
}

static int outgoing_refuse(struct vv_self *self, struct vv_request *req, const char *why)
{
    vv_log_line(VV_LOG_ERROR, self, req, "vv_http_call(): %s", why);
    return vv_request_error(req, VV_EINVAL);
}

int vv_outgoing_call(struct vv_self *self, struct vv_request *req, const struct vv_http_call *call,
                     struct vv_http_answer **ret_answer)
{
    struct vv_http_call copy = outgoing_with_defaults(call);
    struct outgoing_attempt attempt = {.req = req, .max_body = copy.max_body};
    const char *why = outgoing_check(req, &copy);
    uint32_t number;
    int rc = vv_request_may_wait(self, req, "call out");

    *ret_answer = NULL;
    if (rc < 0)
        return rc;
    if (why == NULL && vv_fiber_current() == NULL)
        why = "nothing may wait in init; call out in start, or later";
    if (why != NULL)
        return outgoing_refuse(self, req, why);
    vv_list_init(&attempt.link);
    rc = outgoing_attempts(&copy, &attempt, &number);
    if (rc == 0 && attempt.code != CURLE_OK)
        rc = attempt.code == CURLE_OPERATION_TIMEDOUT ? VV_ETIMEOUT : VV_EUNAVAILABLE;
    outgoing_log(self, req, &copy, &attempt, number, rc);
    vv_metrics_outgoing(rc == 0 ? attempt.status : 0);
    if (rc < 0) {
        vv_buffer_free(&attempt.body);
        return vv_request_error(req, rc);
    }
    *ret_answer = outgoing_answer(req, &attempt);
    return 0;
}

uint32_t vv_outgoing_status(const struct vv_http_answer *answer)
{
    return answer->status;
}

const char *vv_outgoing_body(const struct vv_http_answer *answer, size_t *ret_length)
{
    if (ret_length != NULL)
        *ret_length = answer->length;
    return answer->body;
}

const char *vv_outgoing_header(const struct vv_http_answer *answer, const char *name)
{
    const struct outgoing_header *header;

    for (header = answer->headers; header != NULL; header = header->next)
        if (strcasecmp(header->name, name) == 0)
            return header->value;
    return NULL;
}
