/* libcurl's multi interface on the loop: its sockets and its timer are events of ours. */
#include "log.h"
#include "outgoing_inside.h"

#include <event2/event.h>
#include <openssl/err.h>

#define LOOP_CONNECTIONS 256 /* of one worker at once; more calls wait for their turn */
#define LOOP_KEPT        64  /* idle connections that are kept for the next call */

static struct {
    struct event_base *base;
    CURLM *multi; /* NULL: stopped, or never begun */
    struct event *timer;
    struct vv_list attempts; /* under way, or pausing */
} loop;

static struct outgoing_attempt *loop_attempt(struct vv_list *link)
{
    return VV_CONTAINER(link, struct outgoing_attempt, link);
}

/* Takes it out of libcurl's hands: from here on nothing calls back for it. */
static void loop_detach(struct outgoing_attempt *attempt)
{
    vv_list_remove(&attempt->link);
    if (attempt->easy != NULL)
        (void)curl_multi_remove_handle(loop.multi, attempt->easy);
    ERR_clear_error(); /* what is left there would be taken for an error of our own connections */
    if (attempt->pause != NULL)
        event_free(attempt->pause);
    attempt->pause = NULL;
}

static void loop_cancel(struct vv_wait *wait)
{
    loop_detach(VV_CONTAINER(wait, struct outgoing_attempt, wait));
}

/* ---- what libcurl asks for ------------------------------------------------------------------- */

/* Notes what came of it, while the handle still knows. */
static void loop_finish(struct outgoing_attempt *attempt, CURLcode code)
{
    curl_off_t before = 0, retry_after = 0;
    long status = 0, size = 0;

    attempt->code = code;
    (void)curl_easy_getinfo(attempt->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(attempt->easy, CURLINFO_RETRY_AFTER, &retry_after);
    (void)curl_easy_getinfo(attempt->easy, CURLINFO_PRETRANSFER_TIME_T, &before);
    (void)curl_easy_getinfo(attempt->easy, CURLINFO_REQUEST_SIZE, &size);
    attempt->status = status < 0 ? 0 : (uint32_t)status;
    attempt->retry_after = retry_after;
    attempt->sent = before > 0 || size > 0;
    loop_detach(attempt);
    vv_fiber_wake(&attempt->wait, 0);
}

static void loop_collect(void)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(loop.multi, &left)) != NULL) {
        CURLcode code = message->data.result;
        char *attempt = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &attempt);
        vv_assert(attempt != NULL);
        loop_finish((struct outgoing_attempt *)(void *)attempt, code);
    }
    ERR_clear_error();
}

static void loop_on_socket(evutil_socket_t fd, short what, void *arg)
{
    int bits = ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
               ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
    int running;

    (void)arg;
    (void)curl_multi_socket_action(loop.multi, fd, bits, &running);
    loop_collect();
}

static void loop_on_timer(evutil_socket_t fd, short what, void *arg)
{
    int running;

    (void)fd, (void)what, (void)arg;
    (void)curl_multi_socket_action(loop.multi, CURL_SOCKET_TIMEOUT, 0, &running);
    loop_collect();
}

/* libcurl tells of a socket's end before it closes it: epoll must not meet another one there. */
static int loop_watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *watched)
{
    struct event *event = watched;
    short kind = EV_PERSIST;

    (void)easy, (void)arg;
    if (event != NULL)
        event_free(event);
    event = NULL;
    if (what != CURL_POLL_REMOVE) {
        kind |= (what & CURL_POLL_IN) != 0 ? EV_READ : 0;
        kind |= (what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0;
        event = event_new(loop.base, fd, kind, loop_on_socket, NULL);
        vv_assert(event != NULL && event_add(event, NULL) == 0);
    }
    (void)curl_multi_assign(loop.multi, fd, event);
    return 0;
}

static int loop_set_timer(CURLM *multi, long milliseconds, void *arg)
{
    struct timeval after = {.tv_sec = milliseconds / 1000,
                            .tv_usec = (suseconds_t)(milliseconds % 1000) * 1000};

    (void)multi, (void)arg;
    if (milliseconds < 0)
        (void)evtimer_del(loop.timer);
    else
        (void)evtimer_add(loop.timer, &after);
    return 0;
}

/* ---- what the other files ask for ------------------------------------------------------------ */

static int loop_wait(struct outgoing_attempt *attempt)
{
    vv_list_append(&loop.attempts, &attempt->link);
    return vv_fiber_wait(&attempt->wait);
}

int outgoing_run(struct outgoing_attempt *attempt)
{
    if (loop.multi == NULL)
        return VV_EUNAVAILABLE;
    vv_wait_init(&attempt->wait, loop_cancel);
    (void)curl_easy_setopt(attempt->easy, CURLOPT_PRIVATE, (void *)attempt);
    vv_assert(curl_multi_add_handle(loop.multi, attempt->easy) == CURLM_OK);
    return loop_wait(attempt);
}

static void loop_pause_over(evutil_socket_t fd, short what, void *arg)
{
    struct outgoing_attempt *attempt = arg;

    (void)fd, (void)what;
    loop_detach(attempt);
    vv_fiber_wake(&attempt->wait, 0);
}

int outgoing_pause(struct outgoing_attempt *attempt, int64_t milliseconds)
{
    struct timeval after = {.tv_sec = (time_t)(milliseconds / 1000),
                            .tv_usec = (suseconds_t)(milliseconds % 1000 * 1000)};

    if (loop.multi == NULL)
        return VV_EUNAVAILABLE;
    vv_wait_init(&attempt->wait, loop_cancel);
    attempt->pause = evtimer_new(loop.base, loop_pause_over, attempt);
    vv_assert(attempt->pause != NULL && evtimer_add(attempt->pause, &after) == 0);
    return loop_wait(attempt);
}

void vv_outgoing_init(struct event_base *base)
{
    vv_assert(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    vv_list_init(&loop.attempts);
    loop.base = base;
    loop.timer = evtimer_new(base, loop_on_timer, NULL);
    loop.multi = curl_multi_init();
    vv_assert(loop.timer != NULL && loop.multi != NULL);
    (void)curl_multi_setopt(loop.multi, CURLMOPT_SOCKETFUNCTION, loop_watch);
    (void)curl_multi_setopt(loop.multi, CURLMOPT_TIMERFUNCTION, loop_set_timer);
    (void)curl_multi_setopt(loop.multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)LOOP_CONNECTIONS);
    (void)curl_multi_setopt(loop.multi, CURLMOPT_MAXCONNECTS, (long)LOOP_KEPT);
}

void vv_outgoing_stop(void)
{
    CURLM *multi = loop.multi;

    if (multi == NULL)
        return;
    while (!vv_list_empty(&loop.attempts)) {
        struct outgoing_attempt *attempt = loop_attempt(loop.attempts.next);

        loop_detach(attempt);
        vv_fiber_wake(&attempt->wait, VV_EUNAVAILABLE);
    }
    (void)curl_multi_cleanup(multi);
    loop.multi = NULL;
    event_free(loop.timer);
    loop.timer = NULL;
    curl_global_cleanup();
}
