/* Messages between supervisor and leader: one line of text each, which may carry a descriptor. */
#include "control.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

/* Room for one descriptor, aligned as the kernel wants it. */
union control_room {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

void vv_control_pair(int ret_ends[2])
{
    vv_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_ends) == 0);
}

bool vv_control_send(int fd, int passed, const char *format, ...)
{
    char text[VV_CONTROL_SIZE];
    union control_room room;
    struct iovec part = {.iov_base = text};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    va_list args;
    ssize_t sent;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    /* With its NUL, so that no message is empty: that would look like the end. */
    part.iov_len = strlen(text) + 1;
    if (passed >= 0) {
        memset(&room, 0, sizeof room);
        room.header.cmsg_level = SOL_SOCKET;
        room.header.cmsg_type = SCM_RIGHTS;
        room.header.cmsg_len = CMSG_LEN(sizeof passed);
        memcpy(CMSG_DATA(&room.header), &passed, sizeof passed);
        message.msg_control = &room;
        message.msg_controllen = sizeof room;
    }
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent >= 0;
}

static int control_passed(struct msghdr *message)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    int passed;

    if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
        header->cmsg_len != CMSG_LEN(sizeof passed))
        return -1;
    memcpy(&passed, CMSG_DATA(header), sizeof passed);
    return passed;
}

enum vv_control_result vv_control_receive(int fd, bool wait, char *text, int *ret_passed)
{
    union control_room room;
    struct iovec part = {.iov_base = text, .iov_len = VV_CONTROL_SIZE - 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof room};
    ssize_t length;

    *ret_passed = -1;
    text[0] = '\0';
    do
        length = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    while (length < 0 && errno == EINTR);
    if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return VV_CONTROL_NONE;
    if (length <= 0)
        return VV_CONTROL_CLOSED;
    text[length] = '\0';
    *ret_passed = control_passed(&message);
    return VV_CONTROL_MESSAGE;
}

size_t vv_control_numbers(const char *text, int64_t *numbers, size_t most)
{
    size_t count = 0;

    while (*text != '\0') {
        char *end;

        if (count == most)
            return 0;
        errno = 0;
        numbers[count++] = strtoll(text, &end, 10);
        if (end == text || errno != 0 || (*end != ' ' && *end != '\n' && *end != '\0'))
            return 0;
        text = end + strspn(end, " \n");
    }
    return count;
}
