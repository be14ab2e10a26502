/* What the supervisor knows, shared by the files that make it up. */
#ifndef VV_CORE_SUPERVISOR_H
#define VV_CORE_SUPERVISOR_H

#include "config.h"
#include "generation.h"

struct vv_supervisor {
    char **argv;
    char *executable; /* an absolute path; what lies there may change */
    struct vv_sockets sockets;
    struct vv_list generations; /* oldest first */
    unsigned next_number;
    int limits;  /* the table of limits, a memfd */
    int signals; /* signalfd */
    bool served; /* some generation has served: from now on nothing but SIGTERM ends us */
    bool stopping;
    int status;           /* what the server ends with */
    bool reload_wanted;   /* while another one is starting */
    unsigned failures;    /* leaders in a row that died or did not start */
    int64_t restart_at;   /* steady clock; 0 = no leader is due */
    int64_t alive_at;     /* when systemd's watchdog wants to hear of us; 0 = never */
    int64_t alive_period; /* microseconds */
};

/* handover.c: taking over a new server binary without losing a socket or a process. */

/* The path that this program was started by, absolute. Owned. */
char *vv_handover_executable(const char *name);

/* Whether another file lies there now. */
bool vv_handover_changed(const char *executable);

/* Becomes the program that lies there, with all that the supervisor holds. Returns only when that
 * fails; the log says why. */
void vv_handover_exec(struct vv_supervisor *supervisor);

/* After such an exec: takes everything back. False: this is an ordinary start. */
bool vv_handover_resume(struct vv_supervisor *supervisor);

/* single.c: workers = 0. The supervisor becomes the one process there is; returns when that fails.
 */
void vv_single_exec(const struct vv_supervisor *supervisor);

/* Whether this process was made so. */
bool vv_single_wanted(void);

/* Serves, runs jobs and migrates, all on one loop; returns the exit status. */
int vv_single_run(const struct vv_config_source *source);

#endif
