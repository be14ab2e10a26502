/* The host that vvctl is: a loop with fibers and the database, and no listener. */
#include "ctl.h"
#include "db.h"
#include "fiber.h"
#include "log.h"
#include "offload.h"
#include "outgoing.h"
#include "process.h"
#include "request.h"
#include <event2/event.h>
#include <libpq-fe.h>
#include <stdio.h>

#define CTL_FIBERS  256
#define CTL_TIMEOUT 10 /* seconds, to see whether the database is there */

static struct event_base *ctl_base;

void vv_ctl_host_start(void)
{
    ctl_base = event_base_new();
    vv_assert(ctl_base != NULL);
    vv_worker_set(ctl_base, VV_ROLE_COMMAND);
    vv_fibers_init(ctl_base, CTL_FIBERS);
    vv_offload_init(ctl_base);
    vv_outgoing_init(ctl_base);
    vv_db_init(ctl_base);
    vv_db_open();
}

void vv_ctl_host_stop(void)
{
    vv_outgoing_stop();
    vv_db_stop();
    vv_offload_stop();
    vv_worker_set(NULL, VV_ROLE_COMMAND);
    event_base_free(ctl_base);
    ctl_base = NULL;
}

struct ctl_running {
    struct vv_ctl_call *call;
    int result;
    bool done;
};

static int ctl_run(struct vv_request *req, void *arg)
{
    const struct ctl_running *running = arg;

    return running->call->function(req, running->call->arg);
}

static void ctl_done(struct vv_request *req, void *arg, int result)
{
    struct ctl_running *running = arg;
    const struct vv_problem *problem = &req->problem;

    running->result = result;
    if (result < 0) {
        (void)vv_request_error(req, result);
        running->call->detail =
            problem->fields.length == 0
                ? vv_xprintf("%s", problem->detail == NULL ? "it failed" : problem->detail)
                : vv_xprintf("%s: %s", problem->detail == NULL ? "bad input" : problem->detail,
                             problem->fields.data);
    }
    vv_request_end(req);
    running->done = true;
    (void)event_base_loopbreak(ctl_base);
}

int vv_ctl_call(struct vv_ctl_call *call)
{
    struct ctl_running running = {.call = call};
    struct vv_request *req =
        vv_request_new(VV_UNIT_COMMAND, call->plugin, call->id, call->deadline);

    req->print = call->print;
    req->print_arg = call->print_arg;
    vv_assert(vv_request_spawn(req, ctl_run, ctl_done, &running) == 0);
    while (!running.done)
        vv_assert(event_base_loop(ctl_base, EVLOOP_NO_EXIT_ON_EMPTY) >= 0);
    return running.result;
}

char *vv_ctl_database_problem(void)
{
    static const char *const names[] = {"dbname", "connect_timeout", NULL};
    char timeout[16];
    const char *const values[] = {vv_config->database.url, timeout, NULL};
    char *problem = NULL;
    PGconn *connection;

    snprintf(timeout, sizeof timeout, "%d", CTL_TIMEOUT);
    connection = PQconnectdbParams(names, values, 1);
    if (PQstatus(connection) != CONNECTION_OK) {
        problem = vv_xstrdup(PQerrorMessage(connection));
        problem[strcspn(problem, "\n")] = '\0';
    }
    PQfinish(connection);
    return problem;
}
