/* workers = 0: one process for everything, so that a debugger has all of it before its eyes. */
#include "log.h"
#include "metrics.h"
#include "migrate.h"
#include "notify.h"
#include "plugin.h"
#include "process.h"
#include "rate_limits.h"
#include "supervisor.h"
#include <errno.h>
#include <stdio.h>

#define SINGLE_VARIABLE "VVSERVERD_SINGLE"

void vv_single_exec(const struct vv_supervisor *supervisor)
{
    vv_process_signals_reset();
    (void)setenv(SINGLE_VARIABLE, "1", 1);
    execv(supervisor->executable, supervisor->argv);
    vv_error("%s cannot be run: %s", supervisor->executable, strerror(errno));
    (void)unsetenv(SINGLE_VARIABLE);
}

bool vv_single_wanted(void)
{
    bool wanted = getenv(SINGLE_VARIABLE) != NULL;

    (void)unsetenv(SINGLE_VARIABLE);
    return wanted;
}

/* Adds the sockets of a list of addresses. False: the log says which could not be opened. */
static bool single_listen(const char *const *addresses, int *fds, size_t *count)
{
    static struct vv_sockets sockets;
    char why[256];

    for (; addresses != NULL && *addresses != NULL; addresses++) {
        int index = vv_sockets_open(&sockets, *addresses, why, sizeof why);

        if (index < 0 || *count == VV_SOCKETS_MAX) {
            vv_error("the server does not start: %s", index < 0 ? why : "too many addresses");
            return false;
        }
        fds[(*count)++] = sockets.list[index].fd;
    }
    return true;
}

int vv_single_run(const struct vv_config_source *source)
{
    struct vv_worker_spec spec = {.role = VV_ROLE_SINGLE, .ready_fd = -1};
    static int fds[VV_SOCKETS_MAX];
    size_t count = 0;

    (void)vv_process_started();
    vv_process_signals_reset();
    vv_process_name("vv:single");
    if (!vv_setup(source))
        return 1;
    vv_log_role("single");
    if (!single_listen(vv_config->server.listen, fds, &count))
        return 1;
    spec.fd_count = count;
    if (!single_listen(vv_config->metrics.listen, fds, &count))
        return 1;
    spec.metrics_fd_count = count - spec.fd_count;
    spec.fd_count = count;
    spec.fds = fds;
    vv_limits_attach(vv_limits_create());
    vv_metrics_create(vv_plugins, 1);
    vv_metrics_attach(0);
    switch (vv_migrate(vv_plugins)) {
    case VV_MIGRATED:
        vv_metrics_set_schema_ready();
        break;
    case VV_MIGRATE_AWAY:
        break;
    default:
        return 1;
    }
    vv_info_("generation 1 is serving, in one process; a reload takes a new start");
    vv_notify_ready(1);
    return vv_worker_run(&spec);
}
