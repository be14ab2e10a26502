/* Two small pools of threads, and the way back to the loop for what they have done. */
#include "offload.h"

#include "log.h"
#include "plugin.h"
#include "request.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define OFFLOAD_BLOCKING 24 /* threads of the pool for calls that wait, made as needed */
#define OFFLOAD_NICE     10 /* of hashing: it yields to requests, and is not starved */
#define OFFLOAD_WORK     (10 * 1000000) /* microseconds of measured work that may be queued */
#define OFFLOAD_GUESS    (200 * 1000)   /* what a call takes, before any was measured */
#define OFFLOAD_DEEPEST  10000          /* calls queued, however short */

struct offload_call {
    struct vv_list link;
    struct vv_wait wait;
    struct offload_pool *pool;
    void (*function)(void *arg);
    void *arg;
    int64_t took;
};

struct offload_pool {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct vv_list queue;   /* under the lock */
    unsigned queued, idle;  /* under the lock */
    bool stopping;          /* under the lock */
    unsigned started, most; /* on the loop: threads */
    pthread_t threads[OFFLOAD_BLOCKING];
    int nice;
    unsigned pending; /* on the loop: calls not yet answered */
    int64_t average;  /* on the loop: of what a call takes, moving */
};

static struct offload_pool offload_pools[2];
static pthread_mutex_t offload_done_lock = PTHREAD_MUTEX_INITIALIZER;
static struct vv_list offload_done;
static int offload_fd = -1;
static struct event *offload_event;

static void offload_finished(evutil_socket_t fd, short what, void *arg);

static void offload_pool_init(struct offload_pool *pool, unsigned most, int nice_value)
{
    memset(pool, 0, sizeof *pool);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->more, NULL);
    vv_list_init(&pool->queue);
    pool->most = most;
    pool->nice = nice_value;
    pool->average = OFFLOAD_GUESS;
}

void vv_offload_init(struct event_base *base)
{
    offload_pool_init(&offload_pools[VV_POOL_HASH], 1, OFFLOAD_NICE);
    offload_pool_init(&offload_pools[VV_POOL_BLOCK], OFFLOAD_BLOCKING, 0);
    vv_list_init(&offload_done);
    offload_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    vv_assert(offload_fd >= 0);
    offload_event = event_new(base, offload_fd, EV_READ | EV_PERSIST, offload_finished, NULL);
    vv_assert(offload_event != NULL && event_add(offload_event, NULL) == 0);
}

static void offload_report(struct offload_call *call)
{
    static const uint64_t one = 1;

    pthread_mutex_lock(&offload_done_lock);
    vv_list_append(&offload_done, &call->link);
    pthread_mutex_unlock(&offload_done_lock);
    /* It can only fail when the counter is full: then the loop is about to read it anyway. */
    if (write(offload_fd, &one, sizeof one) < 0)
        vv_assert(errno == EAGAIN);
}

static void *offload_thread(void *arg)
{
    struct offload_pool *pool = arg;
    struct vv_list *item;

    if (pool->nice != 0)
        setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), pool->nice);
    for (;;) {
        struct offload_call *call;
        int64_t began;

        pthread_mutex_lock(&pool->lock);
        pool->idle++;
        while ((item = vv_list_shift(&pool->queue)) == NULL && !pool->stopping)
            pthread_cond_wait(&pool->more, &pool->lock);
        pool->idle--;
        if (item != NULL)
            pool->queued--;
        pthread_mutex_unlock(&pool->lock);
        if (item == NULL)
            return NULL;
        call = VV_CONTAINER(item, struct offload_call, link);
        began = vv_clock_steady();
        call->function(call->arg);
        call->took = vv_clock_steady() - began;
        offload_report(call);
    }
}

static void offload_finished(evutil_socket_t fd, short what, void *arg)
{
    struct vv_list done, *item;
    uint64_t count;

    (void)what, (void)arg;
    if (read(fd, &count, sizeof count) < 0 && errno != EAGAIN)
        vv_error("reading the offload counter: %s", strerror(errno));
    vv_list_init(&done);
    pthread_mutex_lock(&offload_done_lock);
    while ((item = vv_list_shift(&offload_done)) != NULL)
        vv_list_append(&done, item);
    pthread_mutex_unlock(&offload_done_lock);
    while ((item = vv_list_shift(&done)) != NULL) {
        struct offload_call *call = VV_CONTAINER(item, struct offload_call, link);

        call->pool->pending--;
        call->pool->average += (call->took - call->pool->average) / 8;
        vv_fiber_wake(&call->wait, 0);
    }
}

/* One more thread, if all are busy and the pool may have it. */
static void offload_grow(struct offload_pool *pool)
{
    bool needed;
    int rc;

    pthread_mutex_lock(&pool->lock);
    needed = pool->queued > pool->idle;
    pthread_mutex_unlock(&pool->lock);
    if (!needed || pool->started == pool->most)
        return;
    rc = pthread_create(&pool->threads[pool->started], NULL, offload_thread, pool);
    if (rc == 0)
        pool->started++;
    else
        vv_error("cannot start a thread: %s", strerror(rc));
    vv_assert(pool->started > 0);
}

int vv_offload_call(struct vv_self *self, struct vv_request *req, uint32_t number,
                    void (*function)(void *arg), void *arg)
{
    struct offload_pool *pool =
        &offload_pools[number == VV_POOL_HASH ? VV_POOL_HASH : VV_POOL_BLOCK];
    struct offload_call call = {.pool = pool, .function = function, .arg = arg};
    int rc = vv_request_may_wait(self, req, "offload a function");

    if (rc < 0)
        return rc;
    if (pool->pending >= OFFLOAD_DEEPEST ||
        (number == VV_POOL_HASH && pool->pending * pool->average > OFFLOAD_WORK)) {
        (void)vv_request_error(req, VV_EBUSY);
        req->problem.retry_after = vv_offload_retry_after();
        return VV_EBUSY;
    }
    vv_wait_init(&call.wait, NULL);
    pool->pending++;
    pthread_mutex_lock(&pool->lock);
    vv_list_append(&pool->queue, &call.link);
    pool->queued++;
    pthread_cond_signal(&pool->more);
    pthread_mutex_unlock(&pool->lock);
    offload_grow(pool);
    (void)vv_fiber_wait(&call.wait);
    return 0;
}

int64_t vv_offload_retry_after(void)
{
    const struct offload_pool *pool = &offload_pools[VV_POOL_HASH];
    int64_t work = pool->pending * pool->average - OFFLOAD_WORK;

    return VV_MAX(1, (work + 999999) / 1000000);
}

/* Waits for what runs: it uses memory of fibers that are gone after this. */
void vv_offload_stop(void)
{
    for (size_t i = 0; i < VV_ARRAY_SIZE(offload_pools); i++) {
        struct offload_pool *pool = &offload_pools[i];

        pthread_mutex_lock(&pool->lock);
        pool->stopping = true;
        pthread_cond_broadcast(&pool->more);
        pthread_mutex_unlock(&pool->lock);
        for (unsigned t = 0; t < pool->started; t++)
            pthread_join(pool->threads[t], NULL);
        pool->started = 0;
    }
    if (offload_event != NULL)
        event_free(offload_event);
    offload_event = NULL;
    if (offload_fd >= 0)
        close(offload_fd);
    offload_fd = -1;
}
