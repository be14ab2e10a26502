/* The workers of a generation: forked by its leader, and forked again when one dies. */
#ifndef VV_CORE_CREW_H
#define VV_CORE_CREW_H

#include "process.h"
#include <poll.h>
#include <sys/types.h>

struct vv_crew_member {
    enum vv_role role;
    unsigned row;     /* of the metrics */
    char name[32];    /* "worker 1" */
    pid_t pid;        /* 0: none runs */
    int ready;        /* a pipe in which it says that it accepts; -1: it has, or none runs */
    bool was_ready;   /* some process of this place has been */
    unsigned deaths;  /* in a row, none of which lived long */
    int64_t since;    /* when it was forked, on the steady clock */
    int64_t start_at; /* when the next one is due; 0 = not now */
};

struct vv_crew {
    struct vv_crew_member *members;
    size_t count;
    int *fds; /* the listening sockets; those of the metrics listener last */
    size_t fd_count, metrics_fd_count;
    int leader_fds[2]; /* what workers must not keep */
    bool ending;
    int64_t kill_at; /* while ending */
};

/* Lays out the places that the configuration asks for; forks nobody. */
void vv_crew_init(struct vv_crew *crew);

/* Forks those that are due. */
void vv_crew_start(struct vv_crew *crew);

/* Whether a child that has ended was one of them; it will be replaced unless the crew is ending. */
bool vv_crew_bury(struct vv_crew *crew, pid_t pid, int wait_status);

/* Tells all to drain; who takes too long is killed by vv_crew_check(). */
void vv_crew_end(struct vv_crew *crew, int signal);
void vv_crew_check(struct vv_crew *crew);

/* Fills in what to poll(2), at most `most`; looks at it afterwards. */
nfds_t vv_crew_poll(const struct vv_crew *crew, struct pollfd *polled, nfds_t most);
void vv_crew_listen(struct vv_crew *crew);

/* When vv_crew_start() or vv_crew_check() have something to do; 0 = never. */
int64_t vv_crew_due(const struct vv_crew *crew);

bool vv_crew_ready(const struct vv_crew *crew); /* every place was ready once */
bool vv_crew_gone(const struct vv_crew *crew);

/* A member that cannot get ready; NULL while there is hope. */
const struct vv_crew_member *vv_crew_hopeless(const struct vv_crew *crew);

#endif
