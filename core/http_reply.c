/* Answers: what handlers prepare, problems of RFC 9457, and the headers that every answer has. */
#include "http_inside.h"

#include "json.h"
#include "log.h"
#include "metrics.h"
#include "plugin.h"
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <strings.h>
#include <sys/queue.h>

const char *vv_http_reason(uint32_t status)
{
    static const struct {
        uint32_t status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {423, "Locked"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    size_t i;

    for (i = 0; i < VV_ARRAY_SIZE(reasons); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return status < 400 ? "OK" : status < 500 ? "Bad Request" : "Internal Server Error";
}

/* HEAD comes with GET, and OPTIONS is answered everywhere. */
const char *vv_http_allow(struct vv_arena *arena, unsigned allow)
{
    struct vv_buffer text;
    uint32_t method;

    vv_buffer_init(&text, arena);
    for (method = VV_GET; method <= VV_DELETE; method++) {
        if (!(allow & (1U << method)))
            continue;
        vv_buffer_printf(&text, "%s, ", vv_method_name(method));
        if (method == VV_GET)
            vv_buffer_text(&text, "HEAD, ");
    }
    vv_buffer_text(&text, "OPTIONS");
    return text.data;
}

void vv_http_problem(struct vv_buffer *out, const struct vv_problem *problem, const char *id)
{
    const char *detail = problem->detail == NULL ? "" : problem->detail;
    const char *code = problem->code == NULL ? "error" : problem->code;

    vv_buffer_text(out, "{\"type\":\"about:blank\",\"title\":\"");
    vv_buffer_text(out, vv_http_reason(problem->status));
    vv_buffer_text(out, "\",\"status\":");
    vv_buffer_int(out, problem->status);
    vv_buffer_text(out, ",\"detail\":");
    vv_buffer_json(out, detail, strlen(detail));
    vv_buffer_text(out, ",\"code\":");
    vv_buffer_json(out, code, strlen(code));
    vv_buffer_text(out, ",\"request_id\":");
    vv_buffer_json(out, id, strlen(id));
    if (problem->fields.length > 0) {
        vv_buffer_text(out, ",\"errors\":[");
        vv_buffer_add(out, problem->fields.data, problem->fields.length);
        vv_buffer_char(out, ']');
    }
    vv_buffer_char(out, '}');
}

struct vv_http_header *vv_http_find_header(struct vv_http *http, const char *name)
{
    struct vv_http_header *header = http->headers;

    while (header != NULL && strcasecmp(header->name, name) != 0)
        header = header->next;
    return header;
}

/* Both texts must live as long as the request. A second one of a name replaces the first, but for
 * those that may come several times. */
void vv_http_set_header(struct vv_http *http, const char *name, const char *value)
{
    struct vv_http_header *header = vv_http_find_header(http, name);

    if (header != NULL && strcasecmp(name, "Set-Cookie") != 0 && strcasecmp(name, "Vary") != 0 &&
        strcasecmp(name, "Link") != 0) {
        header->value = value;
        return;
    }
    header = vv_arena_alloc(http->req->arena, sizeof *header);
    header->name = name;
    header->value = value;
    if (http->headers_end == NULL)
        http->headers_end = &http->headers;
    *http->headers_end = header;
    http->headers_end = &header->next;
}

int vv_http_reply_header(struct vv_request *req, const char *name, const char *value)
{
    static const char *const ours[] = {"Content-Length", "Transfer-Encoding", "Connection", "Date"};
    const char *c;
    size_t i;

    if (req->http == NULL || name == NULL || value == NULL || name[0] == '\0')
        return VV_EINVAL;
    for (c = name; *c != '\0'; c++) {
        if (*c <= ' ' || *c == 0x7f || *c == ':' || (*c & 0x80))
            return VV_EINVAL;
    }
    for (c = value; *c != '\0'; c++) {
        if (((uint8_t)*c < ' ' && *c != '\t') || *c == 0x7f)
            return VV_EINVAL;
    }
    for (i = 0; i < VV_ARRAY_SIZE(ours); i++) {
        if (strcasecmp(name, ours[i]) == 0)
            return VV_EINVAL;
    }
    vv_http_set_header(req->http, vv_arena_strdup(req->arena, name),
                       vv_arena_strdup(req->arena, value));
    return 0;
}

static bool reply_status_valid(struct vv_request *req, uint32_t status)
{
    if (status >= 200 && status <= 599)
        return true;
    vv_log_line(VV_LOG_ERROR, NULL, req, "a handler replied with the status %u", status);
    return false;
}

int vv_http_reply(struct vv_request *req, uint32_t status, struct vv_json *json)
{
    struct vv_http *http = req->http;

    if (http == NULL || !reply_status_valid(req, status))
        return VV_EINVAL;
    http->status = status;
    http->content_type = "application/json";
    http->data = vv_json_finish(json, &http->data_length);
    return VV_DONE;
}

int vv_http_reply_bytes(struct vv_request *req, uint32_t status, const char *content_type,
                        const void *data, size_t length)
{
    struct vv_http *http = req->http;
    void *copy;

    if (http == NULL || !reply_status_valid(req, status))
        return VV_EINVAL;
    copy = vv_arena_alloc(req->arena, length + 1);
    if (length > 0)
        memcpy(copy, data, length);
    http->status = status;
    http->content_type = content_type == NULL ? NULL : vv_arena_strdup(req->arena, content_type);
    http->data = copy;
    http->data_length = length;
    return VV_DONE;
}

/* RFC 6750 §3: which scheme would help, and whether a token was there and bad. */
static void reply_challenge(struct vv_http *http)
{
    const struct vv_route_entry *entry = http->match.entry;
    const char *sent = vv_http_header(http->req, "Authorization");
    const char *challenge = "Bearer";

    if (vv_http_find_header(http, "WWW-Authenticate") != NULL)
        return; /* the handler knows better */
    if (entry != NULL && entry->route->who == VV_KEY)
        challenge = "ApiKey";
    else if (entry != NULL && entry->route->who != VV_ANYONE && sent != NULL &&
             strncasecmp(sent, "Bearer ", 7) == 0)
        challenge = "Bearer error=\"invalid_token\"";
    vv_http_set_header(http, "WWW-Authenticate", challenge);
}

static void reply_problem(struct vv_http *http)
{
    struct vv_request *req = http->req;
    struct vv_problem *problem = &req->problem;
    struct vv_buffer body;

    vv_buffer_init(&body, req->arena);
    vv_http_problem(&body, problem, req->id);
    http->status = problem->status;
    http->content_type = "application/problem+json";
    http->data = body.data;
    http->data_length = body.length;
    if (problem->status == 401)
        reply_challenge(http);
    if (problem->retry_after > 0 && vv_http_find_header(http, "Retry-After") == NULL)
        vv_http_set_header(http, "Retry-After",
                           vv_arena_printf(req->arena, "%lld", (long long)problem->retry_after));
}

/* Chooses what is answered after the handler's return. */
static void reply_choose(struct vv_http *http, int result)
{
    struct vv_request *req = http->req;

    if (result >= 0 && http->status != 0)
        return;
    if (result >= 0) {
        vv_log_line(VV_LOG_ERROR, req->plugin, req, "the handler of %s %s prepared no answer",
                    http->method, http->path == NULL ? "?" : http->path);
        result = VV_EFAIL;
        req->problem.status = 0;
    }
    (void)vv_request_error(req, result);
    reply_problem(http);
}

/* The date, made anew once a second. */
static const char *reply_date(void)
{
    static char text[40];
    static time_t made;
    time_t now = time(NULL);
    struct tm parts;

    if (now != made) {
        gmtime_r(&now, &parts);
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        made = now;
    }
    return text;
}

static void reply_line(struct vv_buffer *lines, const char *name, const char *value)
{
    vv_buffer_text(lines, "\r\n");
    vv_buffer_text(lines, name);
    vv_buffer_text(lines, ": ");
    vv_buffer_text(lines, value);
}

/* What evhttp_add_header() does, without its look for line breaks: see reply_headers(). */
static void reply_add(struct evkeyvalq *out, const char *name, const char *value, size_t length)
{
    struct evkeyval *header = vv_xmalloc(sizeof *header);

    header->key = vv_xstrdup(name);
    header->value = vv_xmalloc(length + 1);
    memcpy(header->value, value, length + 1);
    TAILQ_INSERT_TAIL(out, header, next);
}

/*
 * evhttp keeps headers in a list, with three allocations, a search and a printf for each: that was
 * a quarter of a small answer. So all of ours travel as the value of one, Date. Those that evhttp
 * looks for have to be there by their names.
 */
static void reply_headers(struct vv_http *http, struct evkeyvalq *out)
{
    struct vv_http_header *header;
    struct vv_buffer lines;
    char length[VV_INT_TEXT];

    vv_buffer_init(&lines, http->req->arena);
    vv_buffer_text(&lines, reply_date());
    reply_line(&lines, "X-Request-Id", http->req->id);
    if (http->content_type != NULL && vv_http_find_header(http, "Content-Type") == NULL)
        reply_line(&lines, "Content-Type", http->content_type);
    for (header = http->headers; header != NULL; header = header->next)
        reply_line(&lines, header->name, header->value);
    reply_line(&lines, "X-Content-Type-Options", "nosniff");
    if (vv_http_find_header(http, "Cache-Control") == NULL)
        reply_line(&lines, "Cache-Control", "no-store");
    reply_add(out, "Date", lines.data, lines.length);
    if (http->status != 204 && http->status != 304) {
        size_t digits = vv_int_text((int64_t)http->data_length, length);

        reply_add(out, "Content-Length", length, digits);
    }
    if (http->conn == NULL || http->conn->close)
        evhttp_add_header(out, "Connection", "close");
}

/* Probes come every second, and from several sides: their lines would hide the others. */
static int reply_log_level(const struct vv_http *http)
{
    const struct vv_route_entry *entry = http->match.entry;

    return entry != NULL && (entry->route->flags & VV_QUICK_ROUTE) ? VV_LOG_DEBUG : VV_LOG_INFO;
}

void vv_http_send(struct vv_http *http)
{
    struct evhttp_request *evreq = http->evreq;
    struct vv_request *req = http->req;
    int64_t took = vv_clock_steady() - req->started;

    vv_cors_reply(http, vv_http_header(req, "Origin"));
    vv_metrics_request((int)http->status, took);
    if (vv_log_enabled(reply_log_level(http)))
        vv_log_access(req, http->method, http->path == NULL ? "" : http->path, (int)http->status,
                      took, vv_http_info(req, VV_INFO_ADDRESS));
    reply_headers(http, evhttp_request_get_output_headers(evreq));
    if (!http->head && http->status != 204 && http->status != 304)
        evbuffer_add(evhttp_request_get_output_buffer(evreq), http->data, http->data_length);
    if (http->conn != NULL)
        vv_conn_answered(http->conn);
    http->evreq = NULL;
    evhttp_send_reply(evreq, (int)http->status, vv_http_reason(http->status), NULL);
    if (http->conn != NULL)
        vv_conn_flush(http->conn);
}

void vv_http_finish(struct vv_http *http, int result)
{
    reply_choose(http, result);
    vv_http_send(http);
}
