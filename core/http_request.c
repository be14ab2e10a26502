/* A request's way: judged, routed, limited, identified, checked against its schema, handled. */
#include "http_inside.h"

#include "config.h"
#include "json.h"
#include "log.h"
#include "plugin.h"
#include "schema.h"
#include <event2/buffer.h>
#include <event2/http.h>
#include <strings.h>

#define REQUEST_PAIRS 64

static unsigned request_active;

unsigned vv_http_active(void)
{
    return request_active;
}

/* ---- steps on the loop: none of them waits ------------------------------------------------- */

static int request_route(struct vv_http *http)
{
    struct vv_request *req = http->req;

    vv_router_match(http->verb, http->path, &http->match);
    if (http->match.entry != NULL && (!http->conn->metrics || http->verb == VV_GET)) {
        if (http->conn->metrics && strcmp(http->path, "/metrics") != 0)
            return vv_request_fail(req, 404, "not_found", "There is nothing here");
        return 0;
    }
    if (http->match.allow == 0)
        return vv_request_fail(req, 404, "not_found", "There is nothing here");
    vv_http_set_header(http, "Allow", vv_http_allow(req->arena, http->match.allow));
    return vv_request_fail(req, 405, "method_not_allowed",
                           "This method is not possible here; Allow names those that are");
}

/* OPTIONS: a browser's preflight, or a question for Allow. */
static int request_options(struct vv_http *http)
{
    const char *origin = vv_http_header(http->req, "Origin");
    unsigned all = (1U << (VV_DELETE + 1)) - 2;

    vv_router_match(0, http->path, &http->match);
    if (strcmp(http->path, "*") == 0)
        http->match.allow = all;
    if (http->match.allow == 0)
        return vv_request_fail(http->req, 404, "not_found", "There is nothing here");
    if (origin != NULL && vv_http_header(http->req, "Access-Control-Request-Method") != NULL)
        (void)vv_cors_preflight(http, origin);
    vv_http_set_header(http, "Allow", vv_http_allow(http->req->arena, http->match.allow));
    http->status = 204;
    return VV_DONE;
}

/* application/json, with charset=utf-8 or without. */
static bool request_type_json(const char *type)
{
    const char *rest;

    if (type == NULL || strncasecmp(type, "application/json", 16) != 0)
        return false;
    rest = type + 16 + strspn(type + 16, " \t");
    if (*rest == '\0')
        return true;
    if (*rest++ != ';')
        return false;
    rest += strspn(rest, " \t");
    return *rest == '\0' || strcasecmp(rest, "charset=utf-8") == 0 ||
           strcasecmp(rest, "charset=\"utf-8\"") == 0;
}

static int request_body_type(struct vv_http *http)
{
    const struct vv_route *route = http->match.entry->route;

    if (http->length == 0 || (route->flags & VV_RAW_BODY) || http->verb == VV_GET)
        return 0;
    if (request_type_json(vv_http_header(http->req, "Content-Type")))
        return 0;
    return vv_request_fail(http->req, 415, "unsupported_media_type",
                           "The body must be JSON, with Content-Type: application/json");
}

/* ---- steps on the fiber --------------------------------------------------------------------- */

static int request_identify(struct vv_http *http)
{
    struct vv_request *req = http->req;
    const struct vv_route *route = http->match.entry->route;
    uint32_t who = route->who;
    struct vv_identify identify = {.size = sizeof identify, .who = who};
    struct vv_event event = {.size = sizeof event, .name = "request.identify", .data = &identify};
    int rc;

    if (who == VV_ANYONE || (route->flags & VV_SELF_IDENTIFIED) != 0)
        return 0;
    identify.authorization = vv_http_header(req, "Authorization");
    identify.api_key = vv_http_header(req, "X-API-Key");
    rc = vv_plugin_emit(NULL, req, &event);
    if (rc < 0)
        return rc;
    if (http->caller != NULL && http->caller->who == who)
        return 0;
    http->caller = NULL;
    if (identify.authorization == NULL && identify.api_key == NULL)
        return vv_request_fail(req, 401, "unauthorized", "Please sign in first");
    return vv_request_fail(req, 401, "unauthorized", "These credentials are not valid here");
}

/* Path parameters first, then the query string's; checked together. */
static int request_args(struct vv_http *http)
{
    const struct vv_route *route = http->match.entry->route;
    struct vv_request *req = http->req;
    struct vv_schema_pair pairs[VV_ROUTER_PARAMS + REQUEST_PAIRS];
    size_t i, count = 0;
    char *text, *next;

    if (route->query == NULL && http->match.param_count == 0)
        return 0;
    for (i = 0; i < http->match.param_count; i++) {
        pairs[count].path = true;
        pairs[count].name = vv_arena_strndup(req->arena, http->match.params[i].name,
                                             http->match.params[i].name_length);
        pairs[count++].value =
            vv_arena_strndup(req->arena, http->match.params[i].value, http->match.params[i].length);
    }
    text = http->query == NULL ? NULL : vv_arena_strdup(req->arena, http->query);
    for (; text != NULL && *text != '\0'; text = next) {
        size_t length = strcspn(text, "&"), name;

        next = text[length] == '&' ? text + length + 1 : text + length;
        text[length] = '\0';
        name = strcspn(text, "=");
        if (length == 0)
            continue;
        if (count == VV_ARRAY_SIZE(pairs))
            return vv_request_fail(req, 400, "bad_request", "The query string has too many parts");
        pairs[count].path = false;
        pairs[count].name = text;
        pairs[count].value = text[name] == '=' ? text + name + 1 : text + name;
        text[name] = '\0';
        if (vv_http_decode(text, name, true) == SIZE_MAX ||
            vv_http_decode(text + name + (name < length), name < length ? length - name - 1 : 0,
                           true) == SIZE_MAX)
            return vv_request_fail(req, 400, "bad_request",
                                   "The query string holds a broken percent escape");
        count++;
    }
    http->args = vv_schema_check_args(req, route->query, pairs, count);
    return http->args == NULL ? VV_EFAIL : 0;
}

static int request_body(struct vv_http *http)
{
    const struct vv_route *route = http->match.entry->route;
    struct vv_request *req = http->req;
    const struct vv_value *value;
    const char *why, *text = http->bytes;
    size_t length = http->length;
    int rc;

    if ((route->flags & VV_RAW_BODY) || http->verb == VV_GET)
        return 0;
    if (length == 0) {
        if (route->body == NULL)
            return 0;
        if (!(route->flags & VV_OPTIONAL_BODY))
            return vv_request_fail(req, 400, "body_required",
                                   "This needs a JSON object in the body");
        text = "{}";
        length = 2;
    }
    rc = vv_json_parse(req, text, length, &value, &why);
    if (rc < 0)
        return vv_request_fail(req, 400, "malformed_json", why);
    if (vv_value_kind(value) != VV_TYPE_OBJECT)
        return vv_request_fail(req, 400, "malformed_json", "The body must be a JSON object");
    if (route->body == NULL) {
        http->body = value;
        return 0;
    }
    http->body = vv_schema_check(req, route->body, value);
    return http->body == NULL ? VV_EFAIL : 0;
}

static int request_run(struct vv_request *req, void *arg)
{
    struct vv_http *http = arg;
    const struct vv_route *route = http->match.entry->route;

    vv_fiber_label(route->pattern);
    VV_TRY(request_identify(http));
    VV_TRY(vv_http_limit_user(http));
    VV_TRY(request_args(http));
    VV_TRY(request_body(http));
    req->plugin = http->match.entry->plugin;
    return route->handler(req);
}

static void request_end(struct vv_http *http, int result)
{
    struct vv_request *req = http->req;

    vv_http_finish(http, result);
    request_active--;
    vv_request_end(req);
}

static void request_done(struct vv_request *req, void *arg, int result)
{
    (void)req;
    request_end(arg, result);
}

/* ---- the beginning -------------------------------------------------------------------------- */

static void request_verb(struct vv_http *http)
{
    switch (evhttp_request_get_command(http->evreq)) {
    case EVHTTP_REQ_GET:
        http->verb = VV_GET;
        http->method = "GET";
        break;
    case EVHTTP_REQ_HEAD:
        http->verb = VV_GET;
        http->head = true;
        http->method = "HEAD";
        break;
    case EVHTTP_REQ_POST:
        http->verb = VV_POST;
        http->method = "POST";
        break;
    case EVHTTP_REQ_PUT:
        http->verb = VV_PUT;
        http->method = "PUT";
        break;
    case EVHTTP_REQ_PATCH:
        http->verb = VV_PATCH;
        http->method = "PATCH";
        break;
    case EVHTTP_REQ_DELETE:
        http->verb = VV_DELETE;
        http->method = "DELETE";
        break;
    case EVHTTP_REQ_OPTIONS:
        http->options = true;
        http->method = "OPTIONS";
        break;
    default:
        http->method = "OTHER";
    }
}

/* 0: go on, with http->match; else the answer is known. */
static int request_begin(struct vv_http *http)
{
    if (!vv_http_target(http, evhttp_request_get_uri(http->evreq)))
        return VV_EFAIL;
    if (http->options)
        return request_options(http);
    VV_TRY(request_route(http));
    VV_TRY(vv_http_limit_address(http));
    return request_body_type(http);
}

static void request_spawn(struct vv_http *http)
{
    const struct vv_route *route = http->match.entry->route;
    struct vv_request *req = http->req;
    int64_t limit = route->deadline != 0 ? route->deadline : vv_config->server.request_timeout;

    req->deadline = req->started + limit * 1000;
    if (route->flags & VV_QUICK_ROUTE) {
        request_end(http, request_run(req, http));
        return;
    }
    if (vv_request_spawn(req, request_run, request_done, http) >= 0)
        return;
    request_end(http, vv_request_error(req, VV_EBUSY));
}

void vv_http_dispatch(struct evhttp_request *evreq, void *arg)
{
    struct vv_conn *conn = vv_conn_of(evreq);
    struct evbuffer *body = evhttp_request_get_input_buffer(evreq);
    char buffer[65];
    const char *id = evhttp_find_header(evhttp_request_get_input_headers(evreq), "X-Request-Id");
    struct vv_request *req = vv_request_new(VV_UNIT_HTTP, NULL, vv_http_id(id, buffer), 0);
    struct vv_http *http = vv_arena_alloc(req->arena, sizeof *http);
    int rc;

    (void)arg;
    vv_assert(conn->http == NULL);
    conn->http = http;
    conn->dispatched++;
    conn->deadline = 0;
    req->http = http;
    http->req = req;
    http->conn = conn;
    http->evreq = evreq;
    http->length = evbuffer_get_length(body);
    http->bytes = http->length == 0 ? "" : (const char *)evbuffer_pullup(body, -1);
    request_active++;
    request_verb(http);
    rc = request_begin(http);
    if (rc != 0)
        request_end(http, rc);
    else
        request_spawn(http);
}
