/* Brings entitlements in line with accounts and subscriptions, in case this plugin or they were
 * off. */
#include "rebuild.h"

#include <stdlib.h>

#define REBUILD_USERS 500

/* Whether an address must be verified, for the statements below. */
static struct vv_param rebuild_must(void)
{
    return VV_BOOL(vv_auth()->verification_required());
}

/* ---- accounts ---------------------------------------------------------------------------------
 */

/* Whoever deletes an account waits for this, or is skipped; what the hooks of others write while
 * this runs is newer, and stays. */
static int rebuild_insert(struct vv_request *req, struct vv_param user, int64_t *ret_count)
{
    struct vv_rows *rows;

    VV_TRY(vv_query_slow(
        req, &rows,
        "insert into entitlements (user_id, email, verified, disabled)"
        " select u.id, u.email, u.email_verified or not $2::boolean, u.disabled_at is not null"
        " from users u where ($1::bigint is null or u.id = $1)"
        "  and not exists (select from entitlements e where e.user_id = u.id)"
        " order by u.id limit $3 for key share of u skip locked"
        " on conflict (user_id) do nothing",
        user, rebuild_must(), VV_INT(REBUILD_USERS)));
    *ret_count = vv_rows_affected(rows);
    return 0;
}

int usage_entitlements_add(struct vv_request *req, int64_t user_id)
{
    int64_t count;

    return rebuild_insert(req, VV_INT(user_id), &count);
}

static int rebuild_insert_turn(struct vv_request *step, void *arg)
{
    struct rebuild_counts *counts = arg;

    VV_TRY(rebuild_insert(step, VV_NULL(), &counts->turn));
    counts->added += counts->turn;
    return 0;
}

/* The rows are locked before the accounts are read: whoever changes one holds its row until then.
 */
static int rebuild_correct_turn(struct vv_request *step, void *arg)
{
    struct rebuild_counts *counts = arg;
    struct vv_param users;
    struct vv_rows *rows;
    struct vv_tx *tx;

    VV_TRY(vv_query_slow(step, &rows,
                         "select coalesce(jsonb_agg(user_id), '[]')::text as users from ("
                         " select e.user_id from entitlements e join users u on u.id = e.user_id"
                         " where e.user_id > $1 and (e.email, e.verified, e.disabled) is distinct"
                         "  from (u.email, u.email_verified or not $2::boolean,"
                         "  u.disabled_at is not null) order by 1 limit $3) t",
                         VV_INT(counts->after), rebuild_must(), VV_INT(REBUILD_USERS)));
    users = VV_JSON(vv_row_text(rows, 0, "users"));
    VV_TRY(vv_begin(step, &tx));
    VV_TRY(vv_tx_query(tx, &rows,
                       "select user_id from entitlements where user_id = any (array("
                       " select value::bigint from jsonb_array_elements_text($1::jsonb)))"
                       " order by user_id for no key update",
                       users));
    counts->turn = (int64_t)vv_rows_count(rows);
    if (counts->turn == 0)
        return vv_rollback(tx);
    VV_TRY(vv_tx_exec(tx,
                      "update entitlements e set email = u.email,"
                      "  verified = u.email_verified or not $2::boolean,"
                      "  disabled = u.disabled_at is not null"
                      " from users u where u.id = e.user_id and e.user_id = any (array("
                      "  select value::bigint from jsonb_array_elements_text($1::jsonb)))",
                      users, rebuild_must()));
    counts->after = vv_row_int(rows, (size_t)counts->turn - 1, "user_id");
    counts->corrected += counts->turn;
    return vv_commit(tx);
}

/* ---- what was left behind ---------------------------------------------------------------------
 */

static int rebuild_orphans(struct vv_request *req, struct rebuild_counts *counts)
{
    struct vv_rows *rows;

    VV_TRY(vv_query_slow(
        req, &rows,
        "select count(user_id) as users, coalesce(vv_enqueue_jobs("
        "  array_agg('usage.forget'::text), array_agg(jsonb_build_object('user', user_id)),"
        "  array_agg('usage.forget:' || user_id)), 0) as jobs"
        " from (select user_id from usage_totals union select user_id from usage_logs"
        "   where timestamp >= (select until from usage_rollup)) t"
        " where not exists (select from users u where u.id = t.user_id) having count(user_id) > "
        "0"));
    if (vv_rows_count(rows) > 0)
        counts->forgotten = vv_row_int(rows, 0, "users");
    return 0;
}

int usage_rebuild(struct vv_request *req, struct rebuild_counts *ret_counts)
{
    memset(ret_counts, 0, sizeof *ret_counts);
    do
        VV_TRY(vv_step(req, rebuild_insert_turn, ret_counts));
    while (ret_counts->turn > 0);
    do
        VV_TRY(vv_step(req, rebuild_correct_turn, ret_counts));
    while (ret_counts->turn > 0);
    VV_TRY(usage_rebuild_access(req, ret_counts));
    return rebuild_orphans(req, ret_counts);
}

int usage_rebuild_job(struct vv_request *req, const struct vv_job_run *run)
{
    struct rebuild_counts counts;

    (void)run;
    VV_TRY(usage_rebuild(req, &counts));
    if (counts.added + counts.corrected + counts.subscriptions + counts.forgotten > 0)
        vv_log(
            req, VV_LOG_WARNING,
            "entitlements were behind: %lld users added, %lld corrected, %lld subscriptions taken"
            " over, %lld users without an account forgotten",
            (long long)counts.added, (long long)counts.corrected, (long long)counts.subscriptions,
            (long long)counts.forgotten);
    return 0;
}

static int rebuild_enqueue(struct vv_request *req)
{
    struct vv_enqueue job = VV_ENQUEUE("usage.rebuild", NULL);
    struct vv_tx *tx;

    job.unique = "usage.rebuild";
    job.mutex = "usage.rebuild";
    job.delay = 1000;
    VV_TRY(vv_begin(req, &tx));
    VV_TRY(vv_enqueue(tx, &job));
    return vv_commit(tx);
}

/* Every worker says so at its start; the pause lets that be one job. */
int usage_rebuild_start(struct vv_request *req)
{
    while (rebuild_enqueue(req) < 0)
        VV_TRY(vv_sleep(req, 1000));
    return 0;
}
