/* Says who calls, by the access token in the Authorization header. */
#include "auth.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#define CACHE_SETS 4096
#define CACHE_WAYS 4

/* A token that was verified once, under its digest: the signature does not change, so only the
 * clock and the ended sessions are looked at again. */
struct known_token {
    uint8_t digest[AUTH_DIGEST];
    struct auth_claims claims; /* user_id 0: free */
};

static struct known_token (*cache)[CACHE_WAYS];
static struct auth_expected expected;
const struct auth_expected *auth_expected = &expected;

int auth_identify_setup(struct vv_request *req)
{
    const struct auth_conf *conf = auth_conf();
    const char *url = vv_server_option("public_url");

    expected.issuer = conf->issuer != NULL ? conf->issuer : url != NULL ? url : "vvserver";
    expected.audience = conf->audience != NULL ? conf->audience : expected.issuer;
    expected.lifetime = (conf->access_token_ttl + 999) / 1000;
    cache = vv_alloc(req, CACHE_SETS * sizeof *cache);
    return 0;
}

static bool identify_claims(struct vv_request *req, const char *token, struct auth_claims *ret)
{
    size_t length = strlen(token), oldest = 0;
    struct known_token *ways;
    uint8_t digest[AUTH_DIGEST];

    auth_sha256(token, length, digest);
    ways = cache[(digest[0] | digest[1] << 8) % CACHE_SETS];
    for (size_t i = 0; i < CACHE_WAYS; i++) {
        if (ways[i].claims.user_id != 0 && memcmp(ways[i].digest, digest, sizeof digest) == 0) {
            *ret = ways[i].claims;
            return true;
        }
        if (ways[i].claims.expires < ways[oldest].claims.expires)
            oldest = i;
    }
    if (!auth_jwt_verify(req, token, length, auth_expected, ret))
        return false;
    memcpy(ways[oldest].digest, digest, sizeof digest);
    ways[oldest].claims = *ret;
    return true;
}

int auth_identify(struct vv_request *req, struct vv_event *event)
{
    const struct vv_identify *identify = event->data;
    struct vv_caller caller = {.size = sizeof caller, .who = VV_USER};
    const char *token = identify->authorization;
    struct auth_claims claims;

    if (identify->who != VV_USER || token == NULL || strncasecmp(token, "Bearer ", 7) != 0)
        return VV_NEXT;
    token += 7;
    while (*token == ' ')
        token++;
    VV_TRY(auth_revocations_ready(req));
    if (!identify_claims(req, token, &claims) || !auth_jwt_current(&claims, time(NULL)) ||
        auth_revoked(claims.session_id))
        return vv_fail(req, 401, "invalid_token",
                       "The access token is not valid, or not any more; please log in again");
    caller.user_id = claims.user_id;
    caller.session_id = claims.session_id;
    return vv_set_caller(req, &caller);
}
