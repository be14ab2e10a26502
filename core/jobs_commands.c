/* vvctl jobs …: what waits, what runs, what is dead, and how to help it. */
#include "jobs_internal.h"

static int commands_usage(struct vv_request *req, const char *usage)
{
    return vv_request_fail(req, 422, "usage", usage);
}

VV_PRINTF(2, 3) static void commands_print(struct vv_request *req, const char *format, ...)
{
    struct vv_buffer out;
    va_list args, again;
    int length;

    va_start(args, format);
    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    vv_assert(length >= 0);
    vv_buffer_init(&out, req->arena);
    if (length > 0) {
        char *text = vv_arena_alloc(req->arena, (size_t)length + 1);

        vsnprintf(text, (size_t)length + 1, format, again);
        vv_buffer_add(&out, text, (size_t)length);
    }
    va_end(again);
    vv_request_print(req, out.data);
}

static const char *commands_cell(const struct vv_rows *rows, size_t row, size_t column)
{
    const char *text = jobs_text(rows, row, column);

    return text == NULL ? "" : text;
}

/* False: argv is not exactly one number. */
static bool commands_id(int argc, const char *const *argv, int64_t *ret_id)
{
    char *end = NULL;

    if (argc != 1)
        return false;
    *ret_id = strtoll(argv[0], &end, 10);
    return end != argv[0] && *end == '\0' && *ret_id > 0;
}

static int commands_list(struct vv_request *req, int argc, const char *const *argv)
{
    const char *states = "{ready,running}";
    struct vv_rows *rows;

    if (argc == 1 && strcmp(argv[0], "--dead") == 0)
        states = "{dead}";
    else if (argc == 1 && strcmp(argv[0], "--all") == 0)
        states = "{ready,running,dead}";
    else if (argc != 0)
        return commands_usage(req, "usage: vvctl jobs list [--dead | --all]");
    VV_TRY(JOBS_SQL(req, &rows,
                    "select id::text, kind, state, attempts::text,"
                    " to_char(run_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'),"
                    " coalesce(last_error, '')"
                    " from jobs where state = any ($1::text[]) order by run_at, id limit 200",
                    VV_TEXT(states)));
    for (size_t row = 0; row < vv_db_rows_count(rows); row++)
        commands_print(req, "%s  %-7s  %s  attempts %s  %s  %s\n", commands_cell(rows, row, 0),
                       commands_cell(rows, row, 2), commands_cell(rows, row, 1),
                       commands_cell(rows, row, 3), commands_cell(rows, row, 4),
                       commands_cell(rows, row, 5));
    if (vv_db_rows_count(rows) == 0)
        vv_request_print(req, "no jobs\n");
    return 0;
}

static int commands_show(struct vv_request *req, int argc, const char *const *argv)
{
    struct vv_rows *rows;
    int64_t id;

    if (!commands_id(argc, argv, &id))
        return commands_usage(req, "usage: vvctl jobs show ID");
    VV_TRY(JOBS_SQL(req, &rows,
                    "select id::text as id, kind, state, attempts::text as attempts,"
                    " created_at::text as created, run_at::text as \"run at\","
                    " lease_until::text as lease, worker, unique_name as unique, mutex,"
                    " last_error as \"last error\", payload::text as payload"
                    " from jobs where id = $1",
                    VV_INT(id)));
    if (vv_db_rows_count(rows) == 0)
        return vv_request_fail(req, 404, "no_job", "There is no such job (done ones are deleted)");
    for (size_t column = 0; vv_db_rows_name(rows, column) != NULL; column++) {
        if (jobs_text(rows, 0, column) != NULL)
            commands_print(req, "%-10s  %s\n", vv_db_rows_name(rows, column),
                           jobs_text(rows, 0, column));
    }
    return 0;
}

/* One that is pending is run now; a dead one starts over with all its attempts. */
static int commands_retry(struct vv_request *req, int argc, const char *const *argv)
{
    bool all = argc == 1 && strcmp(argv[0], "--all") == 0;
    struct vv_rows *rows;
    int64_t id = 0;
    int rc;

    if (!all && !commands_id(argc, argv, &id))
        return commands_usage(req, "usage: vvctl jobs retry ID | --all");
    rc = JOBS_SQL(req, &rows,
                  "with chosen as (select distinct on (coalesce(j.unique_name, j.id::text)) j.id"
                  " from jobs j where case when $1::bigint = 0 then j.state = 'dead'"
                  "  else j.id = $1 and j.state <> 'running' end"
                  " and not exists (select 1 from jobs p where p.unique_name = j.unique_name"
                  "  and p.state = 'ready' and p.id <> j.id))"
                  " update jobs set state = 'ready', run_at = statement_timestamp(),"
                  " attempts = case when state = 'dead' then 0 else attempts end,"
                  " changed_at = statement_timestamp()"
                  " from chosen where jobs.id = chosen.id returning jobs.id",
                  VV_INT(id));
    if (rc < 0)
        return rc;
    if (!all && vv_db_rows_count(rows) == 0)
        return vv_request_fail(
            req, 409, "not_retried",
            "There is no such job, it runs just now, or another one of its name is pending");
    commands_print(req, "%zu job%s will run now\n", vv_db_rows_count(rows),
                   vv_db_rows_count(rows) == 1 ? "" : "s");
    return JOBS_SQL(req, NULL, "select pg_notify('vv_jobs', '')");
}

static int commands_delete(struct vv_request *req, int argc, const char *const *argv)
{
    struct vv_rows *rows;
    int64_t id;

    if (!commands_id(argc, argv, &id))
        return commands_usage(req, "usage: vvctl jobs delete ID");
    VV_TRY(
        JOBS_SQL(req, &rows, "delete from jobs where id = $1 and state <> 'running'", VV_INT(id)));
    if (vv_db_rows_affected(rows) == 0)
        return vv_request_fail(req, 409, "not_deleted",
                               "There is no such job, or it runs just now");
    vv_request_print(req, "deleted\n");
    return 0;
}

const struct vv_command vv_jobs_commands[] = {
    VV_COMMAND("jobs list", "[--dead | --all]", "Jobs that wait or run, or the dead ones",
               commands_list),
    VV_COMMAND("jobs show", "ID", "One job, with why it failed last", commands_show),
    VV_COMMAND("jobs retry", "ID | --all", "Runs a job now, or all dead ones", commands_retry),
    VV_COMMAND("jobs delete", "ID", "Deletes a job that does not run", commands_delete),
    VV_END,
};
