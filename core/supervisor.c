/* The first process: owns the sockets, starts leaders, replaces them at a reload, ends them all. */
#include "supervisor.h"
#include "log.h"
#include "notify.h"
#include "process.h"
#include "rate_limits.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#define SUPERVISOR_POLLED      32
#define SUPERVISOR_FIRST_PAUSE ((int64_t)100 * 1000)
#define SUPERVISOR_LAST_PAUSE  ((int64_t)5 * 1000000)
#define SUPERVISOR_STABLE      ((int64_t)10 * 1000000) /* a leader that lives so long is healthy */

static struct vv_generation *supervisor_find(struct vv_supervisor *supervisor,
                                             enum vv_generation_state state)
{
    struct vv_list *item;

    for (item = supervisor->generations.next; item != &supervisor->generations; item = item->next) {
        struct vv_generation *generation = VV_CONTAINER(item, struct vv_generation, link);

        if (generation->state == state)
            return generation;
    }
    return NULL;
}

static void supervisor_retry(struct vv_supervisor *supervisor)
{
    int64_t pause = 0;
    unsigned i;

    if (supervisor->failures > 0)
        pause = SUPERVISOR_FIRST_PAUSE;
    for (i = 1; i < supervisor->failures && pause < SUPERVISOR_LAST_PAUSE; i++)
        pause *= 2;
    supervisor->failures++;
    supervisor->restart_at = vv_clock_steady() + VV_MIN(pause, SUPERVISOR_LAST_PAUSE);
}

static void supervisor_start(struct vv_supervisor *supervisor)
{
    struct vv_generation *generation = vv_generation_start(
        supervisor->next_number, supervisor->executable, supervisor->argv, supervisor->limits);

    supervisor->restart_at = 0;
    if (generation == NULL) {
        supervisor_retry(supervisor);
        return;
    }
    supervisor->next_number++;
    vv_list_append(&supervisor->generations, &generation->link);
}

static void supervisor_reload(struct vv_supervisor *supervisor)
{
    if (supervisor->stopping)
        return;
    if (supervisor_find(supervisor, VV_GENERATION_STARTING) != NULL) {
        /* It may have read the files already: one more afterwards, however many signals came. */
        supervisor->reload_wanted = true;
        return;
    }
    supervisor->reload_wanted = false;
    if (supervisor_find(supervisor, VV_GENERATION_SERVING) != NULL) {
        vv_notify_reloading();
        vv_info_("reloading: generation %u is starting", supervisor->next_number);
    }
    supervisor_start(supervisor);
}

static void supervisor_stop(struct vv_supervisor *supervisor)
{
    struct vv_list *item;

    if (supervisor->stopping)
        return;
    supervisor->stopping = true;
    supervisor->restart_at = 0;
    vv_notify_stopping();
    vv_info_("stopping: what is under way is finished");
    for (item = supervisor->generations.next; item != &supervisor->generations; item = item->next)
        vv_generation_end(VV_CONTAINER(item, struct vv_generation, link), true);
}

static bool supervisor_uses(const struct sockaddr_storage *address, void *arg)
{
    struct vv_supervisor *supervisor = arg;
    struct vv_list *item;

    for (item = supervisor->generations.next; item != &supervisor->generations; item = item->next) {
        struct vv_generation *generation = VV_CONTAINER(item, struct vv_generation, link);

        if (generation->state != VV_GENERATION_ENDING && vv_generation_uses(generation, address))
            return true;
    }
    return false;
}

/* The workers of a starting generation listen: it takes over. */
static void supervisor_commit(struct vv_supervisor *supervisor, struct vv_generation *generation)
{
    struct vv_generation *old = supervisor_find(supervisor, VV_GENERATION_SERVING);

    generation->state = VV_GENERATION_SERVING;
    generation->since = vv_clock_steady();
    supervisor->served = true;
    if (old != NULL)
        vv_generation_end(old, false);
    vv_sockets_keep(&supervisor->sockets, supervisor_uses, supervisor);
    vv_log_init(generation->log_level, generation->log_format, "supervisor");
    vv_info_("generation %u is serving", generation->number);
    vv_notify_ready(generation->number);
    if (vv_handover_changed(supervisor->executable))
        vv_handover_exec(supervisor);
    if (supervisor->reload_wanted)
        supervisor_reload(supervisor);
}

/* The very first leader did not start: that ends the server. */
static void supervisor_give_up(struct vv_supervisor *supervisor,
                               const struct vv_generation *generation, const char *why)
{
    vv_log_init(generation->log_level, generation->log_format, "supervisor");
    vv_error("the server does not start: %s", why);
    supervisor->stopping = true;
    supervisor->status = 1;
}

/* A leader ended before its workers listened. */
static void supervisor_refused(struct vv_supervisor *supervisor, struct vv_generation *generation,
                               int status)
{
    struct vv_generation *serving = supervisor_find(supervisor, VV_GENERATION_SERVING);
    const char *why = generation->why[0] != '\0' ? generation->why : vv_process_ending(status);

    /* Whatever of it is left is not wanted any more. */
    vv_generation_end(generation, supervisor->stopping);
    if (supervisor->stopping)
        return;
    if (!supervisor->served) {
        if (generation->single)
            vv_single_exec(supervisor);
        supervisor_give_up(supervisor, generation, why);
        return;
    }
    if (serving == NULL) {
        vv_error("no generation could be started: %s", why);
        supervisor_retry(supervisor);
        return;
    }
    vv_error("reload refused: %s; generation %u goes on", why, serving->number);
    vv_sockets_keep(&supervisor->sockets, supervisor_uses, supervisor);
    vv_notify_ready(serving->number);
    if (supervisor->reload_wanted)
        supervisor_reload(supervisor);
}

/* The leader of a generation has ended. */
static void supervisor_bury(struct vv_supervisor *supervisor, struct vv_generation *generation,
                            int status)
{
    /* What it said last. */
    vv_generation_listen(generation, &supervisor->sockets);
    generation->leader_gone = true;
    if (generation->state == VV_GENERATION_STARTING)
        supervisor_refused(supervisor, generation, status);
    if (generation->state == VV_GENERATION_ENDING)
        return;
    /* Its workers finish what they hold: they were told by its death. */
    vv_generation_end(generation, supervisor->stopping);
    vv_error("the leader of generation %u (process %d) %s; another one is started",
             generation->number, (int)generation->pid, vv_process_ending(status));
    if (generation->since + SUPERVISOR_STABLE < vv_clock_steady())
        supervisor->failures = 0;
    if (supervisor_find(supervisor, VV_GENERATION_STARTING) == NULL)
        supervisor_retry(supervisor);
}

static void supervisor_reap(struct vv_supervisor *supervisor)
{
    struct vv_list *item, *next;
    int status;
    pid_t pid;

    /* Workers whose leader died are ours, too. */
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (item = supervisor->generations.next; item != &supervisor->generations; item = next) {
            struct vv_generation *generation = VV_CONTAINER(item, struct vv_generation, link);

            next = item->next;
            if (generation->pid == pid)
                supervisor_bury(supervisor, generation, status);
        }
    }
    for (item = supervisor->generations.next; item != &supervisor->generations; item = next) {
        next = item->next;
        (void)vv_generation_gone(VV_CONTAINER(item, struct vv_generation, link));
    }
}

static void supervisor_signals(struct vv_supervisor *supervisor)
{
    struct signalfd_siginfo signal;
    bool reap = false;

    while (read(supervisor->signals, &signal, sizeof signal) == (ssize_t)sizeof signal) {
        if (signal.ssi_signo == SIGCHLD)
            reap = true;
        else if (signal.ssi_signo == SIGHUP)
            supervisor_reload(supervisor);
        else
            supervisor_stop(supervisor);
    }
    if (reap)
        supervisor_reap(supervisor);
}

static void supervisor_messages(struct vv_supervisor *supervisor)
{
    struct vv_list *item, *next;

    for (item = supervisor->generations.next; item != &supervisor->generations; item = next) {
        struct vv_generation *generation = VV_CONTAINER(item, struct vv_generation, link);

        next = item->next;
        vv_generation_listen(generation, &supervisor->sockets);
        if (generation->ready && generation->state == VV_GENERATION_STARTING)
            supervisor_commit(supervisor, generation);
        vv_generation_check(generation);
    }
}

static void supervisor_earlier(int64_t *at, int64_t other)
{
    if (other != 0 && (*at == 0 || other < *at))
        *at = other;
}

/* Waits for a signal, a leader's word, or the next thing that is due. */
static void supervisor_wait(struct vv_supervisor *supervisor)
{
    struct pollfd polled[SUPERVISOR_POLLED] = {{.fd = supervisor->signals, .events = POLLIN}};
    struct vv_list *item;
    nfds_t count = 1;
    int64_t at = supervisor->restart_at;

    supervisor_earlier(&at, supervisor->alive_at);
    for (item = supervisor->generations.next; item != &supervisor->generations; item = item->next) {
        struct vv_generation *generation = VV_CONTAINER(item, struct vv_generation, link);

        supervisor_earlier(&at, generation->kill_at);
        if (generation->control >= 0 && count < SUPERVISOR_POLLED)
            polled[count++] = (struct pollfd){.fd = generation->control, .events = POLLIN};
    }
    (void)poll(polled, count, vv_process_timeout(at));
}

static void supervisor_timers(struct vv_supervisor *supervisor)
{
    int64_t now = vv_clock_steady();

    if (supervisor->restart_at != 0 && supervisor->restart_at <= now)
        supervisor_start(supervisor);
    if (supervisor->alive_at != 0 && supervisor->alive_at <= now) {
        vv_notify_alive();
        supervisor->alive_at = now + supervisor->alive_period;
    }
}

static int supervisor_loop(struct vv_supervisor *supervisor)
{
    for (;;) {
        supervisor_wait(supervisor);
        supervisor_messages(supervisor);
        supervisor_signals(supervisor);
        supervisor_timers(supervisor);
        if (supervisor->stopping && vv_list_empty(&supervisor->generations))
            return supervisor->status;
    }
}

/* The new program after a re-exec: all is as it was, but for what happened in between. */
static void supervisor_resume(struct vv_supervisor *supervisor)
{
    struct vv_generation *serving = supervisor_find(supervisor, VV_GENERATION_SERVING);

    supervisor->served = true;
    if (serving == NULL) {
        supervisor_retry(supervisor);
        return;
    }
    vv_log_init(serving->log_level, serving->log_format, "supervisor");
    supervisor_reap(supervisor);
}

int vv_supervisor_run(const struct vv_config_source *source, char **argv)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, 0};
    static struct vv_supervisor supervisor;

    /* Otherwise the leaders read the source, from the same arguments. */
    if (vv_single_wanted())
        return vv_single_run(source);
    vv_process_name("vv:supervisor");
    vv_log_init(VV_LOG_INFO, VV_LOG_JSON, "supervisor");
    (void)signal(SIGPIPE, SIG_IGN);
    supervisor.argv = argv;
    supervisor.executable = vv_handover_executable(argv[0]);
    supervisor.next_number = 1;
    vv_list_init(&supervisor.generations);
    /* Orphaned workers become our children, so that none is lost sight of. */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    (void)vv_process_started();
    supervisor.signals = vv_process_signals(signals);
    supervisor.alive_period = vv_notify_interval();
    supervisor.alive_at = supervisor.alive_period == 0 ? 0 : vv_clock_steady();
    if (vv_handover_resume(&supervisor)) {
        supervisor_resume(&supervisor);
    } else {
        vv_sockets_adopt(&supervisor.sockets);
        supervisor.limits = vv_limits_create();
        supervisor_start(&supervisor);
    }
    return supervisor_loop(&supervisor);
}
