/* vvctl usage …: what somebody has used, and counting everything anew. */
#include "rebuild.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define RECOUNT_USERS 200

/* ---- show -------------------------------------------------------------------------------------
 */

#define SHOW_TIME(column) "to_char(" column " at time zone 'UTC', 'YYYY-MM-DD HH24:MI')"

static const char *show_statement(void)
{
    static char *text;
    size_t size;
    FILE *out;

    if (text != NULL)
        return text;
    out = open_memstream(&text, &size);
    if (out == NULL)
        abort();
    fprintf(
        out,
        "select p.email, p.plan_id, p.status, p.bar, p.notify, p.used, p.most,"
        " " SHOW_TIME("p.period_start") " as begins, " SHOW_TIME(
            "p.period_end") " as ends,"
                            " coalesce((select calls from usage_totals where user_id = $1), 0)"
                            "  + (select count(*) from usage_logs where user_id = $1"
                            "     and timestamp >= (select until from usage_rollup)) as total,"
                            " (select " SHOW_TIME(
                                "max(timestamp)") " from usage_logs where user_id = $1) as latest"
                                                  " from (%s) p",
        usage_statement_peek());
    if (fclose(out) != 0)
        abort();
    return text;
}

static void show_print(struct vv_request *req, int64_t user_id, const struct vv_rows *rows)
{
    const char *latest = vv_row_text(rows, 0, "latest"), *plan = vv_row_text(rows, 0, "plan_id");
    int64_t bar = vv_row_int(rows, 0, "bar");

    vv_print(req, "id        %" PRId64 "\nemail     %s\n", user_id, vv_row_text(rows, 0, "email"));
    vv_print(req, "plan      %s (%s)\naccess    %s\n", plan[0] == '\0' ? "none" : plan,
             vv_row_text(rows, 0, "status"),
             bar == VV_UNKNOWN_CALLER ? "no: not verified, or disabled"
             : bar == VV_NO_ACCESS    ? "no: nothing that is paid for gives it"
                                      : "yes");
    if (vv_row_null(rows, 0, "most"))
        vv_print(req, "used      %" PRId64 ", unlimited\n", vv_row_int(rows, 0, "used"));
    else
        vv_print(req, "used      %" PRId64 " of %" PRId64 "\n", vv_row_int(rows, 0, "used"),
                 vv_row_int(rows, 0, "most"));
    vv_print(req, "period    %s to %s UTC\n", vv_row_text(rows, 0, "begins"),
             vv_row_text(rows, 0, "ends"));
    vv_print(req, "requests  %" PRId64 " in all, the latest %s\n", vv_row_int(rows, 0, "total"),
             latest == NULL ? "never" : latest);
    vv_print(req, "mails     %s\n", vv_row_bool(rows, 0, "notify") ? "on" : "off");
}

static int commands_show(struct vv_request *req, int argc, const char *const *argv)
{
    struct vv_rows *rows;
    int64_t user_id;

    if (argc != 1)
        return vv_fail(req, 422, "usage", "Name one account, by its address or its id");
    VV_TRY(vv_query(req, &rows,
                    "select id from users where lower(email) = lower($1) or id::text = $1",
                    VV_TEXT(argv[0])));
    if (vv_rows_count(rows) == 0)
        return vv_fail(req, 404, "unknown_user", "There is no account %s", argv[0]);
    user_id = vv_row_int(rows, 0, "id");
    VV_TRY(vv_query_slow(req, &rows, show_statement(), VV_INT(user_id)));
    if (vv_rows_count(rows) == 0)
        return vv_fail(req, 404, "no_entitlements",
                       "This account has no entitlements yet; `vvctl usage rebuild` makes them");
    show_print(req, user_id, rows);
    return 0;
}

/* ---- rebuild ----------------------------------------------------------------------------------
 */

struct recount {
    int64_t after, users, hours, used;
    bool more;
};

static int recount_hours(struct vv_request *step, void *arg)
{
    struct recount *recount = arg;
    struct vv_rows *rows;
    int rc, tries = 0;

    /* The roll-ups of the schedule have it for a moment each. */
    do {
        if (tries > 0)
            VV_TRY(vv_sleep(step, 500));
        rc = vv_query_slow(
            step, &rows,
            "select l.last, l.last < 9223372036854775807 as more, usage_recount($1, l.last) as "
            "wrong"
            " from (select coalesce((select user_id from entitlements where user_id > $1"
            "  order by user_id offset $2 limit 1), 9223372036854775807) as last offset 0) l",
            VV_INT(recount->after), VV_INT(RECOUNT_USERS - 1));
    } while (rc == VV_ETIMEOUT && ++tries < 100);
    VV_TRY(rc);
    recount->after = vv_row_int(rows, 0, "last");
    recount->more = vv_row_bool(rows, 0, "more");
    recount->hours += vv_row_int(rows, 0, "wrong");
    return 0;
}

/* One user at a time: whose calls wait for this are few. */
static int recount_used(struct vv_request *step, void *arg)
{
    struct recount *recount = arg;
    struct vv_rows *rows, *counted;

    VV_TRY(vv_query(step, &rows,
                    "select user_id from entitlements where user_id > $1 order by user_id limit $2",
                    VV_INT(recount->after), VV_INT(RECOUNT_USERS)));
    for (size_t row = 0; row < vv_rows_count(rows); row++) {
        recount->after = vv_row_int(rows, row, "user_id");
        VV_TRY(vv_query_slow(step, &counted, "select usage_recount_used($1) as wrong",
                             VV_INT(recount->after)));
        recount->users++;
        recount->used += vv_row_bool(counted, 0, "wrong");
    }
    recount->more = vv_rows_count(rows) == RECOUNT_USERS;
    return 0;
}

static int commands_rebuild(struct vv_request *req, int argc, const char *const *argv)
{
    struct rebuild_counts counts;
    struct recount recount = {.after = 0};

    (void)argv;
    if (argc != 0)
        return vv_fail(req, 422, "usage", "usage: vvctl usage rebuild");
    VV_TRY(usage_rebuild(req, &counts));
    vv_print(req,
             "entitlements: %" PRId64 " added, %" PRId64 " corrected, %" PRId64
             " subscriptions taken over, %" PRId64 " users without an account forgotten\n",
             counts.added, counts.corrected, counts.subscriptions, counts.forgotten);
    do
        VV_TRY(vv_step(req, recount_hours, &recount));
    while (recount.more);
    vv_print(req, "roll-ups: %" PRId64 " rows were wrong\n", recount.hours);
    recount.after = 0;
    do
        VV_TRY(vv_step(req, recount_used, &recount));
    while (recount.more);
    vv_print(req, "used: of %" PRId64 " users %" PRId64 " were wrong\n", recount.users,
             recount.used);
    return 0;
}

const struct vv_command usage_commands[] = {
    VV_COMMAND("usage show", "ADDRESS|ID", "What one account has used, and may use", commands_show),
    VV_COMMAND("usage rebuild", "",
               "Counts everything anew out of the calls that are kept, while calls go on",
               commands_rebuild),
    VV_END,
};
