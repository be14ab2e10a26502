/* One generation as the supervisor sees it: a leader and the processes that descend from it. */
#include "generation.h"
#include "log.h"
#include "process.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#define GENERATION_DRAIN ((int64_t)10 * 1000000) /* until the leader says what is configured */
#define GENERATION_GRACE ((int64_t)2 * 1000000)  /* after the deadline, before it is killed */

struct vv_generation *vv_generation_new(unsigned number, pid_t pid, int control)
{
    struct vv_generation *generation = vv_xcalloc(1, sizeof *generation);

    generation->number = number;
    generation->pid = pid;
    generation->control = control;
    generation->since = vv_clock_steady();
    generation->drain = GENERATION_DRAIN;
    generation->log_level = VV_LOG_INFO;
    generation->log_format = VV_LOG_JSON;
    return generation;
}

#define GENERATION_MALLOC "glibc.malloc.tcache_count=127:glibc.malloc.tcache_max=16384"

/* The child: never returns. */
VV_NORETURN static void generation_exec(const char *executable, char **argv, int control,
                                        pid_t parent)
{
    char number[16];
    char **args;
    size_t count = 0;

    /* A process group of its own: the whole generation can be found, and a terminal's Ctrl-C
     * reaches the supervisor alone. */
    (void)setpgid(0, 0);
    if (!vv_process_follow(parent))
        _exit(1);
    vv_process_signals_reset();
    /* The supervisor alone speaks to systemd. */
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
    /* With many connections at once libevent frees more pieces in a turn than glibc keeps at hand
     * for each size (7, up to 1 KiB): a tenth of a small answer went into giving them back and
     * asking again. What an operator has set stays. */
    (void)setenv("GLIBC_TUNABLES", GENERATION_MALLOC, 0);
    (void)fcntl(control, F_SETFD, 0);
    snprintf(number, sizeof number, "%d", control);
    while (argv[count] != NULL)
        count++;
    args = vv_xcalloc(count + 3, sizeof *args);
    memcpy(args, argv, count * sizeof *args);
    args[count] = vv_xstrdup("--leader");
    args[count + 1] = number;
    execv(executable, args);
    vv_error("%s cannot be run: %s", executable, strerror(errno));
    _exit(1);
}

struct vv_generation *vv_generation_start(unsigned number, const char *executable, char **argv,
                                          int limits)
{
    pid_t parent = getpid();
    int ends[2];
    pid_t pid;

    vv_control_pair(ends);
    pid = fork();
    if (pid == 0)
        generation_exec(executable, argv, ends[1], parent);
    (void)close(ends[1]);
    if (pid < 0) {
        vv_error("no process for a new generation: %s", strerror(errno));
        (void)close(ends[0]);
        return NULL;
    }
    /* On both sides, for nobody knows who comes first. */
    (void)setpgid(pid, pid);
    (void)vv_control_send(ends[0], limits, "hello %u %" PRId64, number, vv_process_started());
    return vv_generation_new(number, pid, ends[0]);
}

static void generation_open(struct vv_generation *generation, struct vv_sockets *sockets,
                            const char *address)
{
    char why[256];
    int index = vv_sockets_open(sockets, address, why, sizeof why);

    if (index < 0) {
        (void)vv_control_send(generation->control, -1, "error %s", why);
        return;
    }
    if (generation->used_count < VV_SOCKETS_MAX)
        generation->used[generation->used_count++] = sockets->list[index].address;
    (void)vv_control_send(generation->control, sockets->list[index].fd, "ok");
}

static void generation_message(struct vv_generation *generation, struct vv_sockets *sockets,
                               const char *text)
{
    int64_t numbers[3];

    if (strncmp(text, "listen ", 7) == 0) {
        generation_open(generation, sockets, text + 7);
    } else if (strncmp(text, "settings ", 9) == 0 &&
               vv_control_numbers(text + 9, numbers, 3) == 3) {
        generation->log_level = (int)numbers[0];
        generation->log_format = (int)numbers[1];
        generation->drain = numbers[2];
    } else if (strncmp(text, "refused ", 8) == 0) {
        snprintf(generation->why, sizeof generation->why, "%s", text + 8);
    } else if (strcmp(text, "single") == 0) {
        generation->single = true;
    } else if (strcmp(text, "ready") == 0) {
        generation->ready = true;
    } else {
        vv_warning("generation %u says what nobody understands: %s", generation->number, text);
    }
}

void vv_generation_listen(struct vv_generation *generation, struct vv_sockets *sockets)
{
    char text[VV_CONTROL_SIZE];
    int passed;

    while (generation->control >= 0) {
        enum vv_control_result result =
            vv_control_receive(generation->control, false, text, &passed);

        if (passed >= 0)
            (void)close(passed);
        if (result == VV_CONTROL_NONE)
            return;
        if (result == VV_CONTROL_MESSAGE) {
            generation_message(generation, sockets, text);
            continue;
        }
        (void)close(generation->control);
        generation->control = -1;
    }
}

void vv_generation_end(struct vv_generation *generation, bool last)
{
    generation->state = VV_GENERATION_ENDING;
    if (generation->kill_at == 0)
        generation->kill_at = vv_clock_steady() + generation->drain + GENERATION_GRACE;
    if (!generation->leader_gone)
        (void)kill(generation->pid, last ? VV_SIGNAL_LAST : SIGTERM);
}

void vv_generation_check(struct vv_generation *generation)
{
    if (generation->kill_at == 0 || generation->kill_at > vv_clock_steady())
        return;
    vv_warning("generation %u did not end in time and is killed", generation->number);
    (void)kill(-generation->pid, SIGKILL);
    /* Once more, should it have forked in that moment. */
    generation->kill_at = vv_clock_steady() + GENERATION_GRACE;
}

bool vv_generation_gone(struct vv_generation *generation)
{
    if (!generation->leader_gone || kill(-generation->pid, 0) == 0 || errno != ESRCH)
        return false;
    if (generation->control >= 0)
        (void)close(generation->control);
    vv_list_remove(&generation->link);
    free(generation);
    return true;
}

bool vv_generation_uses(const struct vv_generation *generation,
                        const struct sockaddr_storage *address)
{
    size_t i;

    for (i = 0; i < generation->used_count; i++)
        if (vv_address_equal(&generation->used[i], address))
            return true;
    return false;
}
