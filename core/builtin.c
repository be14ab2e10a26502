/* The core's own routes: health and metrics. */
#include "http_inside.h"

#include "config.h"
#include "db.h"
#include "json.h"
#include "metrics.h"
#include "openapi.h"
#include "plugin.h"
#include "process.h"
#include <strings.h>

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

static bool builtin_database(struct vv_json *json)
{
    bool fine = vv_db_ready();

    vv_json_open(json, "database", VV_JSON_OBJECT);
    vv_json_put(json, "status", VV_TEXT(fine ? "healthy" : "unhealthy"));
    if (fine)
        vv_json_put(json, "latency_ms", VV_REAL((double)vv_db_latency() / 1000));
    vv_json_close(json);
    return fine;
}

static void builtin_remark(struct vv_request *req, const char *text)
{
    vv_buffer_text(req->print_arg, text);
}

/* A plugin's check runs as the plugin, on this fiber; what it fails with is its remark. */
static bool builtin_check(struct vv_request *req, struct vv_json *json, struct vv_self *plugin,
                          const struct vv_check *check)
{
    struct vv_problem saved = req->problem;
    struct vv_buffer remark;
    int rc;

    vv_buffer_init(&remark, req->arena);
    req->print = builtin_remark;
    req->print_arg = &remark;
    req->plugin = plugin;
    rc = check->function(req);
    req->plugin = NULL;
    req->print = NULL;
    req->print_arg = NULL;
    if (rc < 0)
        (void)vv_request_error(req, rc);
    vv_json_open(json, check->name, VV_JSON_OBJECT);
    vv_json_put(json, "status", VV_TEXT(rc < 0 ? "unhealthy" : "healthy"));
    if (rc < 0)
        vv_json_put(json, "detail", VV_TEXT(req->problem.detail));
    else if (remark.length > 0)
        vv_json_put(json, "detail", VV_TEXT(remark.data));
    vv_json_close(json);
    req->problem = saved;
    return rc >= 0;
}

static int builtin_health(struct vv_request *req)
{
    struct vv_json *json = vv_json_new(req, VV_JSON_OBJECT);
    struct vv_json *checks = vv_json_new(req, VV_JSON_OBJECT);
    bool fine = builtin_database(checks);
    size_t i, k;

    for (i = 0; i < vv_plugins->enabled_count; i++) {
        struct vv_self *plugin = vv_plugins->all[i];

        for (k = 0; k < plugin->check_count; k++) {
            if ((plugin->checks[k].flags & VV_CHECK_HEALTH) &&
                !builtin_check(req, checks, plugin, &plugin->checks[k]))
                fine = false;
        }
    }
    vv_json_put(json, "status", VV_TEXT(fine ? "healthy" : "unhealthy"));
    vv_json_put(json, "version", VV_TEXT(VV_VERSION));
    vv_json_put(json, "uptime_seconds", VV_INT(vv_uptime() / 1000000));
    vv_json_open(json, "plugins", VV_JSON_OBJECT);
    for (i = 0; i < vv_plugins->enabled_count; i++)
        vv_json_put(json, vv_plugins->all[i]->name,
                    VV_TEXT(vv_plugins->all[i]->descriptor.version));
    vv_json_close(json);
    vv_json_put(json, "checks", VV_JSON(vv_json_finish(checks, NULL)));
    return vv_http_reply(req, fine ? 200 : 503, json);
}

static int builtin_status(struct vv_request *req, uint32_t status, const char *text)
{
    struct vv_json *json = vv_json_new(req, VV_JSON_OBJECT);

    vv_json_put(json, "status", VV_TEXT(text));
    return vv_http_reply(req, status, json);
}

static int builtin_live(struct vv_request *req)
{
    return builtin_status(req, 200, "alive");
}

static int builtin_ready(struct vv_request *req)
{
    if (vv_db_ready() && vv_metrics_schema_ready() && !vv_worker_draining())
        return builtin_status(req, 200, "ready");
    return builtin_status(req, 503, "not_ready");
}

static bool builtin_token_fits(const char *authorization, const char *token)
{
    if (authorization == NULL || strncasecmp(authorization, "Bearer ", 7) != 0)
        return false;
    authorization += 7;
    return strlen(authorization) == strlen(token) &&
           vv_equal_secret(authorization, token, strlen(token));
}

static int builtin_metrics(struct vv_request *req)
{
    const char *token = vv_config->metrics.token;
    struct vv_buffer text;

    if (!req->http->conn->metrics) {
        if (token == NULL || token[0] == '\0')
            return vv_request_fail(req, 404, "not_found", "There is nothing here");
        if (!builtin_token_fits(vv_http_header(req, "Authorization"), token))
            return vv_request_fail(req, 401, "unauthorized", "The token for metrics is needed");
    }
    vv_buffer_init(&text, req->arena);
    vv_metrics_text(&text);
    return vv_http_reply_bytes(req, 200, METRICS_TYPE, text.data, text.length);
}

static const struct vv_field status_reply[] = {
    VV_FIELD_TEXT("status", 0, 0, VV_REQUIRED, "How it is"),
    VV_END,
};

static const struct vv_field health_reply[] = {
    VV_FIELD_ENUM("status", "healthy|unhealthy", VV_REQUIRED, "How it is on the whole"),
    VV_FIELD_TEXT("version", 0, 0, VV_REQUIRED, "The server's version"),
    VV_FIELD_INT("uptime_seconds", 0, 0, VV_REQUIRED, "Since the server was started"),
    VV_FIELD_OBJECT("plugins", NULL, VV_REQUIRED, "The version of each plugin"),
    VV_FIELD_OBJECT("checks", NULL, VV_REQUIRED, "The state of each part"),
    VV_END,
};

const struct vv_route vv_builtin_routes[] = {
    VV_ROUTE(VV_GET, "/health", VV_ANYONE, builtin_health, .reply = health_reply,
             .summary = "How the server and its parts are"),
    VV_ROUTE(VV_GET, "/health/live", VV_ANYONE, builtin_live, .flags = VV_QUICK_ROUTE,
             .reply = status_reply, .summary = "Whether the process runs"),
    VV_ROUTE(VV_GET, "/health/ready", VV_ANYONE, builtin_ready, .flags = VV_QUICK_ROUTE,
             .reply = status_reply, .summary = "Whether to send it traffic"),
    VV_ROUTE(VV_GET, "/metrics", VV_ANYONE, builtin_metrics,
             .flags = VV_QUICK_ROUTE | VV_HIDDEN_ROUTE, .summary = "Metrics for Prometheus"),
    VV_ROUTE(VV_GET, "/openapi.json", VV_ANYONE, vv_openapi_document, .flags = VV_HIDDEN_ROUTE,
             .summary = "This document"),
    VV_ROUTE(VV_GET, "/docs", VV_ANYONE, vv_openapi_page, .flags = VV_HIDDEN_ROUTE,
             .summary = "A page that shows it"),
    VV_END,
};
