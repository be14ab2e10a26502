/* Taking over a new server binary: the supervisor execs it, with its sockets and its children. */
#include "log.h"
#include "process.h"
#include "supervisor.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* The descriptor of a memfd in which the state is written down, a line for each thing. */
#define HANDOVER_VARIABLE "VVSERVERD_STATE"

#define HANDOVER_LINE 512

static bool handover_same(const char *path)
{
    struct stat there, running;

    return stat(path, &there) == 0 && stat("/proc/self/exe", &running) == 0 &&
           there.st_dev == running.st_dev && there.st_ino == running.st_ino;
}

char *vv_handover_executable(const char *name)
{
    char path[PATH_MAX];
    char folder[PATH_MAX];
    ssize_t length;

    /* The name it was called by first: it may be a symbolic link, which an update moves. */
    if (strchr(name, '/') != NULL) {
        if (name[0] == '/')
            snprintf(path, sizeof path, "%s", name);
        else if (getcwd(folder, sizeof folder) == NULL ||
                 (size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
            path[0] = '\0';
        if (handover_same(path))
            return vv_xstrdup(path);
    }
    length = readlink("/proc/self/exe", path, sizeof path - 1);
    vv_assert(length > 0);
    path[length] = '\0';
    return vv_xstrdup(path);
}

bool vv_handover_changed(const char *executable)
{
    return access(executable, X_OK) == 0 && !handover_same(executable);
}

static void handover_write_generation(FILE *file, const struct vv_generation *generation)
{
    char address[128];
    size_t i;

    fprintf(file, "generation %u %d %d %d %d %d %d %" PRId64 " %" PRId64 "\n", generation->number,
            (int)generation->pid, generation->control, (int)generation->state,
            (int)generation->leader_gone, generation->log_level, generation->log_format,
            generation->drain, generation->kill_at);
    for (i = 0; i < generation->used_count; i++) {
        vv_address_print(&generation->used[i], address, sizeof address);
        fprintf(file, "uses %s\n", address);
    }
}

static bool handover_write(const struct vv_supervisor *supervisor, int fd)
{
    int copy = dup(fd);
    FILE *file = copy < 0 ? NULL : fdopen(copy, "w");
    const struct vv_list *item;
    bool good;
    size_t i;

    if (file == NULL)
        return false;
    fprintf(file, "supervisor %" PRId64 " %u %d\n", vv_process_started(), supervisor->next_number,
            supervisor->limits);
    for (i = 0; i < supervisor->sockets.count; i++)
        fprintf(file, "socket %d %d\n", supervisor->sockets.list[i].fd,
                (int)supervisor->sockets.list[i].systemd);
    for (item = supervisor->generations.next; item != &supervisor->generations; item = item->next)
        handover_write_generation(file, VV_CONTAINER(item, const struct vv_generation, link));
    good = ferror(file) == 0;
    return fclose(file) == 0 && good && lseek(fd, 0, SEEK_SET) == 0;
}

/* Whether our descriptors outlive the exec. */
static void handover_keep(struct vv_supervisor *supervisor, int state, bool keep)
{
    int flags = keep ? 0 : FD_CLOEXEC;
    struct vv_list *item;
    size_t i;

    (void)fcntl(state, F_SETFD, flags);
    (void)fcntl(supervisor->limits, F_SETFD, flags);
    for (i = 0; i < supervisor->sockets.count; i++)
        (void)fcntl(supervisor->sockets.list[i].fd, F_SETFD, flags);
    for (item = supervisor->generations.next; item != &supervisor->generations; item = item->next) {
        int control = VV_CONTAINER(item, struct vv_generation, link)->control;

        if (control >= 0)
            (void)fcntl(control, F_SETFD, flags);
    }
}

void vv_handover_exec(struct vv_supervisor *supervisor)
{
    int fd = memfd_create("vvserverd-state", MFD_CLOEXEC);
    char number[16];

    if (fd < 0 || !handover_write(supervisor, fd)) {
        vv_error("the new server program is not taken over: %s", strerror(errno));
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    snprintf(number, sizeof number, "%d", fd);
    handover_keep(supervisor, fd, true);
    (void)setenv(HANDOVER_VARIABLE, number, 1);
    vv_info_("becoming the new server program %s", supervisor->executable);
    execv(supervisor->executable, supervisor->argv);
    vv_error("the new server program is not taken over: %s", strerror(errno));
    (void)unsetenv(HANDOVER_VARIABLE);
    handover_keep(supervisor, fd, false);
    (void)close(fd);
}

static struct vv_generation *handover_read_generation(const int64_t *numbers)
{
    struct vv_generation *generation =
        vv_generation_new((unsigned)numbers[0], (pid_t)numbers[1], (int)numbers[2]);

    generation->state = (enum vv_generation_state)numbers[3];
    generation->leader_gone = numbers[4] != 0;
    generation->log_level = (int)numbers[5];
    generation->log_format = (int)numbers[6];
    generation->drain = numbers[7];
    generation->kill_at = numbers[8];
    generation->ready = true;
    return generation;
}

/* A line is a word and what belongs to it; "uses" belongs to the generation before it. */
static void handover_read(struct vv_supervisor *supervisor, char *line)
{
    char *rest = strchr(line, ' ');
    struct vv_generation *last;
    int64_t numbers[9];

    vv_assert(rest != NULL);
    *rest++ = '\0';
    rest[strcspn(rest, "\n")] = '\0';
    if (strcmp(line, "supervisor") == 0 && vv_control_numbers(rest, numbers, 3) == 3) {
        vv_process_set_started(numbers[0]);
        supervisor->next_number = (unsigned)numbers[1];
        supervisor->limits = (int)numbers[2];
    } else if (strcmp(line, "socket") == 0 && vv_control_numbers(rest, numbers, 2) == 2) {
        vv_assert(vv_sockets_add(&supervisor->sockets, (int)numbers[0], numbers[1] != 0));
    } else if (strcmp(line, "generation") == 0 && vv_control_numbers(rest, numbers, 9) == 9) {
        vv_list_append(&supervisor->generations, &handover_read_generation(numbers)->link);
    } else if (strcmp(line, "uses") == 0 && !vv_list_empty(&supervisor->generations)) {
        last = VV_CONTAINER(supervisor->generations.prev, struct vv_generation, link);
        if (last->used_count < VV_SOCKETS_MAX &&
            vv_address_parse(rest, &last->used[last->used_count]))
            last->used_count++;
    }
}

bool vv_handover_resume(struct vv_supervisor *supervisor)
{
    const char *text = getenv(HANDOVER_VARIABLE);
    char line[HANDOVER_LINE];
    FILE *file;
    int fd;

    if (text == NULL)
        return false;
    fd = (int)strtol(text, NULL, 10);
    (void)unsetenv(HANDOVER_VARIABLE);
    file = fdopen(fd, "r");
    if (file == NULL)
        return false;
    supervisor->limits = -1;
    while (fgets(line, sizeof line, file) != NULL)
        handover_read(supervisor, line);
    (void)fclose(file);
    vv_assert(supervisor->limits >= 0);
    handover_keep(supervisor, supervisor->limits, false);
    return true;
}
