/* One generation as the supervisor sees it: a leader and the processes that descend from it. */
#ifndef VV_CORE_GENERATION_H
#define VV_CORE_GENERATION_H

#include "control.h"
#include "sockets.h"
#include <sys/types.h>

enum vv_generation_state {
    VV_GENERATION_STARTING = 0, /* reads, checks, migrates; its workers come up */
    VV_GENERATION_SERVING = 1,
    VV_GENERATION_ENDING = 2, /* told to drain, or its leader is gone */
};

struct vv_generation {
    struct vv_list link;
    unsigned number;
    enum vv_generation_state state;
    pid_t pid;   /* of the leader, and of the process group */
    int control; /* -1: the other side is gone */
    bool leader_gone;
    bool ready;      /* its workers listen */
    bool single;     /* its configuration wants no other process: workers = 0 */
    int64_t since;   /* when it was started or began to serve */
    int64_t kill_at; /* steady clock; 0 = not yet known */
    int64_t drain;   /* microseconds it may take to end */
    int log_level, log_format;
    struct sockaddr_storage used[VV_SOCKETS_MAX];
    size_t used_count;
    char why[VV_CONTROL_SIZE]; /* why it does not want to start */
};

/* Execs a leader: `executable`, argv and "--leader FD". It gets its number, the server's age and
 * the table of limits. NULL: the log says why not. */
struct vv_generation *vv_generation_start(unsigned number, const char *executable, char **argv,
                                          int limits);

/* One that is taken over at a re-exec. */
struct vv_generation *vv_generation_new(unsigned number, pid_t pid, int control);

/* Handles what the leader has said so far. */
void vv_generation_listen(struct vv_generation *generation, struct vv_sockets *sockets);

/* Tells it to drain; it is killed when it takes too long. `last`: no other follows it. */
void vv_generation_end(struct vv_generation *generation, bool last);

/* Kills what is late. */
void vv_generation_check(struct vv_generation *generation);

/* Whether no process of it is left, and frees it then. */
bool vv_generation_gone(struct vv_generation *generation);

bool vv_generation_uses(const struct vv_generation *generation,
                        const struct sockaddr_storage *address);

#endif
