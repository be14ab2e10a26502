/* What every process of the server does about itself: its name, signals, parent and age. */
#include "process.h"
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

static int64_t process_since;

void vv_process_set_started(int64_t steady)
{
    process_since = steady;
}

int64_t vv_process_started(void)
{
    if (process_since == 0)
        process_since = vv_clock_steady();
    return process_since;
}

int64_t vv_uptime(void)
{
    return vv_clock_steady() - vv_process_started();
}

void vv_process_name(const char *name)
{
    (void)prctl(PR_SET_NAME, name, 0, 0, 0);
}

bool vv_process_follow(pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    /* It may have died before the line above. */
    return getppid() == parent;
}

int vv_process_signals(const int *signals)
{
    sigset_t set;
    int fd;

    sigemptyset(&set);
    for (; *signals != 0; signals++)
        sigaddset(&set, *signals);
    vv_assert(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    vv_assert(fd >= 0);
    return fd;
}

void vv_process_signals_reset(void)
{
    static const int ignored[] = {SIGINT, SIGHUP, SIGPIPE};
    static const int usual[] = {SIGTERM, VV_SIGNAL_LAST, SIGCHLD};
    sigset_t none;
    size_t i;

    for (i = 0; i < VV_ARRAY_SIZE(ignored); i++)
        (void)signal(ignored[i], SIG_IGN);
    for (i = 0; i < VV_ARRAY_SIZE(usual); i++)
        (void)signal(usual[i], SIG_DFL);
    sigemptyset(&none);
    vv_assert(sigprocmask(SIG_SETMASK, &none, NULL) == 0);
}

const char *vv_process_ending(int wait_status)
{
    static char text[80];

    if (WIFSIGNALED(wait_status))
        snprintf(text, sizeof text, "was killed by signal %d (%s)", WTERMSIG(wait_status),
                 strsignal(WTERMSIG(wait_status)));
    else
        snprintf(text, sizeof text, "exited with status %d", WEXITSTATUS(wait_status));
    return text;
}

int vv_process_timeout(int64_t at)
{
    int64_t rest;

    if (at == 0)
        return -1;
    rest = at - vv_clock_steady();
    if (rest <= 0)
        return 0;
    return (int)VV_MIN(rest / 1000 + 1, INT_MAX);
}
