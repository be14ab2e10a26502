/* Messages between supervisor and leader: one line of text each, which may carry a descriptor. */
#ifndef VV_CORE_CONTROL_H
#define VV_CORE_CONTROL_H

#include "base.h"
#include <sys/types.h>

#define VV_CONTROL_SIZE 1024

/* A pair of connected sockets that keep messages apart; both are closed on exec. */
void vv_control_pair(int ret_ends[2]);

/* Sends one message, cut at VV_CONTROL_SIZE; `passed` goes with it unless it is -1. False: the
 * other side is gone (or does not read). Never waits. */
VV_PRINTF(3, 4) bool vv_control_send(int fd, int passed, const char *format, ...);

enum vv_control_result {
    VV_CONTROL_MESSAGE = 0,
    VV_CONTROL_NONE = 1,   /* nothing there now; only without `wait` */
    VV_CONTROL_CLOSED = 2, /* the other side is gone */
};

/* Receives one message into `text` (VV_CONTROL_SIZE bytes), and the descriptor that came with it,
 * else -1. */
enum vv_control_result vv_control_receive(int fd, bool wait, char *text, int *ret_passed);

/* Reads the numbers that a text consists of, at most `most`, and returns how many there are; 0 also
 * when something else is among them. */
size_t vv_control_numbers(const char *text, int64_t *numbers, size_t most);

#endif
