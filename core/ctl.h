/* vvctl: runs one command, of the core or of a plugin, in a host that serves nobody. */
#ifndef VV_CORE_CTL_H
#define VV_CORE_CTL_H

#include "config.h"
#include <stdio.h>
#include <vv/work.h>

struct vv_request;
struct vv_self;

/* Runs the command that `words` begin with (argc of them, then NULL); returns the exit status: 0, 1
 * when it failed, 2 when there is no such command. */
int vv_ctl_run(const struct vv_config_source *source, int argc, const char *const *words);

/* Prints every command with its help; after vv_setup() those of the plugins, too. */
void vv_ctl_list(FILE *out);

/* ctl_host.c: the loop and what runs on it. */
void vv_ctl_host_start(void);
void vv_ctl_host_stop(void);

/* One function on a fiber. */
struct vv_ctl_call {
    struct vv_self *plugin; /* NULL: the core's */
    const char *id;
    int64_t deadline; /* milliseconds; 0 = none */
    int (*function)(struct vv_request *req, void *arg);
    void *arg;
    void (*print)(struct vv_request *req, const char *text);
    void *print_arg;
    char *detail; /* afterwards: what went wrong, or NULL; owned by the caller */
};

/* Runs it to its end and returns its result. */
int vv_ctl_call(struct vv_ctl_call *call);

/* Why the database cannot be reached, or NULL when it can. Blocks. Owned. */
char *vv_ctl_database_problem(void);

/* doctor.c: returns the exit status. */
int vv_ctl_doctor(void);

#endif
