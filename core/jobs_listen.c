/* Listens for the wake-ups of other processes on a connection of its own. */
#include "config.h"
#include "db_connect.h"
#include "jobs_internal.h"
#include "log.h"
#include "offload.h"
#include "process.h"

#include <event2/event.h>

static PGconn *listen_pg;
static struct event *listen_event;
static bool listen_connecting, listen_stopped;

static void listen_close(void)
{
    if (listen_event != NULL)
        event_free(listen_event); /* before the socket goes: epoll must not see another one there */
    if (listen_pg != NULL)
        PQfinish(listen_pg);
    listen_event = NULL;
    listen_pg = NULL;
}

static void listen_readable(evutil_socket_t fd, short what, void *arg)
{
    PGnotify *notify;
    bool some = false;

    (void)fd, (void)what, (void)arg;
    if (PQconsumeInput(listen_pg) == 0 || PQstatus(listen_pg) != CONNECTION_OK) {
        listen_close();
        return;
    }
    while ((notify = PQnotifies(listen_pg)) != NULL) {
        some = true;
        PQfreemem(notify);
    }
    if (some)
        jobs_kick();
}

/* On a thread: libpq looks names up and waits. */
static void listen_connect(void *arg)
{
    PGconn **ret_pg = arg, *pg = vv_db_connect_blocking(vv_config->database.direct_url);
    PGresult *result;

    if (PQstatus(pg) == CONNECTION_OK) {
        result = PQexec(pg, "listen vv_jobs");
        if (PQresultStatus(result) == PGRES_COMMAND_OK && PQsetnonblocking(pg, 1) == 0)
            *ret_pg = pg;
        PQclear(result);
    }
    if (*ret_pg == NULL)
        PQfinish(pg);
}

static int listen_begin(struct vv_request *req, void *arg)
{
    PGconn *pg = NULL;

    (void)arg;
    VV_TRY(vv_offload_call(NULL, req, VV_POOL_BLOCK, listen_connect, &pg));
    if (pg == NULL)
        return VV_EUNAVAILABLE;
    if (listen_stopped) {
        PQfinish(pg);
        return 0;
    }
    listen_pg = pg;
    listen_event =
        event_new(vv_worker_base(), PQsocket(pg), EV_READ | EV_PERSIST, listen_readable, NULL);
    vv_assert(listen_event != NULL && event_add(listen_event, NULL) == 0);
    jobs_kick(); /* what was enqueued before we listened */
    return 0;
}

static void listen_begun(struct vv_request *req, void *arg, int result)
{
    (void)arg, (void)result;
    vv_request_end(req);
    listen_connecting = false;
}

void jobs_listen_tick(void)
{
    struct vv_request *req;

    if (listen_pg != NULL || listen_connecting || listen_stopped)
        return;
    req = vv_request_new(VV_UNIT_START, NULL, "jobs", 0);
    listen_connecting = true;
    if (vv_request_spawn(req, listen_begin, listen_begun, NULL) == 0)
        return;
    listen_connecting = false;
    vv_request_end(req);
}

void jobs_listen_stop(void)
{
    listen_stopped = true;
    listen_close();
}
