/* Schedules that keep the log in order: roll-ups, partitions ahead, and what is kept no longer. */
#include "usage.h"

#define AHEAD      12 /* months that have a partition before they begin */
#define DDL_TRIES  5
#define FOLD_USERS 500

/* ---- roll-ups ---------------------------------------------------------------------------------
 */

/* In turns of some hours, so that those who were off for long catch up in small transactions. */
static int upkeep_turn(struct vv_request *step, void *arg)
{
    bool *more = arg;
    struct vv_rows *rows;

    VV_TRY(
        vv_query_slow(step, &rows,
                      "select usage_roll_up(t.upto), t.upto < t.settled as more"
                      " from (select least(until + interval '6 hours', s.settled) as upto,"
                      "  s.settled from usage_rollup, (select usage_settled() as settled offset 0)"
                      "  s offset 0) t"));
    *more = vv_row_bool(rows, 0, "more");
    return 0;
}

int usage_upkeep_catch_up(struct vv_request *req)
{
    bool more = true;

    while (more)
        VV_TRY(vv_step(req, upkeep_turn, &more));
    return 0;
}

/* Somebody who holds the table or the roll-ups keeps us from nothing but this turn. */
static int upkeep_unless_locked(struct vv_request *req, int rc, const char *what)
{
    if (rc != VV_ETIMEOUT)
        return rc;
    vv_log(req, VV_LOG_INFO, "%s: somebody holds a lock; the next turn will do it", what);
    return 0;
}

int usage_upkeep_roll_up(struct vv_request *req)
{
    struct vv_rows *rows;

    VV_TRY(upkeep_unless_locked(req, vv_query_slow(req, &rows, "select usage_summarize()"),
                                "summaries of the log"));
    return upkeep_unless_locked(req, usage_upkeep_catch_up(req), "roll-ups");
}

/* ---- partitions -------------------------------------------------------------------------------
 */

/* Changing tables waits for locks no longer than lock_timeout, and behind it everybody waits: so it
 * lets go and comes again. */
static int upkeep_change(struct vv_request *req, const char *sql, struct vv_param argument,
                         int64_t *ret_count)
{
    struct vv_rows *rows;
    int rc, tries = 0;

    do {
        if (tries > 0)
            VV_TRY(vv_sleep(req, 1000));
        rc = vv_query_slow(req, &rows, sql, argument);
    } while (rc == VV_ETIMEOUT && ++tries < DDL_TRIES);
    *ret_count = rc < 0 ? 0 : vv_row_int(rows, 0, "count");
    return rc;
}

struct upkeep_fold {
    int64_t after;
    bool more;
};

static int upkeep_fold(struct vv_request *step, void *arg)
{
    struct upkeep_fold *fold = arg;
    struct vv_rows *rows;

    VV_TRY(vv_query_slow(
        step, &rows,
        "select n.last, n.last is not null as more, usage_fold($1, n.last, l.before)"
        " from (select max(user_id) as last from (select user_id from usage_totals"
        "   where user_id > $1 order by user_id limit $2) t) n,"
        "  (select least(since, usage_month(date_trunc('month', statement_timestamp(), 'UTC'),"
        "    -$3::integer)) as before from usage_rollup) l",
        VV_INT(fold->after), VV_INT(FOLD_USERS), VV_INT(usage_conf()->rollup_retention_months)));
    fold->more = vv_row_bool(rows, 0, "more");
    fold->after = vv_row_int(rows, 0, "last");
    return 0;
}

/* Hours of months whose calls are not kept, and which are old enough: of each user one row. */
static int upkeep_fold_all(struct vv_request *req)
{
    const struct vv_param months = VV_INT(usage_conf()->rollup_retention_months);
    struct upkeep_fold fold = {.more = true};
    struct vv_rows *rows;

    VV_TRY(vv_query(req, &rows,
                    "select least(since, usage_month(date_trunc('month', statement_timestamp(),"
                    " 'UTC'), -$1::integer)) > folded as due from usage_rollup",
                    months));
    if (!vv_row_bool(rows, 0, "due"))
        return 0;
    while (fold.more)
        VV_TRY(vv_step(req, upkeep_fold, &fold));
    return vv_exec(req,
                   "update usage_rollup set folded = least(since, usage_month(date_trunc('month',"
                   " statement_timestamp(), 'UTC'), -$1::integer))",
                   months);
}

int usage_upkeep_partitions(struct vv_request *req)
{
    int64_t count;

    VV_TRY(upkeep_change(req, "select usage_make_partitions($1::integer) as count", VV_INT(AHEAD),
                         &count));
    if (count > 0)
        vv_log(req, VV_LOG_INFO, "made partitions of %lld months", (long long)count);
    VV_TRY(upkeep_unless_locked(req, usage_upkeep_catch_up(req), "roll-ups"));
    VV_TRY(upkeep_change(req,
                         "select usage_drop_partitions(usage_month(statement_timestamp(),"
                         " -$1::integer)) as count",
                         VV_INT(usage_conf()->retention_months), &count));
    if (count > 0)
        vv_log(req, VV_LOG_INFO, "dropped the calls of %lld months", (long long)count);
    return upkeep_fold_all(req);
}
