/* A subscription's row: reading it, and what its price and status mean. Only sync.c writes it. */
#include "stripe.h"

void stripe_sub_read(const struct vv_rows *rows, size_t row, struct stripe_sub *ret_sub)
{
    *ret_sub = (struct stripe_sub){
        .id = vv_row_int(rows, row, "id"),
        .user_id = vv_row_int(rows, row, "user_id"),
        .version = vv_row_int(rows, row, "version"),
        .subscription = vv_row_text(rows, row, "stripe_subscription_id"),
        .customer = vv_row_text(rows, row, "stripe_customer_id"),
        .price = vv_row_text(rows, row, "stripe_price_id"),
        .plan_name = vv_row_text(rows, row, "plan_name"),
        .status = vv_row_text(rows, row, "status"),
        .revoked = vv_row_text(rows, row, "revoked"),
        .period_start = vv_row_int(rows, row, "current_period_start"),
        .period_end = vv_row_int(rows, row, "current_period_end"),
        .anchor = vv_row_int(rows, row, "anchor"),
        .cancel_at = vv_row_int(rows, row, "cancel_at"),
        .ended_at = vv_row_int(rows, row, "ended_at"),
        .trial_start = vv_row_int(rows, row, "trial_start"),
        .trial_end = vv_row_int(rows, row, "trial_end"),
        .created_at = vv_row_int(rows, row, "created_at"),
        .updated_at = vv_row_int(rows, row, "updated_at"),
        .cancel_at_period_end = vv_row_bool(rows, row, "cancel_at_period_end"),
    };
}

int stripe_sub_load(struct vv_request *req, int64_t user_id, struct stripe_sub *ret_sub)
{
    struct vv_rows *rows;

    VV_TRY(vv_query(req, &rows,
                    "select " STRIPE_SUB_COLUMNS
                    " from subscriptions s where s.user_id = $1" STRIPE_SUB_ORDER " limit 1",
                    VV_INT(user_id)));
    if (vv_rows_count(rows) == 0)
        return VV_ENOTFOUND;
    stripe_sub_read(rows, 0, ret_sub);
    return 0;
}

const struct stripe_plan *stripe_sub_plan(const struct stripe_sub *sub)
{
    if (sub->price != NULL)
        return stripe_plan_by_price(sub->price);
    return sub->plan_name == NULL ? NULL : stripe_plan_find(sub->plan_name);
}

bool stripe_status_lives(const char *status)
{
    static const char *const ended[] = {"canceled", "incomplete", "incomplete_expired"};

    for (size_t i = 0; i < sizeof ended / sizeof ended[0]; i++)
        if (strcmp(status, ended[i]) == 0)
            return false;
    return true;
}
