/* Rates: the calls of an address and of a user are counted, and the answer says how many are left.
 */
#include "http_inside.h"

#include "rate_limits.h"
#include <stdio.h>

/* A list with an item for each limit that was looked at: draft-ietf-httpapi-ratelimit-headers. */
static void limits_header(struct vv_http *http, const char *name, const char *item)
{
    const struct vv_http_header *before = vv_http_find_header(http, name);

    if (before != NULL)
        item = vv_arena_printf(http->req->arena, "%s, %s", before->value, item);
    vv_http_set_header(http, name, item);
}

static int limits_count(struct vv_http *http, const struct vv_config_limit *limit, const char *key,
                        const char *why)
{
    struct vv_request *req = http->req;
    struct vv_limit_answer answer = vv_limits_take(limit->class_, key, limit->rate, 1);

    limits_header(http, "RateLimit-Policy",
                  vv_arena_printf(req->arena, "\"%s\";q=%lld;w=%lld", limit->name,
                                  (long long)limit->rate.count,
                                  (long long)VV_MAX(limit->rate.period / 1000, 1)));
    limits_header(http, "RateLimit",
                  vv_arena_printf(req->arena, "\"%s\";r=%lld;t=%lld", limit->name,
                                  (long long)answer.remaining,
                                  (long long)((answer.reset + 999999) / 1000000)));
    if (answer.allowed)
        return 0;
    (void)vv_request_fail(req, 429, "rate_limited", why);
    req->problem.retry_after = VV_MAX((answer.retry_after + 999999) / 1000000, 1);
    return VV_EFAIL;
}

int vv_http_limit_address(struct vv_http *http)
{
    const struct vv_config_limit *limit = &http->match.entry->limits[VV_PER_ADDRESS];

    if (limit->rate.count == 0)
        return 0;
    return limits_count(http, limit, vv_http_info(http->req, VV_INFO_NETWORK),
                        "Too many requests from your network; try again a little later");
}

int vv_http_limit_user(struct vv_http *http)
{
    const struct vv_config_limit *limit = &http->match.entry->limits[VV_PER_USER];
    char key[24];

    if (limit->rate.count == 0)
        return 0;
    snprintf(key, sizeof key, "%lld", (long long)http->caller->user_id);
    return limits_count(http, limit, key, "Too many requests of yours; try again a little later");
}
