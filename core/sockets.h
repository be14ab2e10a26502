/* The supervisor's listening sockets: one an address, kept over all generations. */
#ifndef VV_CORE_SOCKETS_H
#define VV_CORE_SOCKETS_H

#include "base.h"
#include <sys/socket.h>

#define VV_SOCKETS_MAX 64

struct vv_socket {
    struct sockaddr_storage address;
    int fd;
    bool systemd; /* handed over: never closed, for it cannot be opened again */
};

struct vv_sockets {
    struct vv_socket list[VV_SOCKETS_MAX];
    size_t count;
};

/* "127.0.0.1:8000", "[::1]:8000". False: not of that form. */
bool vv_address_parse(const char *text, struct sockaddr_storage *ret_address);

/* The same the other way round. */
void vv_address_print(const struct sockaddr_storage *address, char *text, size_t size);

/* Takes what systemd hands over (LISTEN_FDS). */
void vv_sockets_adopt(struct vv_sockets *sockets);

/* The index of the socket that listens on that address, opened now if there is none yet. -1: `why`
 * says why not, in a whole sentence. */
int vv_sockets_open(struct vv_sockets *sockets, const char *address, char *why, size_t size);

/* Adds one that is open already. False: there are too many. */
bool vv_sockets_add(struct vv_sockets *sockets, int fd, bool systemd);

/* Closes those that used(address) denies. */
void vv_sockets_keep(struct vv_sockets *sockets,
                     bool (*used)(const struct sockaddr_storage *address, void *arg), void *arg);

bool vv_address_equal(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

#endif
