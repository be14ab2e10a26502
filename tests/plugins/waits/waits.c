/* Waiting: sleeps, threads, a start function, deferred calls, a deadline. */
#include <pthread.h>
#include <vv/plugin.h>

struct work {
    pthread_t thread;
    bool same;
};

static int deferred, ticks;

static void on_thread(void *arg)
{
    struct work *work = arg;

    work->same = pthread_equal(work->thread, pthread_self()) != 0;
    vv_log(NULL, VV_LOG_DEBUG, "on a thread");
}

static int offload(struct vv_request *req)
{
    struct work *work = vv_alloc(req, sizeof *work);
    struct vv_json *json = vv_object(req);

    work->thread = pthread_self();
    work->same = true;
    VV_TRY(vv_offload(req, VV_POOL_HASH, on_thread, work));
    vv_put(json, "hash_on_the_loop", VV_BOOL(work->same));
    work->same = true;
    VV_TRY(vv_offload(req, VV_POOL_BLOCK, on_thread, work));
    vv_put(json, "block_on_the_loop", VV_BOOL(work->same));
    return vv_reply(req, 200, json);
}

static void count(void *arg)
{
    deferred += *(const int *)arg;
}

/* Sleeps for as long as its parameter says; its deadline is 300 ms. */
static int nap(struct vv_request *req)
{
    static const int one = 1, ten = 10;
    struct vv_json *json = vv_object(req);

    vv_put(json, "deferred", VV_INT(deferred));
    vv_put(json, "ticks", VV_INT(ticks));
    vv_defer(req, count, (void *)&one);
    vv_defer(req, count, (void *)&ten);
    VV_TRY(vv_sleep(req, vv_param_int(req, "ms")));
    return vv_reply(req, 200, json);
}

static int start(struct vv_request *req)
{
    for (;; ticks++)
        VV_TRY(vv_sleep(req, 10));
}

static void stop(void)
{
    vv_log(NULL, VV_LOG_INFO, "stopped after %s", ticks > 0 ? "some ticks" : "none");
}

static const struct vv_field query[] = {
    VV_FIELD_INT("ms", 0, 60000, VV_REQUIRED, "How long"),
    VV_END,
};

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "/waits/offload", VV_ANYONE, offload, .summary = "Works on threads"),
    VV_ROUTE(VV_GET, "/waits/nap/{ms}", VV_ANYONE, nap, .query = query, .deadline = 300,
             .summary = "Sleeps"),
    VV_END,
};

VV_PLUGIN(.name = "waits", .version = "1", .summary = "Waits in every way", .routes = routes,
          .start = start, .stop = stop)
