/* The workers of a generation: forked by its leader, and forked again when one dies. */
#include "crew.h"
#include "log.h"
#include "metrics.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#define CREW_FIRST_PAUSE ((int64_t)100 * 1000)
#define CREW_LAST_PAUSE  ((int64_t)5 * 1000000)
#define CREW_STABLE      ((int64_t)10 * 1000000) /* who lives so long is healthy */
#define CREW_HOPELESS    5                       /* deaths before it was ever ready */
#define CREW_GRACE       ((int64_t)1 * 1000000)  /* after the drain deadline */

static void crew_place(struct vv_crew *crew, enum vv_role role, int64_t ordinal)
{
    struct vv_crew_member *member = &crew->members[crew->count];

    member->role = role;
    member->row = (unsigned)crew->count++;
    member->ready = -1;
    member->start_at = 1; /* at once */
    snprintf(member->name, sizeof member->name, "%s %d", role == VV_ROLE_JOBS ? "jobs" : "worker",
             (int)ordinal);
}

void vv_crew_init(struct vv_crew *crew)
{
    const struct vv_config_server *server = &vv_config->server;
    int64_t i;

    crew->members =
        vv_xcalloc((size_t)(server->worker_count + server->job_workers), sizeof *crew->members);
    for (i = 1; i <= server->worker_count; i++)
        crew_place(crew, VV_ROLE_WORKER, i);
    for (i = 1; i <= server->job_workers; i++)
        crew_place(crew, VV_ROLE_JOBS, i);
}

static void crew_close(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

/* The child: never returns. */
VV_NORETURN static void crew_run(const struct vv_crew *crew, const struct vv_crew_member *member,
                                 int ready, pid_t leader)
{
    struct vv_worker_spec spec = {.role = member->role, .row = member->row, .ready_fd = ready};
    size_t i;

    vv_log_role(member->name);
    vv_process_name(member->role == VV_ROLE_JOBS ? "vv:jobs" : "vv:worker");
    vv_process_signals_reset();
    if (!vv_process_follow(leader))
        exit(0);
    for (i = 0; i < VV_ARRAY_SIZE(crew->leader_fds); i++)
        crew_close(crew->leader_fds[i]);
    for (i = 0; i < crew->count; i++)
        crew_close(crew->members[i].ready);
    if (member->role == VV_ROLE_JOBS) {
        for (i = 0; i < crew->fd_count; i++)
            crew_close(crew->fds[i]);
    } else {
        spec.fds = crew->fds;
        spec.fd_count = crew->fd_count;
        spec.metrics_fd_count = crew->metrics_fd_count;
    }
    vv_metrics_attach(member->row);
    exit(vv_worker_run(&spec));
}

static void crew_pause(struct vv_crew_member *member)
{
    int64_t pause = 0;
    unsigned i;

    if (member->deaths > 1)
        pause = CREW_FIRST_PAUSE;
    for (i = 2; i < member->deaths && pause < CREW_LAST_PAUSE; i++)
        pause *= 2;
    member->start_at = vv_clock_steady() + VV_MIN(pause, CREW_LAST_PAUSE);
}

static void crew_fork(struct vv_crew *crew, struct vv_crew_member *member)
{
    pid_t leader = getpid();
    int ends[2];

    member->start_at = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        vv_error("no pipe for %s: %s", member->name, strerror(errno));
        member->deaths++;
        crew_pause(member);
        return;
    }
    member->since = vv_clock_steady();
    member->ready = ends[0];
    member->pid = fork();
    if (member->pid == 0)
        crew_run(crew, member, ends[1], leader);
    (void)close(ends[1]);
    if (member->pid > 0)
        return;
    vv_error("no process for %s: %s", member->name, strerror(errno));
    member->pid = 0;
    member->ready = -1;
    (void)close(ends[0]);
    member->deaths++;
    crew_pause(member);
}

void vv_crew_start(struct vv_crew *crew)
{
    int64_t now = vv_clock_steady();
    size_t i;

    for (i = 0; i < crew->count && !crew->ending; i++)
        if (crew->members[i].start_at != 0 && crew->members[i].start_at <= now)
            crew_fork(crew, &crew->members[i]);
}

bool vv_crew_bury(struct vv_crew *crew, pid_t pid, int wait_status)
{
    struct vv_crew_member *member = NULL;
    size_t i;

    for (i = 0; i < crew->count; i++)
        if (crew->members[i].pid == pid)
            member = &crew->members[i];
    if (member == NULL)
        return false;
    member->pid = 0;
    crew_close(member->ready);
    member->ready = -1;
    /* A worker that was told to end before it could listen for that ends by the signal itself. */
    if (crew->ending && (wait_status == 0 ||
                         (WIFSIGNALED(wait_status) && (WTERMSIG(wait_status) == SIGTERM ||
                                                       WTERMSIG(wait_status) == VV_SIGNAL_LAST))))
        return true;
    vv_error("%s (process %d) %s%s", member->name, (int)pid, vv_process_ending(wait_status),
             crew->ending ? "" : "; another one is started");
    if (crew->ending)
        return true;
    if (vv_clock_steady() - member->since > CREW_STABLE)
        member->deaths = 0;
    member->deaths++;
    crew_pause(member);
    return true;
}

static void crew_signal(const struct vv_crew *crew, int signal)
{
    size_t i;

    for (i = 0; i < crew->count; i++)
        if (crew->members[i].pid > 0)
            (void)kill(crew->members[i].pid, signal);
}

void vv_crew_end(struct vv_crew *crew, int signal)
{
    if (!crew->ending)
        crew->kill_at = vv_clock_steady() + vv_config->server.drain_timeout * 1000 + CREW_GRACE;
    crew->ending = true;
    crew_signal(crew, signal);
}

void vv_crew_check(struct vv_crew *crew)
{
    if (!crew->ending || crew->kill_at > vv_clock_steady() || vv_crew_gone(crew))
        return;
    vv_warning("workers that did not end in time are killed");
    crew_signal(crew, SIGKILL);
    crew->kill_at = vv_clock_steady() + CREW_GRACE;
}

nfds_t vv_crew_poll(const struct vv_crew *crew, struct pollfd *polled, nfds_t most)
{
    nfds_t count = 0;
    size_t i;

    for (i = 0; i < crew->count && count < most; i++)
        if (crew->members[i].ready >= 0)
            polled[count++] = (struct pollfd){.fd = crew->members[i].ready, .events = POLLIN};
    return count;
}

void vv_crew_listen(struct vv_crew *crew)
{
    size_t i;
    char byte;

    for (i = 0; i < crew->count; i++) {
        struct vv_crew_member *member = &crew->members[i];
        struct pollfd one = {.fd = member->ready, .events = POLLIN};

        if (member->ready < 0 || poll(&one, 1, 0) != 1)
            continue;
        /* An end without a byte: its death will be reported, too. */
        if (read(member->ready, &byte, 1) == 1)
            member->was_ready = true;
        (void)close(member->ready);
        member->ready = -1;
    }
}

int64_t vv_crew_due(const struct vv_crew *crew)
{
    int64_t due = 0;
    size_t i;

    if (crew->ending)
        return crew->kill_at;
    for (i = 0; i < crew->count; i++) {
        int64_t at = crew->members[i].start_at;

        if (at != 0 && (due == 0 || at < due))
            due = at;
    }
    return due;
}

bool vv_crew_ready(const struct vv_crew *crew)
{
    size_t i;

    for (i = 0; i < crew->count; i++)
        if (!crew->members[i].was_ready)
            return false;
    return true;
}

bool vv_crew_gone(const struct vv_crew *crew)
{
    size_t i;

    for (i = 0; i < crew->count; i++)
        if (crew->members[i].pid > 0)
            return false;
    return true;
}

const struct vv_crew_member *vv_crew_hopeless(const struct vv_crew *crew)
{
    size_t i;

    for (i = 0; i < crew->count; i++)
        if (!crew->members[i].was_ready && crew->members[i].deaths >= CREW_HOPELESS)
            return &crew->members[i];
    return NULL;
}
