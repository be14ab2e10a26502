/* Connections: counted, watched byte by byte, and ended when their time has come. */
#include "http_inside.h"

#include "config.h"
#include "log.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

#define CONN_SWEEP 100000   /* microseconds between looks at the deadlines */
#define CONN_IDLE  75000000 /* a kept connection without a request */
#define CONN_WRITE 60000000 /* for the other side to take an answer */

static struct vv_list conn_all;
static struct vv_list conn_new; /* accepted, but evhttp's side of it is not known yet */
static struct event *conn_adopt_event, *conn_sweep_event;
static struct vv_conn **conn_by_fd;
static size_t conn_fds;
static unsigned conn_number;
static int64_t conn_drain_deadline, conn_idle_deadline; /* 0: not draining */

static void conn_forget(struct vv_conn *conn)
{
    vv_list_remove(&conn->link);
    if (conn->watch != NULL)
        event_free(conn->watch);
    if (conn->fd >= 0 && (size_t)conn->fd < conn_fds && conn_by_fd[conn->fd] == conn)
        conn_by_fd[conn->fd] = NULL;
    free(conn);
    conn_number--;
    vv_http_count_changed();
    if (conn_drain_deadline != 0 && conn_number == 0)
        event_active(conn_sweep_event, EV_TIMEOUT, 0);
}

static void conn_closed(struct evhttp_connection *evcon, void *arg)
{
    struct vv_conn *conn = arg;

    (void)evcon;
    if (conn->http != NULL)
        conn->http->conn = NULL;
    conn_forget(conn);
}

/*
 * evhttp stops reading when it has a request and starts again after the answer, which would take
 * the socket out of the epoll set and put it back, two system calls for each request. This second
 * event keeps it in there, and steps aside only when something comes that nobody reads for now:
 * once it may still hear of what was just read.
 */
static void conn_watch(evutil_socket_t fd, short what, void *arg)
{
    struct vv_conn *conn = arg;

    (void)fd, (void)what;
    if (bufferevent_get_enabled(conn->bev) & EV_READ)
        return;
    if (conn->heard)
        event_del(conn->watch);
    conn->heard = true;
}

static void conn_set_phase(struct vv_conn *conn)
{
    const struct vv_config_server *server = &vv_config->server;
    int64_t limit = CONN_IDLE;

    conn->phase = conn->scan.phase;
    conn->phase_messages = conn->scan.messages;
    if (conn->phase == VV_SCAN_HEAD)
        limit = server->header_timeout * 1000;
    else if (conn->phase == VV_SCAN_BODY)
        limit = server->body_timeout * 1000;
    conn->deadline = vv_clock_steady() + limit;
}

/* Bytes came in. evhttp has not seen them yet. */
static void conn_bytes(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
    struct vv_conn *conn = arg;
    struct evbuffer_iovec pieces[8];
    struct evbuffer_ptr at;
    size_t left = info->n_added;
    int i, count;

    if (left == 0 || conn->refused || conn->scan.status != 0)
        return;
    evbuffer_ptr_set(input, &at, evbuffer_get_length(input) - left, EVBUFFER_PTR_SET);
    while (left > 0) {
        count = evbuffer_peek(input, (ev_ssize_t)left, &at, pieces, VV_ARRAY_SIZE(pieces));
        vv_assert(count > 0);
        for (i = 0; i < count && i < (int)VV_ARRAY_SIZE(pieces) && left > 0; i++) {
            size_t length = VV_MIN(pieces[i].iov_len, left);

            left -= length;
            if (!vv_scan_feed(&conn->scan, pieces[i].iov_base, length))
                left = 0;
            if (left > 0)
                evbuffer_ptr_set(input, &at, length, EVBUFFER_PTR_ADD);
        }
    }
    if (conn->scan.close)
        conn->close = true;
    if (conn->scan.status != 0) {
        /* What came before the bad message is answered first, and is then the last. */
        conn->close = true;
        if (conn->http == NULL && conn->dispatched == conn->scan.messages)
            vv_conn_refuse(conn, conn->scan.status, conn->scan.why);
        return;
    }
    if (conn->http == NULL &&
        (conn->phase != conn->scan.phase || conn->phase_messages != conn->scan.messages))
        conn_set_phase(conn);
}

struct bufferevent *vv_conn_accept(struct event_base *base, void *metrics)
{
    struct ssl_ctx_st *tls = metrics == NULL ? vv_tls_context() : NULL;
    struct bufferevent *bev;
    struct vv_conn *conn;

    if (tls != NULL) {
        struct ssl_st *ssl = SSL_new(tls);

        vv_assert(ssl != NULL);
        bev = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING,
                                             BEV_OPT_CLOSE_ON_FREE);
        if (bev != NULL)
            bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
        ERR_clear_error();
    } else {
        bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    }
    vv_assert(bev != NULL);
    conn = vv_xcalloc(1, sizeof *conn);
    conn->bev = bev;
    conn->fd = -1;
    conn->metrics = metrics != NULL;
    conn->tls = tls != NULL;
    vv_scan_init(&conn->scan, (uint64_t)vv_config->server.max_body);
    conn->deadline = vv_clock_steady() + vv_config->server.header_timeout * 1000;
    evbuffer_add_cb(bufferevent_get_input(bev), conn_bytes, conn);
    conn_number++;
    /* evhttp tells of its connection only through the callbacks that it sets after this returns:
     * they are read in this same turn of the loop, before any byte can come. */
    bufferevent_incref(bev);
    vv_list_append(&conn_new, &conn->link);
    event_active(conn_adopt_event, EV_TIMEOUT, 0);
    vv_http_count_changed();
    return bev;
}

static void conn_index(struct vv_conn *conn)
{
    size_t fd = (size_t)conn->fd;

    if (fd >= conn_fds) {
        size_t size = VV_MAX(conn_fds * 2, fd + 64);

        conn_by_fd = vv_xrealloc(conn_by_fd, size * sizeof(struct vv_conn *));
        memset(conn_by_fd + conn_fds, 0, (size - conn_fds) * sizeof(struct vv_conn *));
        conn_fds = size;
    }
    conn_by_fd[fd] = conn;
}

static void conn_adopt(evutil_socket_t fd, short what, void *arg)
{
    struct vv_list *item;

    (void)fd, (void)what;
    while ((item = vv_list_shift(&conn_new)) != NULL) {
        struct vv_conn *conn = VV_CONTAINER(item, struct vv_conn, link);
        struct bufferevent *bev = conn->bev;
        void *evcon = NULL;
        char *peer = NULL;
        ev_uint16_t port;

        bufferevent_getcb(bev, NULL, NULL, NULL, &evcon);
        conn->fd = bufferevent_getfd(bev);
        if (evcon == NULL || conn->fd < 0) { /* evhttp could not use it, and has freed it */
            evbuffer_remove_cb(bufferevent_get_input(bev), conn_bytes, conn);
            conn_forget(conn);
        } else {
            conn->evcon = evcon;
            evhttp_connection_get_peer(conn->evcon, &peer, &port);
            if (!vv_address_plain(peer, strlen(peer), conn->peer))
                snprintf(conn->peer, sizeof conn->peer, "local");
            evhttp_connection_set_closecb(conn->evcon, conn_closed, conn);
            conn->watch = event_new(arg, conn->fd, EV_READ | EV_PERSIST, conn_watch, conn);
            vv_assert(conn->watch != NULL);
            event_add(conn->watch, NULL);
            conn_index(conn);
            vv_list_append(&conn_all, &conn->link);
        }
        bufferevent_decref(bev);
    }
}

struct vv_conn *vv_conn_of(struct evhttp_request *evreq)
{
    struct evhttp_connection *evcon = evhttp_request_get_connection(evreq);
    evutil_socket_t fd = bufferevent_getfd(evhttp_connection_get_bufferevent(evcon));

    vv_assert(fd >= 0 && (size_t)fd < conn_fds && conn_by_fd[fd] != NULL);
    return conn_by_fd[fd];
}

static void conn_written(struct evhttp_request *evreq, void *arg)
{
    struct vv_conn *conn = arg;

    (void)evreq;
    conn->heard = false;
    event_add(conn->watch, NULL);
    conn_set_phase(conn);
}

void vv_conn_answered(struct vv_conn *conn)
{
    conn->deadline = vv_clock_steady() + CONN_WRITE;
    evhttp_request_set_on_complete_cb(conn->http->evreq, conn_written, conn);
    conn->http = NULL;
}

/*
 * Writes the answer at once, as far as the socket takes it. evhttp would wait for the loop to say
 * that it may, and so pay a turn of the loop and two changes of the epoll set for every answer.
 */
void vv_conn_flush(struct vv_conn *conn)
{
    struct evbuffer *output = bufferevent_get_output(conn->bev);

    if (conn->tls)
        return;
    evbuffer_unfreeze(output, 1);
    (void)evbuffer_write(output, conn->fd); /* an error comes again, on the usual way */
    evbuffer_freeze(output, 1);
    if (evbuffer_get_length(output) == 0)
        bufferevent_trigger(conn->bev, EV_WRITE, 0);
}

/* Only a connection without a request in hand: evhttp would free that under the handler's feet. */
static void conn_expire(struct vv_conn *conn)
{
    bool reading = conn->dispatched == conn->scan.messages && !conn->refused;

    if (reading && conn->scan.phase != VV_SCAN_IDLE)
        vv_conn_refuse(conn, 408, "The request took too long to arrive");
    else
        evhttp_connection_free(conn->evcon);
}

/* Nothing of a request has come, and nothing of an answer is still to go. */
static bool conn_is_idle(const struct vv_conn *conn)
{
    return conn->scan.phase == VV_SCAN_IDLE && conn->dispatched == conn->scan.messages &&
           evbuffer_get_length(bufferevent_get_output(conn->bev)) == 0;
}

static void conn_sweep(evutil_socket_t fd, short what, void *arg)
{
    int64_t now = vv_clock_steady();
    struct vv_list *item, *next;
    bool drained = conn_drain_deadline != 0 && now >= conn_drain_deadline;
    bool idle_drained = conn_idle_deadline != 0 && now >= conn_idle_deadline;

    (void)fd, (void)what, (void)arg;
    for (item = conn_all.next; item != &conn_all; item = next) {
        struct vv_conn *conn = VV_CONTAINER(item, struct vv_conn, link);

        next = item->next;
        if (conn->http != NULL) {
            if (drained && conn->http->req->fiber != NULL)
                vv_fiber_cancel(conn->http->req->fiber);
        } else if (drained || (idle_drained && conn_is_idle(conn))) {
            evhttp_connection_free(conn->evcon);
        } else if (conn->deadline != 0 && now >= conn->deadline) {
            conn_expire(conn);
        }
    }
    vv_http_count_changed();
    vv_http_swept(); /* may free everything: last */
}

void vv_conn_init(struct event_base *base)
{
    struct timeval often = {0, CONN_SWEEP};

    vv_list_init(&conn_all);
    vv_list_init(&conn_new);
    conn_drain_deadline = conn_idle_deadline = 0;
    conn_adopt_event = event_new(base, -1, 0, conn_adopt, base);
    conn_sweep_event = event_new(base, -1, EV_PERSIST, conn_sweep, NULL);
    event_add(conn_sweep_event, &often);
}

void vv_conn_drain(int64_t deadline, int64_t idle_deadline)
{
    struct vv_list *item;

    conn_drain_deadline = deadline;
    conn_idle_deadline = idle_deadline;
    for (item = conn_all.next; item != &conn_all; item = item->next)
        VV_CONTAINER(item, struct vv_conn, link)->close = true;
}

void vv_conn_free_all(void)
{
    struct vv_list *item, *next;

    conn_drain_deadline = conn_idle_deadline = 0;
    event_free(conn_adopt_event);
    event_free(conn_sweep_event);
    for (item = conn_all.next; item != &conn_all; item = next) {
        struct vv_conn *conn = VV_CONTAINER(item, struct vv_conn, link);

        next = item->next;
        if (conn->http == NULL)
            evhttp_connection_free(conn->evcon);
    }
    free(conn_by_fd);
    conn_by_fd = NULL;
    conn_fds = 0;
}

unsigned vv_conn_count(void)
{
    return conn_number;
}
