/* Fibers: their stacks, who is ready, who waits, and whose deadline has passed. */
#include "fiber.h"

#include "context.h"
#include "log.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/mman.h>

/* Tools that follow stacks must be told when another one is used. */
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define FIBER_LEAVE(save, bottom, size) __sanitizer_start_switch_fiber(save, bottom, size)
#define FIBER_ARRIVE(save)              __sanitizer_finish_switch_fiber(save, NULL, NULL)
#define FIBER_FRESH(bottom, size)       __asan_unpoison_memory_region(bottom, size)
#else
#define FIBER_LEAVE(save, bottom, size) ((void)(save), (void)(bottom), (void)(size))
#define FIBER_ARRIVE(save)              ((void)(save))
#define FIBER_FRESH(bottom, size)       ((void)(bottom), (void)(size))
#endif

#define FIBER_STACK    (256 * 1024) /* reserved; what is not touched costs nothing */
#define FIBER_POOL     512          /* stacks kept for reuse */
#define FIBER_SWEEP    50000        /* microseconds between looks at the deadlines */
#define FIBER_HELD     50000        /* microseconds: a loop held for longer is worth a warning */
#define FIBER_STACKTOP sizeof(struct vv_fiber)

/* Lies at the top of its own stack. */
struct vv_fiber {
    struct vv_context context;
    struct vv_list link;  /* in fiber_alive */
    struct vv_list ready; /* in fiber_ready */
    void (*function)(void *arg);
    void *arg;
    struct vv_wait *wait; /* what it waits for; NULL while it runs or is ready */
    int64_t deadline;
    bool cancelled, ended;
    const char *label;
    char *map; /* the whole mapping, guard page first */
    void *fake_stack;
    struct vv_fiber *next_free;
};

static struct event_base *fiber_base;
static struct event fiber_ready_event, fiber_sweep_event;
static struct vv_list fiber_alive, fiber_ready;
static struct vv_fiber *fiber_now, *fiber_free;
static struct vv_context fiber_loop;
static void *fiber_loop_fake;
static unsigned fiber_count, fiber_limit, fiber_pooled, fiber_deadlines;
static uint64_t fiber_held;
static size_t fiber_page;

/* The loop's own stack, as ASAN wants to hear of it when a fiber goes back there. */
static const void *fiber_loop_bottom;
static size_t fiber_loop_size;

static void fiber_resume(struct vv_fiber *fiber);
static void fiber_run_ready(evutil_socket_t fd, short what, void *arg);
static void fiber_sweep(evutil_socket_t fd, short what, void *arg);

void vv_fibers_init(struct event_base *base, unsigned limit)
{
    fiber_base = base;
    fiber_limit = limit;
    fiber_page = (size_t)sysconf(_SC_PAGESIZE);
    vv_list_init(&fiber_alive);
    vv_list_init(&fiber_ready);
    event_assign(&fiber_ready_event, base, -1, EV_PERSIST, fiber_run_ready, NULL);
    evtimer_assign(&fiber_sweep_event, base, fiber_sweep, NULL);
}

static struct vv_fiber *fiber_new(void)
{
    struct vv_fiber *fiber = fiber_free;
    char *map;

    if (fiber != NULL) {
        fiber_free = fiber->next_free;
        fiber_pooled--;
        return fiber;
    }
    map = mmap(NULL, fiber_page + FIBER_STACK, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    if (mprotect(map, fiber_page, PROT_NONE) != 0) {
        munmap(map, fiber_page + FIBER_STACK);
        return NULL;
    }
    fiber = (struct vv_fiber *)(void *)(map + fiber_page + FIBER_STACK -
                                        ((FIBER_STACKTOP + 63) & ~(size_t)63));
    fiber->map = map;
    return fiber;
}

static void fiber_release(struct vv_fiber *fiber)
{
    if (fiber_pooled >= FIBER_POOL) {
        munmap(fiber->map, fiber_page + FIBER_STACK);
        return;
    }
    fiber->next_free = fiber_free;
    fiber_free = fiber;
    fiber_pooled++;
}

static size_t fiber_stack_size(const struct vv_fiber *fiber)
{
    return (size_t)((const char *)fiber - (fiber->map + fiber_page));
}

/* Back to the loop; returns when the fiber is resumed. */
static void fiber_suspend(struct vv_fiber *fiber)
{
    FIBER_LEAVE(fiber->ended ? NULL : &fiber->fake_stack, fiber_loop_bottom, fiber_loop_size);
    vv_context_switch(&fiber->context, &fiber_loop);
    FIBER_ARRIVE(fiber->fake_stack);
}

/* Where every fiber begins. */
static void fiber_entry(void)
{
    struct vv_fiber *fiber = fiber_now;

#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(NULL, &fiber_loop_bottom, &fiber_loop_size);
#endif
    fiber->function(fiber->arg);
    fiber->ended = true;
    fiber_suspend(fiber);
    vv_assert(false);
}

static void fiber_finish(struct vv_fiber *fiber)
{
    vv_fiber_deadline(fiber, 0);
    vv_list_remove(&fiber->link);
    fiber_count--;
    fiber_release(fiber);
}

/* Runs a fiber until it waits or ends. On the loop only. */
static void fiber_resume(struct vv_fiber *fiber)
{
    int64_t began = vv_clock_steady(), took;

    vv_assert(fiber_now == NULL);
    fiber_now = fiber;
    FIBER_LEAVE(&fiber_loop_fake, fiber->map + fiber_page, fiber_stack_size(fiber));
    vv_context_switch(&fiber_loop, &fiber->context);
    FIBER_ARRIVE(fiber_loop_fake);
    fiber_now = NULL;
    took = vv_clock_steady() - began;
    if (took > FIBER_HELD) {
        fiber_held++;
        vv_warning("%s held the loop for %lld ms: nothing else was served meanwhile",
                   fiber->label == NULL ? "a fiber" : fiber->label, (long long)(took / 1000));
    }
    if (fiber->ended)
        fiber_finish(fiber);
}

static void fiber_make_ready(struct vv_fiber *fiber)
{
    if (vv_list_empty(&fiber_ready))
        event_active(&fiber_ready_event, 0, 0);
    vv_list_append(&fiber_ready, &fiber->ready);
}

/* Only those that are ready now: what they make ready in turn waits for its own turn, so that
 * sockets are looked at in between. */
static void fiber_run_ready(evutil_socket_t fd, short what, void *arg)
{
    struct vv_list batch, *item;

    (void)fd, (void)what, (void)arg;
    vv_list_init(&batch);
    while ((item = vv_list_shift(&fiber_ready)) != NULL)
        vv_list_append(&batch, item);
    while ((item = vv_list_shift(&batch)) != NULL)
        fiber_resume(VV_CONTAINER(item, struct vv_fiber, ready));
}

int vv_fiber_spawn(void (*function)(void *arg), void *arg)
{
    struct vv_fiber *fiber;
    char *map;

    if (fiber_count >= fiber_limit || (fiber = fiber_new()) == NULL)
        return VV_EBUSY;
    map = fiber->map;
    memset(fiber, 0, sizeof *fiber);
    fiber->map = map;
    fiber->function = function;
    fiber->arg = arg;
    vv_list_init(&fiber->ready);
    vv_list_append(&fiber_alive, &fiber->link);
    fiber_count++;
    FIBER_FRESH(map + fiber_page, fiber_stack_size(fiber));
    vv_context_make(&fiber->context, map + fiber_page, fiber_stack_size(fiber), fiber_entry);
    if (fiber_now == NULL)
        fiber_resume(fiber);
    else
        fiber_make_ready(fiber);
    return 0;
}

struct vv_fiber *vv_fiber_current(void)
{
    return fiber_now;
}

void vv_wait_init(struct vv_wait *wait, void (*cancel)(struct vv_wait *wait))
{
    wait->fiber = fiber_now;
    wait->result = 0;
    wait->woken = false;
    wait->cancel = cancel;
}

int vv_fiber_wait(struct vv_wait *wait)
{
    struct vv_fiber *fiber = fiber_now;

    vv_assert(fiber != NULL && wait->fiber == fiber);
    if (wait->woken)
        return wait->result;
    if (fiber->cancelled && wait->cancel != NULL) {
        wait->cancel(wait);
        return VV_ECANCELED;
    }
    fiber->wait = wait;
    fiber_suspend(fiber);
    vv_assert(wait->woken);
    return wait->result;
}

void vv_fiber_wake(struct vv_wait *wait, int result)
{
    struct vv_fiber *fiber = wait->fiber;

    vv_assert(!wait->woken);
    wait->woken = true;
    wait->result = result;
    if (fiber->wait == wait) { /* else it has not begun to wait, and will see `woken` */
        fiber->wait = NULL;
        fiber_make_ready(fiber);
    }
}

struct fiber_timer {
    struct vv_wait wait;
    struct event event;
};

static void fiber_timer_fired(evutil_socket_t fd, short what, void *arg)
{
    struct fiber_timer *timer = arg;

    (void)fd, (void)what;
    vv_fiber_wake(&timer->wait, 0);
}

static void fiber_timer_cancel(struct vv_wait *wait)
{
    evtimer_del(&VV_CONTAINER(wait, struct fiber_timer, wait)->event);
}

int vv_fiber_sleep(int64_t microseconds)
{
    struct timeval after = {.tv_sec = (time_t)(microseconds / 1000000),
                            .tv_usec = (suseconds_t)(microseconds % 1000000)};
    struct fiber_timer timer;

    vv_wait_init(&timer.wait, fiber_timer_cancel);
    evtimer_assign(&timer.event, fiber_base, fiber_timer_fired, &timer);
    evtimer_add(&timer.event, &after);
    return vv_fiber_wait(&timer.wait);
}

void vv_fiber_cancel(struct vv_fiber *fiber)
{
    struct vv_wait *wait = fiber->wait;

    fiber->cancelled = true;
    if (wait == NULL || wait->cancel == NULL)
        return;
    wait->cancel(wait);
    vv_fiber_wake(wait, VV_ECANCELED);
}

bool vv_fiber_cancelled(const struct vv_fiber *fiber)
{
    return fiber->cancelled;
}

static void fiber_sweep_arm(void)
{
    static const struct timeval pause = {.tv_usec = FIBER_SWEEP};

    evtimer_add(&fiber_sweep_event, &pause);
}

/* One look at all of them costs less than a timer for each request. */
static void fiber_sweep(evutil_socket_t fd, short what, void *arg)
{
    int64_t now = vv_clock_steady();

    (void)fd, (void)what, (void)arg;
    for (struct vv_list *at = fiber_alive.next; at != &fiber_alive; at = at->next) {
        struct vv_fiber *fiber = VV_CONTAINER(at, struct vv_fiber, link);

        if (fiber->deadline != 0 && now >= fiber->deadline && !fiber->cancelled)
            vv_fiber_cancel(fiber);
    }
    if (fiber_deadlines > 0)
        fiber_sweep_arm();
}

void vv_fiber_deadline(struct vv_fiber *fiber, int64_t deadline)
{
    if (fiber->deadline == 0 && deadline != 0) {
        if (fiber_deadlines++ == 0 && !evtimer_pending(&fiber_sweep_event, NULL))
            fiber_sweep_arm();
    } else if (fiber->deadline != 0 && deadline == 0) {
        fiber_deadlines--;
    }
    fiber->deadline = deadline;
}

void vv_fiber_label(const char *label)
{
    if (fiber_now != NULL)
        fiber_now->label = label;
}

unsigned vv_fibers_alive(void)
{
    return fiber_count;
}

uint64_t vv_fibers_held(void)
{
    return fiber_held;
}
