/* Compares what each user's row says of a subscription with the subscriptions, and mends the row.
 */
#include "rebuild.h"

#include <stdlib.h>

#define ACCESS_SLICE 500

/* Of a subscription as it was told of, until a slice of them is compared. */
struct access_told {
    int64_t user_id, until, ends_at, anchor;
    char *plan_id, *status;
};

struct access_turn {
    struct rebuild_counts *counts;
    struct access_told told[ACCESS_SLICE];
    size_t told_count;
    int64_t *users; /* everybody who has a subscription */
    size_t user_count, user_room;
    int64_t after;
    bool more;
};

static void access_forget(struct access_turn *turn)
{
    for (size_t i = 0; i < turn->told_count; i++) {
        free(turn->told[i].plan_id);
        free(turn->told[i].status);
    }
    turn->told_count = 0;
}

static void access_free(void *arg)
{
    struct access_turn *turn = arg;

    access_forget(turn);
    free(turn->users);
    free(turn);
}

/* A subscription's hook needs the row before it commits: what is read while we hold it is the last
 * that was committed, and whoever comes after us writes what is newer. */
static int access_mend(struct vv_request *req, int64_t user_id)
{
    struct vv_access access = {.size = sizeof access, .plan_id = "", .status = "none"};
    struct vv_tx *tx;
    int rc = VV_ENOTFOUND;

    VV_TRY(vv_begin(req, &tx));
    VV_TRY(vv_tx_exec(tx, "select 1 from entitlements where user_id = $1 for no key update",
                      VV_INT(user_id)));
    if (vv_subscriptions() != NULL)
        rc = vv_subscriptions()->access(req, user_id, &access);
    if (rc < 0 && rc != VV_ENOTFOUND)
        return rc;
    access.user_id = user_id;
    VV_TRY(usage_access_store(tx, &access));
    return vv_commit(tx);
}

/* ---- those who have a subscription ------------------------------------------------------------
 */

static const char *access_told_json(struct vv_request *req, const struct access_turn *turn)
{
    struct vv_json *list = vv_array(req);

    for (size_t i = 0; i < turn->told_count; i++) {
        const struct access_told *told = &turn->told[i];

        vv_open_object(list, NULL);
        vv_put(list, "user_id", VV_INT(told->user_id));
        vv_put(list, "plan_id", VV_TEXT(told->plan_id));
        vv_put(list, "status", VV_TEXT(told->status));
        vv_put(list, "until", told->until == INT64_MAX ? VV_NULL() : VV_TIME(told->until));
        vv_put(list, "ends_at", told->ends_at == 0 ? VV_NULL() : VV_TIME(told->ends_at));
        vv_put(list, "anchor", VV_TIME(told->anchor));
        vv_close(list);
    }
    return vv_json_text(list);
}

static int access_compare(struct vv_request *req, struct access_turn *turn)
{
    struct vv_rows *rows;

    VV_TRY(vv_query_slow(
        req, &rows,
        "select e.user_id from jsonb_to_recordset($1::jsonb) as t (user_id bigint, plan_id text,"
        "  status text, until timestamptz, ends_at timestamptz, anchor timestamptz)"
        " join entitlements e on e.user_id = t.user_id"
        " where (e.plan_id, e.status, e.access_until, e.ends_at, e.anchor) is distinct from"
        "  (t.plan_id, t.status, coalesce(t.until, 'infinity'), t.ends_at, t.anchor)"
        " order by 1",
        VV_JSON(access_told_json(req, turn))));
    access_forget(turn);
    for (size_t row = 0; row < vv_rows_count(rows); row++)
        VV_TRY(access_mend(req, vv_row_int(rows, row, "user_id")));
    turn->counts->subscriptions += (int64_t)vv_rows_count(rows);
    return 0;
}

static int access_note(struct vv_request *req, const struct vv_access *access, void *arg)
{
    struct access_turn *turn = arg;

    if (turn->user_count == turn->user_room) {
        turn->user_room = turn->user_room == 0 ? 1024 : 2 * turn->user_room;
        turn->users = realloc(turn->users, turn->user_room * sizeof *turn->users);
        if (turn->users == NULL)
            abort();
    }
    turn->users[turn->user_count++] = access->user_id;
    turn->told[turn->told_count++] = (struct access_told){
        .user_id = access->user_id,
        .until = access->until,
        .ends_at = access->ends_at,
        .anchor = access->anchor,
        .plan_id = strdup(access->plan_id),
        .status = strdup(access->status),
    };
    return turn->told_count == ACCESS_SLICE ? access_compare(req, turn) : 0;
}

/* ---- those who have none any more -------------------------------------------------------------
 */

static int access_order(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static bool access_has(const struct access_turn *turn, int64_t user_id)
{
    return turn->user_count > 0 &&
           bsearch(&user_id, turn->users, turn->user_count, sizeof user_id, access_order) != NULL;
}

static int access_stale_turn(struct vv_request *step, void *arg)
{
    struct access_turn *turn = arg;
    struct vv_rows *rows;

    VV_TRY(vv_query_slow(step, &rows,
                         "select user_id from entitlements where user_id > $1"
                         " and ((plan_id, status, ends_at, anchor) is distinct from"
                         "  ('', 'none', null, timestamptz 'epoch') or access_until > 'epoch')"
                         " order by user_id limit $2",
                         VV_INT(turn->after), VV_INT(ACCESS_SLICE)));
    for (size_t row = 0; row < vv_rows_count(rows); row++) {
        turn->after = vv_row_int(rows, row, "user_id");
        if (access_has(turn, turn->after))
            continue;
        VV_TRY(access_mend(step, turn->after));
        turn->counts->subscriptions++;
    }
    turn->more = vv_rows_count(rows) == ACCESS_SLICE;
    return 0;
}

int usage_rebuild_access(struct vv_request *req, struct rebuild_counts *counts)
{
    struct access_turn *turn = calloc(1, sizeof *turn);

    if (turn == NULL)
        abort();
    (void)vv_defer(req, access_free, turn);
    turn->counts = counts;
    if (vv_subscriptions() != NULL)
        VV_TRY(vv_subscriptions()->each(req, access_note, turn));
    if (turn->told_count > 0)
        VV_TRY(access_compare(req, turn));
    if (turn->user_count > 0)
        qsort(turn->users, turn->user_count, sizeof *turn->users, access_order);
    do
        VV_TRY(vv_step(req, access_stale_turn, turn));
    while (turn->more);
    return 0;
}
