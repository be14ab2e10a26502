/* What deleted accounts leave behind: their calls go in slices, so that nobody waits for them. */
#include "usage.h"

#define FORGET_SLICE 2000

static int forget_logs(struct vv_request *req, const struct vv_param user)
{
    struct vv_rows *rows;

    do
        VV_TRY(vv_query_slow(req, &rows,
                             "delete from usage_logs where user_id = $1 and timestamp <="
                             " (select max(timestamp) from (select timestamp from usage_logs"
                             "  where user_id = $1 order by timestamp limit $2) t)",
                             user, VV_INT(FORGET_SLICE)));
    while (vv_rows_affected(rows) > 0);
    return 0;
}

/* A roll-up that read the log before its rows went has ended when this begins. */
static int forget_hours(struct vv_request *req, const struct vv_param user)
{
    struct vv_rows *rows;
    struct vv_tx *tx;

    do {
        VV_TRY(vv_begin(req, &tx));
        VV_TRY(vv_tx_exec(tx, "select from usage_rollup for share"));
        VV_TRY(vv_tx_query(tx, &rows,
                           "delete from usage_hours where user_id = $1 and hour <="
                           " (select max(hour) from (select hour from usage_hours"
                           "  where user_id = $1 order by hour limit $2) t)",
                           user, VV_INT(FORGET_SLICE)));
        VV_TRY(vv_tx_exec(tx, "delete from usage_totals where user_id = $1", user));
        VV_TRY(vv_commit(tx));
    } while (vv_rows_affected(rows) > 0);
    return 0;
}

int usage_forget_job(struct vv_request *req, const struct vv_job_run *run)
{
    const struct vv_param user = VV_INT(vv_get_int(run->payload, "user", 0));

    VV_TRY(forget_logs(req, user));
    return forget_hours(req, user);
}
