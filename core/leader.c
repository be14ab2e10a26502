/* A generation's leader: reads, checks, migrates, forks the workers, and keeps them in number. */
#include "control.h"
#include "crew.h"
#include "log.h"
#include "metrics.h"
#include "migrate.h"
#include "plugin.h"
#include "process.h"
#include "rate_limits.h"
#include <errno.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#define LEADER_POLLED      256
#define LEADER_FIRST_PAUSE ((int64_t)100 * 1000)
#define LEADER_LAST_PAUSE  ((int64_t)1 * 1000000)
#define LEADER_LATE_PAUSE  ((int64_t)5 * 1000000) /* after a refusal that comes while serving */

struct leader {
    unsigned number; /* of the generation */
    int control;     /* to the supervisor; -1: it is gone */
    int signals;     /* signalfd */
    struct vv_crew crew;
    bool started;       /* the crew was forked */
    bool reported;      /* the supervisor knows that it is ready */
    int status;         /* what this process ends with */
    pid_t migration;    /* the child that migrates; 0 = none */
    int64_t migrate_at; /* when the next one is due; 0 = not now */
    int64_t migrate_pause;
};

static void leader_refuse(const struct leader *leader, const char *why)
{
    (void)vv_control_send(leader->control, -1, "refused %s", why);
}

/* The supervisor's first message. */
static bool leader_greet(struct leader *leader)
{
    char text[VV_CONTROL_SIZE];
    int64_t numbers[2];
    int limits;

    if (vv_control_receive(leader->control, true, text, &limits) != VV_CONTROL_MESSAGE ||
        limits < 0 || strncmp(text, "hello ", 6) != 0 ||
        vv_control_numbers(text + 6, numbers, 2) != 2) {
        vv_error("--leader is for the server's own use");
        return false;
    }
    leader->number = (unsigned)numbers[0];
    vv_process_set_started(numbers[1]);
    vv_limits_attach(limits);
    return true;
}

/* The socket of an address; -1: it was refused. */
static int leader_socket(const struct leader *leader, const char *address)
{
    char text[VV_CONTROL_SIZE];
    int fd;

    (void)vv_control_send(leader->control, -1, "listen %s", address);
    if (vv_control_receive(leader->control, true, text, &fd) != VV_CONTROL_MESSAGE)
        return -1;
    if (fd < 0)
        leader_refuse(leader, strncmp(text, "error ", 6) == 0 ? text + 6 : text);
    return fd;
}

static size_t leader_count(const char *const *list)
{
    size_t count = 0;

    while (list != NULL && list[count] != NULL)
        count++;
    return count;
}

static bool leader_sockets(struct leader *leader)
{
    const char *const *lists[] = {vv_config->server.listen, vv_config->metrics.listen};
    struct vv_crew *crew = &leader->crew;
    size_t i;

    crew->metrics_fd_count = leader_count(lists[1]);
    crew->fds = vv_xcalloc(leader_count(lists[0]) + crew->metrics_fd_count + 1, sizeof *crew->fds);
    for (i = 0; i < VV_ARRAY_SIZE(lists); i++) {
        const char *const *address = lists[i];

        for (; address != NULL && *address != NULL; address++) {
            int fd = leader_socket(leader, *address);

            if (fd < 0)
                return false;
            crew->fds[crew->fd_count++] = fd;
        }
    }
    return true;
}

static bool leader_prepare(struct leader *leader, const struct vv_config_source *source)
{
    if (!leader_greet(leader))
        return false;
    if (!vv_setup(source)) {
        leader_refuse(leader, "the configuration has mistakes, or a plugin refuses");
        return false;
    }
    vv_log_role("leader");
    (void)vv_control_send(leader->control, -1, "settings %d %d %" PRId64,
                          (int)vv_config->server.log_level, (int)vv_config->server.log_format,
                          vv_config->server.drain_timeout * 1000);
    if (vv_config->server.worker_count == 0) {
        leader_refuse(leader, "workers = 0 takes a new start");
        (void)vv_control_send(leader->control, -1, "single");
        return false;
    }
    if (!leader_sockets(leader))
        return false;
    vv_crew_init(&leader->crew);
    vv_metrics_create(vv_plugins, (unsigned)leader->crew.count);
    return true;
}

/* Asked between two tries, so that a database that stays away is not in the log every second. */
static bool leader_database_silent(void)
{
    static const char *const names[] = {"dbname", "connect_timeout", NULL};
    const char *const values[] = {vv_config->database.direct_url, "5", NULL};
    PGPing answer = PQpingParams(names, values, 1);

    return answer == PQPING_NO_RESPONSE || answer == PQPING_REJECT;
}

/* A child migrates, so that the leader keeps no connection for the workers to inherit. */
static void leader_migrate(struct leader *leader)
{
    pid_t parent = getpid();

    leader->migrate_at = 0;
    leader->migration = fork();
    if (leader->migration == 0) {
        vv_log_role("migration");
        vv_process_name("vv:migration");
        vv_process_signals_reset();
        if (!vv_process_follow(parent))
            _exit(VV_MIGRATE_AWAY);
        (void)close(leader->signals);
        (void)close(leader->control);
        if (leader->migrate_pause != 0 && leader_database_silent())
            _exit(VV_MIGRATE_AWAY);
        exit((int)vv_migrate(vv_plugins));
    }
    if (leader->migration > 0)
        return;
    vv_error("no process for the migration: %s", strerror(errno));
    leader->migration = 0;
    leader->migrate_at = vv_clock_steady() + LEADER_LAST_PAUSE;
}

static void leader_fail(struct leader *leader, const char *why)
{
    leader_refuse(leader, why);
    leader->status = 1;
    vv_crew_end(&leader->crew, SIGTERM);
}

static void leader_migrated(struct leader *leader, int wait_status)
{
    int result = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;

    leader->migration = 0;
    if (leader->crew.ending)
        return;
    if (result == VV_MIGRATED) {
        vv_metrics_set_schema_ready();
    } else if (result == VV_MIGRATE_AWAY) {
        leader->migrate_pause = leader->migrate_pause == 0
                                    ? LEADER_FIRST_PAUSE
                                    : VV_MIN(leader->migrate_pause * 2, LEADER_LAST_PAUSE);
        leader->migrate_at = vv_clock_steady() + leader->migrate_pause;
    } else if (!leader->started) {
        char why[160];

        if (result == VV_MIGRATE_REFUSED)
            snprintf(why, sizeof why, "the schema of the database is not what this server needs");
        else
            snprintf(why, sizeof why, "the migration %s", vv_process_ending(wait_status));
        leader_fail(leader, why);
        return;
    } else {
        /* The database was away at the start; whoever mends it now needs no restart. */
        leader->migrate_at = vv_clock_steady() + LEADER_LATE_PAUSE;
    }
    leader->started = true;
}

static void leader_signals(struct leader *leader)
{
    struct signalfd_siginfo signal;
    int status;
    pid_t pid;

    while (read(leader->signals, &signal, sizeof signal) == (ssize_t)sizeof signal) {
        if (signal.ssi_signo != SIGTERM && signal.ssi_signo != VV_SIGNAL_LAST)
            continue;
        if (leader->migration > 0)
            (void)kill(leader->migration, SIGTERM);
        vv_crew_end(&leader->crew, (int)signal.ssi_signo);
    }
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == leader->migration)
            leader_migrated(leader, status);
        else
            (void)vv_crew_bury(&leader->crew, pid, status);
    }
}

/* The supervisor says nothing more; but its end would be seen here. */
static void leader_listen(struct leader *leader)
{
    char text[VV_CONTROL_SIZE];
    int passed;

    if (leader->control < 0 ||
        vv_control_receive(leader->control, false, text, &passed) != VV_CONTROL_CLOSED)
        return;
    (void)close(leader->control);
    leader->control = -1;
    leader->crew.leader_fds[1] = -1;
    vv_crew_end(&leader->crew, SIGTERM);
}

static void leader_wait(struct leader *leader)
{
    struct pollfd polled[LEADER_POLLED] = {{.fd = leader->signals, .events = POLLIN},
                                           {.fd = leader->control, .events = POLLIN}};
    nfds_t count = 2 + vv_crew_poll(&leader->crew, polled + 2, LEADER_POLLED - 2);
    int64_t at = leader->started || leader->crew.ending ? vv_crew_due(&leader->crew) : 0;

    if (leader->migrate_at != 0 && (at == 0 || leader->migrate_at < at))
        at = leader->migrate_at;
    (void)poll(polled, count, vv_process_timeout(at));
}

static void leader_timers(struct leader *leader)
{
    const struct vv_crew_member *hopeless;

    vv_crew_check(&leader->crew);
    if (leader->crew.ending)
        return;
    if (leader->migrate_at != 0 && leader->migrate_at <= vv_clock_steady())
        leader_migrate(leader);
    if (!leader->started)
        return;
    vv_crew_start(&leader->crew);
    if (leader->reported)
        return;
    hopeless = vv_crew_hopeless(&leader->crew);
    if (hopeless != NULL) {
        char why[96];

        snprintf(why, sizeof why, "%s cannot get ready", hopeless->name);
        leader_fail(leader, why);
    } else if (vv_crew_ready(&leader->crew)) {
        leader->reported = vv_control_send(leader->control, -1, "ready");
    }
}

int vv_leader_run(const struct vv_config_source *source, int control)
{
    static const int signals[] = {SIGTERM, VV_SIGNAL_LAST, SIGCHLD, 0};
    static struct leader leader;

    vv_process_name("vv:leader");
    leader.control = control;
    if (!leader_prepare(&leader, source))
        return 1;
    leader.signals = vv_process_signals(signals);
    leader.crew.leader_fds[0] = leader.signals;
    leader.crew.leader_fds[1] = leader.control;
    leader_migrate(&leader);
    while (!leader.crew.ending || !vv_crew_gone(&leader.crew) || leader.migration > 0) {
        leader_wait(&leader);
        leader_listen(&leader);
        vv_crew_listen(&leader.crew);
        leader_signals(&leader);
        leader_timers(&leader);
    }
    return leader.status;
}
