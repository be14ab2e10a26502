/* The HTTP server of a worker: evhttp on inherited sockets, its listeners, and its end. */
#include "http_inside.h"

#include "config.h"
#include "log.h"
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

#define HTTP_LISTENERS  64
#define HTTP_LAST_WORDS 300000 /* microseconds */
#define HTTP_IDLE       500000 /* for what is on its way to us when the server stops */
#define HTTP_METHODS                                                                           \
    (EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | \
     EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH)

struct http_listener {
    struct evconnlistener *listener;
    struct evhttp_bound_socket *bound;
    struct evhttp *owner;
    bool metrics;
};

static struct event_base *http_base;
static struct evhttp *http_main, *http_metrics;
static struct http_listener http_listeners[HTTP_LISTENERS];
static size_t http_listener_count;
static bool http_paused, http_draining;
static void (*http_done)(void);
static int64_t http_deadline;

static struct evhttp *http_make(bool metrics)
{
    struct evhttp *evhttp = evhttp_new(http_base);

    vv_assert(evhttp != NULL);
    evhttp_set_bevcb(evhttp, vv_conn_accept, metrics ? evhttp : NULL);
    evhttp_set_gencb(evhttp, vv_http_dispatch, NULL);
    evhttp_set_allowed_methods(evhttp, HTTP_METHODS);
    evhttp_set_default_content_type(evhttp, NULL);
    /* The scanner's limits are the ones that answer; these only have to be no smaller. */
    evhttp_set_max_headers_size(evhttp, 65536);
    evhttp_set_max_body_size(evhttp, (ev_ssize_t)vv_config->server.max_body);
    return evhttp;
}

void vv_http_init(struct event_base *base)
{
    http_base = base;
    vv_http_id_seed();
    http_paused = http_draining = false;
    if (!vv_http_check_tls() || !vv_http_check_proxies()) {
        vv_error("the listener cannot start: check [server] tls_cert, tls_key and trusted_proxies");
        exit(1);
    }
    vv_conn_init(base);
    http_main = http_make(false);
    http_metrics = http_make(true);
}

/* Out of file descriptors: accepting would only spin. The next sweep tries again. */
static void http_accept_failed(struct evconnlistener *listener, void *arg)
{
    (void)arg;
    vv_warning("cannot accept a connection: %s", strerror(EVUTIL_SOCKET_ERROR()));
    evconnlistener_disable(listener);
    http_paused = true;
}

void vv_http_listen(evutil_socket_t fd, bool metrics)
{
    struct http_listener *one = &http_listeners[http_listener_count];
    struct evhttp *evhttp = metrics ? http_metrics : http_main;

    vv_assert(http_listener_count < HTTP_LISTENERS);
    one->listener = evconnlistener_new(http_base, NULL, NULL,
                                       LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_CLOSE_ON_FREE, 0, fd);
    vv_assert(one->listener != NULL);
    evconnlistener_set_error_cb(one->listener, http_accept_failed);
    one->bound = evhttp_bind_listener(evhttp, one->listener);
    vv_assert(one->bound != NULL);
    one->owner = evhttp;
    one->metrics = metrics;
    http_listener_count++;
}

static void http_pause(bool pause)
{
    size_t i;

    http_paused = pause;
    for (i = 0; i < http_listener_count; i++) {
        if (!pause)
            evconnlistener_enable(http_listeners[i].listener);
        else if (!http_listeners[i].metrics)
            evconnlistener_disable(http_listeners[i].listener);
    }
}

void vv_http_count_changed(void)
{
    bool full = vv_conn_count() >= (unsigned)vv_config->server.max_connections;

    if (http_draining)
        return;
    if (full && !http_paused)
        vv_warning("%u connections: no more are accepted until one ends", vv_conn_count());
    if (full != http_paused)
        http_pause(full);
}

void vv_http_swept(void)
{
    void (*done)(void) = http_done;

    if (!http_draining || done == NULL || vv_conn_count() > 0)
        return;
    http_done = NULL;
    done();
}

void vv_http_drain(int64_t deadline, void (*done)(void))
{
    size_t i;

    http_draining = true;
    http_done = done;
    for (i = 0; i < http_listener_count; i++)
        evhttp_del_accept_socket(http_listeners[i].owner, http_listeners[i].bound);
    http_listener_count = 0;
    /* A little before the worker's own end, so that what was cut off is still told. */
    deadline -= HTTP_LAST_WORDS;
    http_deadline = deadline;
    vv_conn_drain(deadline, deadline);
}

void vv_http_drain_idle(void)
{
    vv_conn_drain(http_deadline, VV_MIN(http_deadline, vv_clock_steady() + HTTP_IDLE));
}

void vv_http_free(void)
{
    if (http_main == NULL)
        return;
    http_draining = true;
    http_done = NULL;
    vv_conn_free_all();
    if (vv_conn_count() == 0) { /* evhttp cannot be freed under a request: then the exit does it */
        evhttp_free(http_main);
        evhttp_free(http_metrics);
    }
    http_main = http_metrics = NULL;
}

unsigned vv_http_connections(void)
{
    return vv_conn_count();
}
