/* Names a job worker so that others on its machine can tell, without waiting, that it has died. */
#include "jobs_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

/* The first `size - 1` bytes of a file or a link; "" when it cannot be read. */
static void identity_read(const char *path, bool link, char *text, size_t size)
{
    ssize_t length = -1;
    int fd;

    if (link) {
        length = readlink(path, text, size - 1);
    } else {
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            length = read(fd, text, size - 1);
            close(fd);
        }
    }
    text[length < 0 ? 0 : length] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

/* When a process began, in the kernel's ticks: pid and this together name one for ever. 0: there is
 * none, or it cannot be seen. */
static unsigned long long identity_began(int pid)
{
    char path[64], stat[1024], *at;
    unsigned long long began = 0;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    identity_read(path, false, stat, sizeof stat);
    at = strrchr(stat, ')'); /* the name before it may hold anything */
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (at != NULL)
        began = strtoull(at, NULL, 10);
    return began;
}

/* "<boot id>/<pid namespace>/<pid>/<start>" */
void jobs_identity_make(void)
{
    char boot[40], space[32];
    int prefix;

    identity_read("/proc/sys/kernel/random/boot_id", false, boot, sizeof boot);
    identity_read("/proc/self/ns/pid", true, space, sizeof space);
    prefix = snprintf(jobs_state.worker, sizeof jobs_state.worker, "%.36s/%.20s/", boot, space);
    vv_assert(prefix > 0 && (size_t)prefix < sizeof jobs_state.worker - 32);
    jobs_state.worker_prefix = (size_t)prefix;
    snprintf(jobs_state.worker + prefix, sizeof jobs_state.worker - (size_t)prefix, "%d/%llu",
             (int)getpid(), identity_began((int)getpid()));
}

bool jobs_identity_dead(const char *worker)
{
    unsigned long long began, now;
    char *end;
    long pid;

    if (strncmp(worker, jobs_state.worker, jobs_state.worker_prefix) != 0)
        return false;
    pid = strtol(worker + jobs_state.worker_prefix, &end, 10);
    if (*end != '/' || pid <= 0 || pid > INT32_MAX)
        return false;
    began = strtoull(end + 1, NULL, 10);
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH)
        return true;
    now = identity_began((int)pid);
    return now != 0 && began != 0 && now != began;
}
