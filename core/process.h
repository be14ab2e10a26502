/* The processes: supervisor, generation leader, workers, and how they talk. */
#ifndef VV_CORE_PROCESS_H
#define VV_CORE_PROCESS_H

#include "base.h"
#include "config.h"

struct event_base;

enum vv_role {
    VV_ROLE_WORKER = 0,  /* serves HTTP */
    VV_ROLE_JOBS = 1,    /* runs jobs, serves none */
    VV_ROLE_SINGLE = 2,  /* workers = 0: both in one process */
    VV_ROLE_COMMAND = 3, /* vvctl: neither */
};

/* vvserverd without a special flag: listens, starts leaders, restarts and reloads; returns the exit
 * status. `argv` is passed on to the leaders (and to itself, when it re-execs). supervisor.c */
int vv_supervisor_run(const struct vv_config_source *source, char **argv);

/* A leader started by a supervisor over the socket `control`. leader.c */
int vv_leader_run(const struct vv_config_source *source, int control);

/* Reads the configuration, loads and initialises plugins, builds routes: what leader, --check and
 * vvctl share. False: the mistakes have been printed. setup.c */
bool vv_setup(const struct vv_config_source *source);

/* Like SIGTERM, and no other generation follows: kept connections that ask for nothing are not
 * worth waiting for. */
#define VV_SIGNAL_LAST SIGUSR1

/* The body of a worker, in a forked process: makes the loop, serves `fds`, returns when it has
 * drained. worker.c */
struct vv_worker_spec {
    enum vv_role role;
    unsigned row;   /* of the shared metrics */
    const int *fds; /* listening sockets */
    size_t fd_count;
    size_t metrics_fd_count; /* the last ones of `fds` are of the metrics listener */
    int ready_fd;            /* one byte is written when it accepts; -1 = nobody asks */
};
int vv_worker_run(const struct vv_worker_spec *spec);

/* The loop of this process; NULL in a process without one. */
struct event_base *vv_worker_base(void);
enum vv_role vv_worker_role(void);
bool vv_worker_draining(void);

/* For a process that makes its loop itself: vvctl. */
void vv_worker_set(struct event_base *base, enum vv_role role);

/* Microseconds since the first process of this server started: /health's uptime. */
int64_t vv_uptime(void);

/* What that counts from, on the steady clock. process.c, as all that follows */
void vv_process_set_started(int64_t steady);
int64_t vv_process_started(void);

/* The name that ps shows: "vv:worker". */
void vv_process_name(const char *name);

/* SIGTERM comes when the parent dies. False: `parent` had died before. */
bool vv_process_follow(pid_t parent);

/* Blocks `signals` (ends with 0) and returns a signalfd for them. */
int vv_process_signals(const int *signals);

/* In a new child: nothing blocked; what a terminal sends to all (SIGINT, SIGHUP) is left to the
 * supervisor, and a lost peer is an error code instead of SIGPIPE. */
void vv_process_signals_reset(void);

/* "exited with status 3", "was killed by signal 9 (Killed)". Static. */
const char *vv_process_ending(int wait_status);

/* Milliseconds for poll(2) until `at` on the steady clock; -1 for 0 (never). */
int vv_process_timeout(int64_t at);

#endif
