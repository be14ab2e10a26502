/* The last answer of a connection whose bytes evhttp must not go on parsing: written beside it. */
#include "http_inside.h"

#include "log.h"
#include "metrics.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <sys/socket.h>

#define REFUSE_WRITE 5000000 /* microseconds for the other side to take it */
#define REFUSE_LINGER                                                          \
    1000000 /* and to stop sending: closing earlier would reset its copy of it \
             */

static void refuse_discard(struct bufferevent *bev, void *arg)
{
    struct evbuffer *input = bufferevent_get_input(bev);

    (void)arg;
    evbuffer_drain(input, evbuffer_get_length(input));
}

static void refuse_written(struct bufferevent *bev, void *arg)
{
    struct vv_conn *conn = arg;

    shutdown(bufferevent_getfd(bev), SHUT_WR);
    conn->deadline = vv_clock_steady() + REFUSE_LINGER;
}

static void refuse_gone(struct bufferevent *bev, short what, void *arg)
{
    struct vv_conn *conn = arg;

    (void)bev;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
        evhttp_connection_free(conn->evcon);
}

static const char *refuse_code(uint32_t status)
{
    switch (status) {
    case 404:
        return "not_found";
    case 405:
        return "method_not_allowed";
    case 408:
        return "request_timeout";
    case 413:
        return "body_too_large";
    case 414:
        return "address_too_long";
    case 417:
        return "expectation_failed";
    case 431:
        return "headers_too_large";
    case 505:
        return "version_not_supported";
    default:
        return "bad_request";
    }
}

/* A method that no route can have: 405 where the path is one, else 404. */
static uint32_t refuse_method(struct vv_conn *conn, struct vv_buffer *allow, const char **why)
{
    struct vv_route_match match;
    char path[sizeof conn->scan.target + 1];
    size_t length = VV_MIN(conn->scan.target_length, sizeof conn->scan.target);

    memcpy(path, conn->scan.target, length);
    path[length] = '\0';
    path[strcspn(path, "?")] = '\0';
    vv_router_match(0, path, &match);
    if (match.allow == 0 || conn->metrics) {
        *why = "There is nothing here";
        return 404;
    }
    vv_buffer_printf(allow, "Allow: %s\r\n", vv_http_allow(allow->arena, match.allow));
    return 405;
}

void vv_conn_refuse(struct vv_conn *conn, uint32_t status, const char *why)
{
    struct evbuffer *output = bufferevent_get_output(conn->bev);
    struct vv_arena *arena = vv_arena_new();
    struct vv_problem problem = {0};
    struct vv_buffer body, allow;
    char buffer[65];
    const char *id = vv_http_id(NULL, buffer);

    vv_assert(conn->http == NULL && !conn->refused);
    conn->refused = true;
    vv_buffer_init(&body, arena);
    vv_buffer_init(&allow, arena);
    if (status == 405)
        status = refuse_method(conn, &allow, &why);
    problem.status = status;
    problem.code = refuse_code(status);
    problem.detail = why;
    vv_http_problem(&body, &problem, id);
    bufferevent_setcb(conn->bev, refuse_discard, refuse_written, refuse_gone, conn);
    bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
    evbuffer_add_printf(output,
                        "HTTP/1.1 %u %s\r\nContent-Type: application/problem+json\r\n"
                        "Content-Length: %zu\r\nX-Request-Id: %s\r\n%s"
                        "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
                        "Connection: close\r\n\r\n",
                        status, vv_http_reason(status), conn->scan.head ? 0 : body.length, id,
                        allow.data);
    if (!conn->scan.head)
        evbuffer_add(output, body.data, body.length);
    conn->deadline = vv_clock_steady() + REFUSE_WRITE;
    vv_metrics_request((int)status, 0);
    vv_debug("refused %s: %u, %s", conn->peer, status, why);
    vv_arena_free(arena);
}
