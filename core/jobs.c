/* The job worker: rounds of recording, renewing and claiming, and the fibers that run jobs. */
#include "jobs_internal.h"

#include "json.h"
#include "log.h"
#include "process.h"

#include <event2/event.h>

#define JOBS_TICK        1  /* seconds: how often it looks without being told */
#define JOBS_RENEW_EVERY 10 /* ticks */
#define JOBS_REAP_EVERY  3  /* ticks */

struct jobs_state jobs_state;

static struct event *jobs_timer, *jobs_stop_timer;
static bool jobs_started, jobs_stopping;
static bool jobs_in_round, jobs_again; /* a round is under way; another one has to follow */
static unsigned jobs_ticks;
static bool jobs_renew_due, jobs_reap_due;
static void (*jobs_stopped)(void);

int64_t jobs_int(const struct vv_rows *rows, size_t row, size_t column)
{
    return vv_db_rows_value(rows, row, column).integer;
}

const char *jobs_text(const struct vv_rows *rows, size_t row, size_t column)
{
    struct vv_param value = vv_db_rows_value(rows, row, column);

    return value.type == VV_TYPE_TEXT || value.type == VV_TYPE_JSON ? value.data : NULL;
}

/* ---- running one job ------------------------------------------------------------------------- */

static int jobs_call(struct vv_request *req, void *arg)
{
    struct jobs_run *run = arg;
    struct vv_job_run told = {
        .size = sizeof told,
        .attempt = run->attempt,
        .attempts = run->kind->attempts,
        .id = run->id,
    };

    vv_fiber_label(run->kind->job->kind);
    if (vv_json_parse(req, run->payload, strlen(run->payload), &told.payload, NULL) < 0)
        return vv_request_fail(req, 500, "bad_payload", "its payload cannot be read");
    return run->kind->job->function(req, &told);
}

/* The reason is a sentence of the plugin's, or says what became of the run. */
static char *jobs_reason(const struct vv_request *req, int result)
{
    if (req->problem.status != 0 && req->problem.detail != NULL && result != VV_ECANCELED)
        return vv_xstrdup(req->problem.detail);
    if (result == VV_ECANCELED)
        return vv_xstrdup("it was cut off: it took too long, or its lease could not be renewed");
    return vv_xprintf("error %d", result);
}

static void jobs_done(struct vv_request *req, void *arg, int result)
{
    struct jobs_run *run = arg;
    const char *code = req->problem.status == 0 ? NULL : req->problem.code;

    run->result = result;
    run->given_up = result == VV_EFAIL && code != NULL && strcmp(code, VV_GIVEN_UP) == 0;
    if (result < 0)
        run->error = jobs_reason(req, result);
    run->req = NULL;
    vv_list_remove(&run->link);
    vv_list_append(&jobs_state.ended, &run->link);
    run->kind->executing--;
    vv_request_end(req);
    jobs_kick();
}

void jobs_execute(struct jobs_run *run)
{
    char id[32];

    snprintf(id, sizeof id, "job %lld", (long long)run->id);
    run->req = vv_request_new(VV_UNIT_JOB, run->kind->plugin, id, run->kind->timeout);
    run->kind->executing++;
    vv_list_append(&jobs_state.executing, &run->link);
    if (vv_request_spawn(run->req, jobs_call, jobs_done, run) == 0)
        return;
    (void)vv_request_fail(run->req, 503, "overloaded", "too many fibers were running");
    jobs_done(run->req, run, VV_EFAIL);
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static int jobs_round(struct vv_request *req, void *arg)
{
    (void)arg;
    vv_fiber_label("the job runner");
    if (jobs_renew_due && jobs_renew(req) >= 0)
        jobs_renew_due = false;
    if (jobs_record(req) < 0 || jobs_stopping)
        return 0;
    if (jobs_reap_due && jobs_reap(req) >= 0)
        jobs_reap_due = false;
    VV_TRY(jobs_claim(req));
    return jobs_schedule(req);
}

static void jobs_round_ended(struct vv_request *req, void *arg, int result)
{
    (void)arg, (void)result;
    vv_request_end(req);
    jobs_in_round = false;
    jobs_ended();
    if (jobs_again)
        jobs_kick();
}

/* Two rounds never overlap: what comes up during one is for the next. */
void jobs_kick(void)
{
    struct vv_request *req;

    if (!jobs_started)
        return;
    if (jobs_in_round) {
        jobs_again = true;
        return;
    }
    jobs_in_round = true;
    jobs_again = false;
    req = vv_request_new(VV_UNIT_START, NULL, "jobs", 30000);
    if (vv_request_spawn(req, jobs_round, jobs_round_ended, NULL) == 0)
        return;
    jobs_in_round = false;
    vv_request_end(req);
}

/* A job whose lease could not be renewed in time may be running elsewhere: end it here. */
static void jobs_cut_off(void)
{
    int64_t now = vv_clock_steady();

    for (struct vv_list *at = jobs_state.executing.next; at != &jobs_state.executing;
         at = at->next) {
        struct jobs_run *run = VV_CONTAINER(at, struct jobs_run, link);

        if ((run->lost || now > run->lease_end) && run->req->fiber != NULL &&
            !vv_fiber_cancelled(run->req->fiber))
            vv_fiber_cancel(run->req->fiber);
    }
}

static void jobs_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    jobs_ticks++;
    jobs_renew_due = jobs_renew_due || jobs_ticks % JOBS_RENEW_EVERY == 0;
    jobs_reap_due = jobs_reap_due || jobs_ticks % JOBS_REAP_EVERY == 0;
    jobs_cut_off();
    if (!jobs_stopping)
        jobs_listen_tick();
    jobs_kick();
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void jobs_read_kinds(void)
{
    size_t room = 0, plugin, i;

    for (plugin = 0; plugin < vv_plugins->enabled_count; plugin++)
        room += vv_plugins->all[plugin]->job_count;
    jobs_state.kinds = vv_xcalloc(room + 1, sizeof *jobs_state.kinds);
    for (plugin = 0; plugin < vv_plugins->enabled_count; plugin++) {
        struct vv_self *self = vv_plugins->all[plugin];

        for (i = 0; i < self->job_count; i++) {
            const struct vv_job *job = &self->jobs[i];

            jobs_state.kinds[jobs_state.kind_count++] = (struct jobs_kind){
                .plugin = self,
                .job = job,
                .timeout = job->timeout == 0 ? 60000 : job->timeout,
                .attempts = job->attempts == 0 ? 20 : job->attempts,
                .first_backoff = job->first_backoff == 0 ? 1000 : job->first_backoff,
                .last_backoff = job->last_backoff == 0 ? 3600000 : job->last_backoff,
                .concurrency = job->concurrency == 0 ? 8 : job->concurrency,
            };
        }
    }
}

void vv_jobs_start(void)
{
    static const struct timeval tick = {.tv_sec = JOBS_TICK};

    vv_assert(!jobs_started);
    vv_list_init(&jobs_state.executing);
    vv_list_init(&jobs_state.ended);
    jobs_identity_make();
    jobs_read_kinds();
    jobs_started = true;
    jobs_reap_due = true;
    jobs_timer = event_new(vv_worker_base(), -1, EV_PERSIST, jobs_tick, NULL);
    vv_assert(jobs_timer != NULL && event_add(jobs_timer, &tick) == 0);
    jobs_listen_tick();
    jobs_kick();
}

static void jobs_finish_stop(evutil_socket_t fd, short what, void *arg)
{
    void (*done)(void) = jobs_stopped;

    (void)fd, (void)what, (void)arg;
    if (done == NULL)
        return;
    jobs_stopped = NULL;
    event_free(jobs_stop_timer);
    event_free(jobs_timer);
    jobs_stop_timer = jobs_timer = NULL;
    jobs_started = false;
    done();
}

/* Whether all that has to be known is written down; then the stop is complete. */
void jobs_ended(void)
{
    if (jobs_stopping && !jobs_in_round && vv_list_empty(&jobs_state.executing) &&
        vv_list_empty(&jobs_state.ended) && jobs_schedules_executing() == 0)
        jobs_finish_stop(-1, 0, NULL);
}

void vv_jobs_stop(int64_t deadline, void (*done)(void))
{
    int64_t left = VV_MAX(deadline - vv_clock_steady(), 0);
    struct timeval after = {.tv_sec = (time_t)(left / 1000000),
                            .tv_usec = (suseconds_t)(left % 1000000)};

    if (!jobs_started) {
        done();
        return;
    }
    jobs_stopping = true;
    jobs_stopped = done;
    jobs_listen_stop();
    jobs_stop_timer = evtimer_new(vv_worker_base(), jobs_finish_stop, NULL);
    vv_assert(jobs_stop_timer != NULL && evtimer_add(jobs_stop_timer, &after) == 0);
    jobs_kick();
}
