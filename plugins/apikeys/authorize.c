/* GET /api-keys/authorize: the decision from headers alone, for a proxy in front of an application.
 */
#include "apikeys.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define OVER_LIMIT_IS_429 1

/* ---- what is called ---------------------------------------------------------------------------
 */

/* The length of the UTF-8 character at `at`; 0: it is none, or a control character. */
static size_t endpoint_character(const unsigned char *at)
{
    size_t length = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    uint32_t code = length == 1 ? at[0] : at[0] & (0x7fU >> length);
    static const uint32_t least[] = {0, 0x20, 0x80, 0x800, 0x10000};

    if ((at[0] >= 0x80 && at[0] < 0xc2) || at[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    if (code < least[length] || code == 0x7f || code > 0x10ffff ||
        (code >= 0xd800 && code < 0xe000))
        return 0;
    return length;
}

bool apikeys_endpoint(const char *uri, char ret_endpoint[APIKEYS_ENDPOINT_SIZE])
{
    const char *authority = strstr(uri, "://"), *end, *at;
    size_t length, characters = 0;

    if (authority != NULL && authority < uri + strcspn(uri, "/?#"))
        uri = authority + 3 + strcspn(authority + 3, "/?#");
    end = uri + strcspn(uri, "?#");
    for (at = uri; at < end; at += length) {
        length = endpoint_character((const unsigned char *)at);
        if (length == 0)
            return false;
        if (++characters <= VV_ENDPOINT_MAX)
            memcpy(ret_endpoint + (at - uri), at, length);
        if (characters == VV_ENDPOINT_MAX)
            ret_endpoint[at - uri + (ptrdiff_t)length] = '\0';
    }
    if (characters < VV_ENDPOINT_MAX)
        ret_endpoint[end - uri] = '\0';
    return characters > 0;
}

/* Only a word in the caller's own history: whoever shows a key may say what it is for. */
static const char *authorize_endpoint(struct vv_request *req)
{
    const char *uri = vv_header(req, "X-Original-URI");
    char *endpoint = vv_alloc(req, APIKEYS_ENDPOINT_SIZE);

    if (uri == NULL)
        uri = vv_header(req, "X-Forwarded-Uri");
    return uri != NULL && apikeys_endpoint(uri, endpoint) ? endpoint : NULL;
}

/* ---- limits -----------------------------------------------------------------------------------
 */

/* What a limit that is reached is told with: not every proxy passes 429 on. */
static uint32_t authorize_status(void)
{
    return apikeys_conf()->authorize_over_limit == OVER_LIMIT_IS_429 ? 429 : 403;
}

/* Counts keys that nobody has, per network; `amount` 0: may it try any? */
static int authorize_misses(struct vv_request *req, uint32_t amount)
{
    const char *network = vv_info(req, VV_INFO_NETWORK);
    struct vv_rate_state state;
    int64_t seconds;

    VV_TRY(vv_rate_take("misses", network == NULL ? "" : network, &apikeys_conf()->misses, amount,
                        &state));
    if (state.allowed || amount > 0)
        return 0;
    seconds = (state.retry_after + 999999) / 1000000;
    vv_reply_header(req, "Retry-After",
                    vv_printf(req, "%" PRId64, seconds < 1 ? (int64_t)1 : seconds));
    return vv_fail(req, authorize_status(), "rate_limited",
                   "Too many unknown API keys came from your network; try again a little later");
}

static int authorize_refuse(struct vv_request *req, const struct vv_verdict *verdict)
{
    int rc;

    if (verdict->outcome == VV_UNKNOWN_CALLER)
        VV_TRY(authorize_misses(req, 1));
    /* It sets the headers also where another status takes the place of its own. */
    rc = vv_entitlements()->answer(req, verdict);
    if (verdict->outcome == VV_OVER_QUOTA)
        return vv_fail(req, authorize_status(), "quota_exceeded",
                       "This period's calls are used up: %" PRId64 " of %" PRId64, verdict->used,
                       verdict->limit);
    if (verdict->outcome == VV_OVER_RATE)
        return vv_fail(req, authorize_status(), "rate_limited",
                       "Too many calls at once; try again shortly");
    return rc;
}

/* ---- the route --------------------------------------------------------------------------------
 */

/* Every one of them is always there, so that a proxy never takes what its client sent instead. */
static int authorize_allow(struct vv_request *req, const struct vv_verdict *verdict)
{
    struct vv_json *json = vv_object(req);

    VV_TRY(vv_entitlements()->answer(req, verdict));
    vv_reply_header(req, "X-User-Id", vv_printf(req, "%" PRId64, verdict->user_id));
    vv_reply_header(req, "X-Key-Id", vv_printf(req, "%" PRId64, verdict->credential_id));
    vv_reply_header(req, "X-Plan", verdict->plan_id[0] == '\0' ? "none" : verdict->plan_id);
    apikeys_used(verdict->credential_id);
    vv_put(json, "valid", VV_BOOL(true));
    return vv_reply(req, 200, json);
}

int apikeys_authorize(struct vv_request *req)
{
    const char *key = vv_header(req, "X-API-Key");
    struct vv_verdict verdict = {.size = sizeof verdict};
    struct vv_ask ask = VV_ASK(0, NULL, 1);
    uint8_t digest[KEY_DIGEST];

    if (key == NULL)
        return vv_fail(req, 401, "unauthorized", "An API key is needed, in the header X-API-Key");
    if (strlen(key) > KEY_ASKED_MAX || !apikeys_may_exist(key))
        return apikeys_unknown(req);
    VV_TRY(authorize_misses(req, 0));
    apikeys_digest(key, strlen(key), digest);
    ask.credential = digest;
    ask.endpoint = authorize_endpoint(req);
    VV_TRY(vv_entitlements()->decide(req, &ask, &verdict));
    return verdict.outcome == VV_ALLOWED ? authorize_allow(req, &verdict)
                                         : authorize_refuse(req, &verdict);
}
