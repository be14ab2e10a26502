/* Access by state: the one table that says which states grant it, and until when. */
#include "inbound.h"

#include <inttypes.h>

enum access_rule {
    ACCESS_NONE,
    ACCESS_PERIOD,   /* to the period's end, and the grace if it renews */
    ACCESS_PAST_DUE, /* for the grace, from the start of the unpaid period */
};

/* A status that is not here is one that Stripe has come up with since: no access. */
static const struct access_state {
    const char *status;
    bool ended;
    enum access_rule rule;
} access_states[] = {
    {"active", false, ACCESS_PERIOD},
    {"trialing", false, ACCESS_PERIOD},
    {"past_due", false, ACCESS_PAST_DUE},
    {"unpaid", false, ACCESS_NONE},
    {"paused", false, ACCESS_NONE},
    {"incomplete", false, ACCESS_NONE},
    {"incomplete_expired", true, ACCESS_NONE},
    {"canceled", true, ACCESS_NONE},
};
#define ACCESS_STATES (sizeof access_states / sizeof access_states[0])

static const struct access_state *access_find(const char *status)
{
    static const struct access_state unknown = {"", false, ACCESS_NONE};

    for (size_t i = 0; i < ACCESS_STATES; i++)
        if (strcmp(access_states[i].status, status) == 0)
            return &access_states[i];
    return &unknown;
}

bool stripe_access_live(const char *status)
{
    return access_find(status)->rule != ACCESS_NONE;
}

bool stripe_access_ended(const char *status)
{
    return access_find(status)->ended;
}

int64_t stripe_access_ends_at(const struct stripe_sub *sub)
{
    /* Newer API versions say cancel_at where older ones said cancel_at_period_end. */
    if (sub->cancel_at != 0)
        return sub->cancel_at;
    return sub->cancel_at_period_end ? sub->period_end : 0;
}

int64_t stripe_access_until(const struct stripe_sub *sub)
{
    const struct stripe_conf *conf = stripe_conf();
    int64_t ends_at = stripe_access_ends_at(sub), until = 0;

    if (sub->revoked != NULL)
        return 0;
    switch (access_find(sub->status)->rule) {
    case ACCESS_NONE:
        return 0;
    case ACCESS_PAST_DUE:
        until = sub->period_start + conf->past_due_grace * 1000;
        break;
    case ACCESS_PERIOD:
        until = sub->period_end == 0 ? INT64_MAX : sub->period_end + conf->renewal_grace * 1000;
        break;
    }
    return ends_at != 0 && ends_at < until ? ends_at : until;
}

void stripe_access_of(const struct stripe_sub *sub, int64_t now, struct vv_access *ret_access)
{
    const struct stripe_plan *plan = stripe_sub_plan(sub);
    int64_t until = stripe_access_until(sub);

    *ret_access = (struct vv_access){
        .size = sizeof *ret_access,
        .granted = plan != NULL && until > now,
        .user_id = sub->user_id,
        .plan_id = plan == NULL ? "" : plan->plan.id,
        .status = sub->status,
        .until = plan == NULL ? 0 : until,
        .anchor = sub->anchor != 0 ? sub->anchor : sub->created_at,
        .ends_at = stripe_access_ends_at(sub),
    };
}

/* ---- the same in SQL, for GET /profile --------------------------------------------------------
 */

/* least() leaves out what is NULL: a subscription that does not end by itself. */
#define ACCESS_ENDS_SQL \
    "coalesce(s.cancel_at, case when s.cancel_at_period_end then s.current_period_end end)"

static const char *access_until_sql(struct vv_request *req)
{
    const struct stripe_conf *conf = stripe_conf();
    const char *sql = "case s.status";

    for (size_t i = 0; i < ACCESS_STATES; i++) {
        if (access_states[i].rule == ACCESS_PAST_DUE)
            sql = vv_printf(req,
                            "%s when '%s' then least(" ACCESS_ENDS_SQL ","
                            " s.current_period_start + interval '%" PRId64 " ms')",
                            sql, access_states[i].status, conf->past_due_grace);
        else if (access_states[i].rule == ACCESS_PERIOD)
            sql = vv_printf(req,
                            "%s when '%s' then least(" ACCESS_ENDS_SQL ","
                            " coalesce(s.current_period_end + interval '%" PRId64
                            " ms', 'infinity'))",
                            sql, access_states[i].status, conf->renewal_grace);
    }
    return vv_printf(req, "%s end", sql);
}

/* A price id or plan name of the configuration as a literal of SQL. */
static const char *access_literal(struct vv_request *req, const char *text)
{
    char *quoted = vv_alloc(req, 2 * strlen(text) + 4), *to = quoted;

    *to++ = 'E';
    *to++ = '\'';
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            *to++ = *text;
        *to++ = *text;
    }
    *to++ = '\'';
    *to = '\0';
    return quoted;
}

/* Whether a row is of this plan, as stripe_sub_plan() sees it. */
static const char *access_plan_sql(struct vv_request *req, const struct stripe_plan *plan)
{
    const char *prices = access_literal(req, plan->price_id);

    for (size_t i = 0; plan->former_price_ids != NULL && plan->former_price_ids[i] != NULL; i++)
        prices = vv_printf(req, "%s, %s", prices, access_literal(req, plan->former_price_ids[i]));
    return vv_printf(
        req,
        "s.stripe_price_id in (%s)"
        " or s.stripe_price_id is null and lower(s.plan_name) in (lower(%s), lower(%s))",
        prices, access_literal(req, plan->plan.name), access_literal(req, plan->plan.id));
}

static const char *access_limit_sql(struct vv_request *req)
{
    const char *sql = vv_printf(
        req, "case when s.revoked is not null or coalesce(%s, '-infinity') <= now() then 0",
        access_until_sql(req));

    for (size_t i = 0; i < stripe_plan_count(); i++) {
        const struct stripe_plan *plan = stripe_plan_at(i);

        if (plan->plan.api_calls == VV_UNLIMITED)
            sql = vv_printf(req, "%s when %s then null", sql, access_plan_sql(req, plan));
        else
            sql = vv_printf(req, "%s when %s then %" PRId64, sql, access_plan_sql(req, plan),
                            plan->plan.api_calls);
    }
    return vv_printf(req, "(%s else 0 end)::bigint", sql);
}

int stripe_access_profile(struct vv_request *req)
{
    static const char join[] =
        "left join lateral (select " STRIPE_SUB_COLUMNS
        " from subscriptions s where s.user_id = u.id" STRIPE_SUB_ORDER " limit 1) s on true";
    const struct vv_profile_field fields[] = {
        {sizeof fields[0], "subscription_status", "coalesce(s.status, 'none')", join},
        {sizeof fields[0], "subscription_plan", "s.plan_name", join},
        {sizeof fields[0], "subscription_end_date", "s.current_period_end", join},
        {sizeof fields[0], "api_calls_limit", access_limit_sql(req), join},
    };

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        VV_TRY(vv_auth()->profile_field(&fields[i]));
    return 0;
}

/* ---- the service "subscriptions/1" ------------------------------------------------------------
 */

static int access_get(struct vv_request *req, int64_t user_id, struct vv_access *ret_access)
{
    struct vv_rows *rows;
    struct stripe_sub sub;

    VV_TRY(vv_query(req, &rows,
                    "select " STRIPE_SUB_COLUMNS ", now() as clock from subscriptions s"
                    " where s.user_id = $1" STRIPE_SUB_ORDER " limit 1",
                    VV_INT(user_id)));
    if (vv_rows_count(rows) == 0)
        return VV_ENOTFOUND;
    stripe_sub_read(rows, 0, &sub);
    stripe_access_of(&sub, vv_row_int(rows, 0, "clock"), ret_access);
    return 0;
}

#define ACCESS_SLICE 500

struct access_turn {
    int (*function)(struct vv_request *req, const struct vv_access *access, void *arg);
    void *arg;
    int64_t after; /* the last user who was told of */
    bool more;
};

/* A slice of users, in memory of its own: there may be a great many. */
static int access_slice(struct vv_request *step, void *arg)
{
    struct access_turn *turn = arg;
    struct vv_rows *rows;

    VV_TRY(vv_query(step, &rows,
                    "select " STRIPE_SUB_COLUMNS ", now() as clock from"
                    " (select distinct user_id from subscriptions where user_id > $1"
                    "  order by user_id limit $2) u cross join lateral"
                    " (select " STRIPE_SUB_COLUMNS " from subscriptions s"
                    "  where s.user_id = u.user_id" STRIPE_SUB_ORDER " limit 1) s"
                    " order by s.user_id",
                    VV_INT(turn->after), VV_INT(ACCESS_SLICE)));
    for (size_t row = 0; row < vv_rows_count(rows); row++) {
        struct stripe_sub sub;
        struct vv_access access;

        stripe_sub_read(rows, row, &sub);
        stripe_access_of(&sub, vv_row_int(rows, row, "clock"), &access);
        VV_TRY(turn->function(step, &access, turn->arg));
        turn->after = sub.user_id;
    }
    turn->more = vv_rows_count(rows) == ACCESS_SLICE;
    return 0;
}

static int access_each(struct vv_request *req,
                       int (*function)(struct vv_request *req, const struct vv_access *access,
                                       void *arg),
                       void *arg)
{
    struct access_turn turn = {.function = function, .arg = arg};

    do
        VV_TRY(vv_step(req, access_slice, &turn));
    while (turn.more);
    return 0;
}

const struct vv_subscriptions_service stripe_subscriptions_service = {
    .base = {.size = sizeof(struct vv_subscriptions_service), .major = 1, .minor = 0},
    .access = access_get,
    .each = access_each,
};
