/* Stackful coroutines on one event loop: code that waits reads top to bottom. */
#ifndef VV_CORE_FIBER_H
#define VV_CORE_FIBER_H

#include "base.h"

struct event_base;
struct vv_fiber;

/*
 * Something a fiber waits for. It lives on the waiting fiber's stack. Whoever will wake it keeps
 * the pointer and calls vv_fiber_wake() exactly once, unless `cancel` was called first.
 */
struct vv_wait {
    struct vv_fiber *fiber;
    int result;
    bool woken;
    void (*cancel)(struct vv_wait *wait); /* forget the pointer: this wait was cancelled. NULL: this
                                           * wait cannot be cancelled */
};

/* Once in each process that has a loop. `limit` fibers at most. */
void vv_fibers_init(struct event_base *base, unsigned limit);

/* Runs function(arg) on a fiber of its own, beginning at once (when called on the loop) or when the
 * running fiber next waits. VV_EBUSY: the limit is reached. The fiber ends when it returns. */
VV_MUST_CHECK int vv_fiber_spawn(void (*function)(void *arg), void *arg);

/* The fiber that runs; NULL on the loop. */
struct vv_fiber *vv_fiber_current(void);

/* Suspends the running fiber until vv_fiber_wake(wait, result), and returns the result;
 * VV_ECANCELED when it was cancelled. Prepare with vv_wait_init() before the pointer is given away.
 */
void vv_wait_init(struct vv_wait *wait, void (*cancel)(struct vv_wait *wait));
int vv_fiber_wait(struct vv_wait *wait);
void vv_fiber_wake(struct vv_wait *wait, int result);

/* Waits. VV_ECANCELED when cancelled. */
int vv_fiber_sleep(int64_t microseconds);

/* Ends the present wait of a fiber, if that can be cancelled, and every later one that can, with
 * VV_ECANCELED. */
void vv_fiber_cancel(struct vv_fiber *fiber);
bool vv_fiber_cancelled(const struct vv_fiber *fiber);

/* Cancels a fiber when the steady clock reaches `deadline` microseconds; 0 takes that back. */
void vv_fiber_deadline(struct vv_fiber *fiber, int64_t deadline);

/* What runs, for the log's warning about a held loop: a static or long-lived text, and a context.
 */
void vv_fiber_label(const char *label);

unsigned vv_fibers_alive(void);

/* How often and how long (microseconds, the longest) the loop was held over 50 ms. */
uint64_t vv_fibers_held(void);

#endif
