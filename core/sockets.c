/* The supervisor's listening sockets: one an address, kept over all generations. */
#include "sockets.h"
#include "log.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#define SOCKETS_BACKLOG 4096

static bool sockets_port(const char *text, in_port_t *ret_port)
{
    char *end;
    unsigned long port;

    if (text[0] < '0' || text[0] > '9')
        return false;
    port = strtoul(text, &end, 10);
    if (*end != '\0' || port == 0 || port > UINT16_MAX)
        return false;
    *ret_port = htons((in_port_t)port);
    return true;
}

bool vv_address_parse(const char *text, struct sockaddr_storage *ret_address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;
    bool bracket = text[0] == '[';
    const char *end = bracket ? strstr(text, "]:") : strrchr(text, ':');
    char host[INET6_ADDRSTRLEN];
    size_t length;

    memset(ret_address, 0, sizeof *ret_address);
    if (end == NULL)
        return false;
    length = (size_t)(end - text) - bracket;
    if (length >= sizeof host)
        return false;
    memcpy(host, text + bracket, length);
    host[length] = '\0';
    if (bracket) {
        v6->sin6_family = AF_INET6;
        return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1 &&
               sockets_port(end + 2, &v6->sin6_port);
    }
    v4->sin_family = AF_INET;
    return inet_pton(AF_INET, host, &v4->sin_addr) == 1 && sockets_port(end + 1, &v4->sin_port);
}

void vv_address_print(const struct sockaddr_storage *address, char *text, size_t size)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    char host[INET6_ADDRSTRLEN] = "?";

    if (address->ss_family == AF_INET) {
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(text, size, "%s:%u", host, ntohs(v4->sin_port));
    } else {
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(text, size, "[%s]:%u", host, ntohs(v6->sin6_port));
    }
}

bool vv_address_equal(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)a;
    const struct sockaddr_in *b4 = (const struct sockaddr_in *)b;
    const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a;
    const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)b;

    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    return a6->sin6_port == b6->sin6_port &&
           memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof a6->sin6_addr) == 0;
}

bool vv_sockets_add(struct vv_sockets *sockets, int fd, bool systemd)
{
    struct vv_socket *one;
    socklen_t length = sizeof one->address;

    if (sockets->count == VV_SOCKETS_MAX)
        return false;
    one = &sockets->list[sockets->count];
    memset(one, 0, sizeof *one);
    if (getsockname(fd, (struct sockaddr *)&one->address, &length) != 0)
        return false;
    one->fd = fd;
    one->systemd = systemd;
    sockets->count++;
    return true;
}

/* What holds for our sockets and systemd's alike. Accepted connections inherit TCP_NODELAY. */
static int sockets_listen(int fd)
{
    int one = 1;
    int flags = fcntl(fd, F_GETFL);

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return -1;
    return listen(fd, SOCKETS_BACKLOG);
}

void vv_sockets_adopt(struct vv_sockets *sockets)
{
    int count = sd_listen_fds(1);
    int fd;

    for (fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; fd++) {
        if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, -1) <= 0 ||
            sd_is_socket(fd, AF_UNIX, SOCK_STREAM, -1) > 0) {
            vv_warning("descriptor %d that systemd handed over is not a TCP socket", fd);
            (void)close(fd);
        } else if (sockets_listen(fd) != 0 || !vv_sockets_add(sockets, fd, true)) {
            vv_warning("socket %d that systemd handed over cannot be used: %s", fd,
                       strerror(errno));
            (void)close(fd);
        }
    }
}

static int sockets_new(const struct sockaddr_storage *address)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;
    socklen_t length =
        address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int error;

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (address->ss_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(fd, (const struct sockaddr *)address, length) == 0 && sockets_listen(fd) == 0)
        return fd;
    error = errno;
    (void)close(fd);
    errno = error;
    return -1;
}

int vv_sockets_open(struct vv_sockets *sockets, const char *address, char *why, size_t size)
{
    struct sockaddr_storage wanted;
    size_t i;
    int fd;

    if (!vv_address_parse(address, &wanted)) {
        snprintf(why, size,
                 "cannot listen on %s: write it as 127.0.0.1:8000, 0.0.0.0:8000 or [::1]:8000",
                 address);
        return -1;
    }
    for (i = 0; i < sockets->count; i++)
        if (vv_address_equal(&sockets->list[i].address, &wanted))
            return (int)i;
    if (sockets->count == VV_SOCKETS_MAX) {
        snprintf(why, size, "cannot listen on %s: %d addresses are the most", address,
                 VV_SOCKETS_MAX);
        return -1;
    }
    fd = sockets_new(&wanted);
    if (fd < 0) {
        snprintf(why, size, "cannot listen on %s: %s", address, strerror(errno));
        return -1;
    }
    vv_assert(vv_sockets_add(sockets, fd, false));
    return (int)sockets->count - 1;
}

void vv_sockets_keep(struct vv_sockets *sockets,
                     bool (*used)(const struct sockaddr_storage *address, void *arg), void *arg)
{
    size_t kept = 0;
    size_t i;

    for (i = 0; i < sockets->count; i++) {
        struct vv_socket *one = &sockets->list[i];

        if (one->systemd || used(&one->address, arg))
            sockets->list[kept++] = *one;
        else
            (void)close(one->fd);
    }
    sockets->count = kept;
}
