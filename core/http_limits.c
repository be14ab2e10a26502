/* Rates: the calls of an address and of a user are counted, and the answer says how many are left.
 */
#include "http_inside.h"

#include "rate_limits.h"

/* Appends `"limit";q=100;w=60` to a list with an item for each limit that was looked at, as
 * draft-ietf-httpapi-ratelimit-headers has it. */
static void limits_header(struct vv_http *http, const char *name, const char *limit,
                          const char *count_key, int64_t count, const char *time_key, int64_t time)
{
    const struct vv_http_header *before = vv_http_find_header(http, name);
    struct vv_buffer list;

    vv_buffer_init(&list, http->req->arena);
    if (before != NULL) {
        vv_buffer_text(&list, before->value);
        vv_buffer_text(&list, ", ");
    }
    vv_buffer_char(&list, '"');
    vv_buffer_text(&list, limit);
    vv_buffer_text(&list, count_key);
    vv_buffer_int(&list, count);
    vv_buffer_text(&list, time_key);
    vv_buffer_int(&list, time);
    vv_http_set_header(http, name, list.data);
}

static int limits_count(struct vv_http *http, const struct vv_config_limit *limit, const char *key,
                        const char *why)
{
    struct vv_request *req = http->req;
    struct vv_limit_answer answer = vv_limits_take(limit->class_, key, limit->rate, 1);

    limits_header(http, "RateLimit-Policy", limit->name, "\";q=", limit->rate.count,
                  ";w=", VV_MAX(limit->rate.period / 1000, 1));
    limits_header(http, "RateLimit", limit->name, "\";r=", answer.remaining,
                  ";t=", (answer.reset + 999999) / 1000000);
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
    char key[VV_INT_TEXT];

    if (limit->rate.count == 0)
        return 0;
    (void)vv_int_text(http->caller->user_id, key);
    return limits_count(http, limit, key, "Too many requests of yours; try again a little later");
}
