/* Schedules: each runs on one worker of all servers of the database, however many there are. */
#include "jobs_internal.h"

#include "log.h"

struct schedule_run {
    struct vv_self *plugin;
    const struct vv_schedule *schedule;
    bool executing;
};

static struct schedule_run *schedule_runs;
static size_t schedule_count;
static unsigned schedule_executing;
static bool schedule_ready;

unsigned jobs_schedules_executing(void)
{
    return schedule_executing;
}

static void schedule_read(void)
{
    size_t room = 0;

    if (schedule_ready)
        return;
    schedule_ready = true;
    for (size_t i = 0; i < vv_plugins->enabled_count; i++)
        room += vv_plugins->all[i]->schedule_count;
    schedule_runs = vv_xcalloc(room + 1, sizeof *schedule_runs);
    for (size_t i = 0; i < vv_plugins->enabled_count; i++) {
        struct vv_self *plugin = vv_plugins->all[i];

        for (size_t j = 0; j < plugin->schedule_count; j++)
            schedule_runs[schedule_count++] =
                (struct schedule_run){.plugin = plugin, .schedule = &plugin->schedules[j]};
    }
}

static int schedule_call(struct vv_request *req, void *arg)
{
    struct schedule_run *run = arg;

    vv_fiber_label(run->schedule->name);
    return run->schedule->function(req);
}

static void schedule_ended(struct vv_request *req, void *arg, int result)
{
    struct schedule_run *run = arg;

    if (result < 0)
        vv_log_line(VV_LOG_WARNING, run->plugin, req, "schedule %s failed: %s", run->schedule->name,
                    req->problem.status != 0 ? req->problem.detail : "without a reason");
    vv_request_end(req);
    run->executing = false;
    schedule_executing--;
    jobs_ended();
}

/* It is cut off before its next turn, which may be another worker's. */
static void schedule_start(struct schedule_run *run)
{
    int64_t deadline = VV_MIN(VV_MAX(run->schedule->every, 1000), 3600000);
    char id[96];
    struct vv_request *req;

    snprintf(id, sizeof id, "schedule %s", run->schedule->name);
    req = vv_request_new(VV_UNIT_JOB, run->plugin, id, deadline);
    run->executing = true;
    schedule_executing++;
    if (vv_request_spawn(req, schedule_call, schedule_ended, run) != 0)
        schedule_ended(req, run, VV_EBUSY);
}

/* Whoever moves the time of the next run gets this one. A time further ahead than the interval is
 * from before the interval was shortened. */
int jobs_schedule(struct vv_request *req)
{
    struct vv_buffer list;
    struct vv_rows *rows;

    schedule_read();
    vv_buffer_init(&list, req->arena);
    for (size_t i = 0; i < schedule_count; i++) {
        const struct schedule_run *run = &schedule_runs[i];

        if (run->executing)
            continue;
        vv_buffer_text(&list, list.length == 0 ? "[{\"name\":" : ",{\"name\":");
        vv_buffer_json(&list, run->schedule->name, strlen(run->schedule->name));
        vv_buffer_printf(&list, ",\"every\":%lld}", (long long)run->schedule->every);
    }
    if (list.length == 0)
        return 0;
    vv_buffer_char(&list, ']');
    VV_TRY(
        JOBS_SQL(req, &rows,
                 "insert into schedules as s (name, next_run, last_run)"
                 " select k.name, statement_timestamp() + k.every * interval '1 millisecond',"
                 " statement_timestamp()"
                 " from jsonb_to_recordset($1::jsonb) as k (name text, every bigint)"
                 " where not exists (select 1 from schedules o where o.name = k.name"
                 "  and o.next_run > statement_timestamp()"
                 "  and o.next_run <= statement_timestamp() + k.every * interval '1 millisecond')"
                 " order by k.name"
                 " on conflict (name) do update set next_run = excluded.next_run,"
                 " last_run = excluded.last_run"
                 " where s.next_run <= statement_timestamp() or s.next_run > excluded.next_run"
                 " returning s.name",
                 VV_JSON(list.data)));
    for (size_t row = 0; row < vv_db_rows_count(rows); row++) {
        for (size_t i = 0; i < schedule_count; i++) {
            if (strcmp(schedule_runs[i].schedule->name, jobs_text(rows, row, 0)) == 0)
                schedule_start(&schedule_runs[i]);
        }
    }
    return 0;
}
