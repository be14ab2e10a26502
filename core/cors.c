/* CORS: which origins a browser may call from, told in answers and in preflights. */
#include "http_inside.h"

#include "config.h"
#include <event2/http.h>

#define CORS_EXPOSED "X-Request-Id, Retry-After, RateLimit, RateLimit-Policy"

/* The value of Access-Control-Allow-Origin; NULL: that origin may not. */
static const char *cors_allowed(const char *origin)
{
    const char *const *list = vv_config->server.cors_origins;

    for (; list != NULL && *list != NULL; list++) {
        if (strcmp(*list, "*") == 0)
            return "*";
        if (strcmp(*list, origin) == 0)
            return origin;
    }
    return NULL;
}

static bool cors_configured(void)
{
    const char *const *list = vv_config->server.cors_origins;

    return list != NULL && list[0] != NULL;
}

static bool cors_origin(struct vv_http *http, const char *origin)
{
    const char *allowed = cors_allowed(origin);

    if (allowed == NULL)
        return false;
    vv_http_set_header(http, "Access-Control-Allow-Origin", allowed);
    if (strcmp(allowed, "*") != 0)
        vv_http_set_header(http, "Access-Control-Allow-Credentials", "true");
    return true;
}

void vv_cors_reply(struct vv_http *http, const char *origin)
{
    if (!cors_configured())
        return;
    vv_http_set_header(http, "Vary",
                       "Origin"); /* caches must not mix answers, without Origin too */
    if (origin != NULL && cors_origin(http, origin))
        vv_http_set_header(http, "Access-Control-Expose-Headers", CORS_EXPOSED);
}

/* The methods are the path's own; the headers are those that the API reads. */
bool vv_cors_preflight(struct vv_http *http, const char *origin)
{
    if (!cors_origin(http, origin))
        return false;
    vv_http_set_header(http, "Access-Control-Allow-Methods",
                       vv_http_allow(http->req->arena, http->match.allow));
    vv_http_set_header(http, "Access-Control-Allow-Headers",
                       "Authorization, Content-Type, X-API-Key, X-Request-Id, Idempotency-Key");
    vv_http_set_header(http, "Access-Control-Max-Age", "600");
    return true;
}
