/* Writes what Stripe says of a customer's subscriptions, if nobody has written since it was asked.
 */
#include "inbound.h"

/* Rows as they will be, $1 the user and $2 their JSON. */
#define APPLY_NEW                                                                                 \
    "(select coalesce(t.id, 9223372036854775807) as id, $1::bigint as user_id, t.version,"        \
    "  t.stripe_subscription_id, t.stripe_customer_id, t.stripe_price_id, t.plan_name, t.status," \
    "  t.revoked, t.current_period_start, t.current_period_end, t.anchor, t.cancel_at,"           \
    "  t.ended_at, t.trial_start, t.trial_end, t.created_at, now() as updated_at,"                \
    "  t.cancel_at_period_end, t.changed"                                                         \
    "  from jsonb_to_recordset($2::jsonb) as t (id bigint, version bigint,"                       \
    "  stripe_subscription_id text, stripe_customer_id text, stripe_price_id text,"               \
    "  plan_name text, status text, revoked text, current_period_start timestamptz,"              \
    "  current_period_end timestamptz, anchor timestamptz, cancel_at timestamptz,"                \
    "  ended_at timestamptz, trial_start timestamptz, trial_end timestamptz,"                     \
    "  created_at timestamptz, cancel_at_period_end boolean, changed boolean))"

/*
 * The expected version is the one that was read before Stripe was asked; of a row that was not
 * there it is 0, as in rows of the earlier server. It goes up even if nothing else changes: who
 * asked Stripe before us and writes after us must see that somebody knows better.
 */
#define APPLY_WRITE                                                                            \
    "insert into subscriptions as s (user_id, version, stripe_subscription_id,"                \
    "  stripe_customer_id, stripe_price_id, plan_name, status, revoked, current_period_start," \
    "  current_period_end, anchor, cancel_at, ended_at, trial_start, trial_end,"               \
    "  cancel_at_period_end, created_at, updated_at)"                                          \
    " select user_id, version + 1, stripe_subscription_id, stripe_customer_id,"                \
    "  stripe_price_id, plan_name, status, revoked, current_period_start, current_period_end," \
    "  anchor, cancel_at, ended_at, trial_start, trial_end, cancel_at_period_end,"             \
    "  created_at, case when changed then now() else created_at end"                           \
    " from " APPLY_NEW " n order by stripe_subscription_id"                                    \
    " on conflict (stripe_subscription_id) do update set user_id = excluded.user_id,"          \
    "  version = excluded.version, stripe_customer_id = excluded.stripe_customer_id,"          \
    "  stripe_price_id = excluded.stripe_price_id, plan_name = excluded.plan_name,"            \
    "  status = excluded.status, revoked = excluded.revoked,"                                  \
    "  current_period_start = excluded.current_period_start,"                                  \
    "  current_period_end = excluded.current_period_end, anchor = excluded.anchor,"            \
    "  cancel_at = excluded.cancel_at, ended_at = excluded.ended_at,"                          \
    "  trial_start = excluded.trial_start, trial_end = excluded.trial_end,"                    \
    "  cancel_at_period_end = excluded.cancel_at_period_end,"                                  \
    "  updated_at = greatest(s.updated_at, excluded.updated_at)"                               \
    " where s.version = excluded.version - 1"

static bool apply_same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool apply_changed(const struct stripe_sub *a, const struct stripe_sub *b)
{
    return a == NULL || !apply_same_text(a->price, b->price) ||
           !apply_same_text(a->plan_name, b->plan_name) || !apply_same_text(a->status, b->status) ||
           !apply_same_text(a->revoked, b->revoked) || !apply_same_text(a->customer, b->customer) ||
           a->user_id != b->user_id || a->period_start != b->period_start ||
           a->period_end != b->period_end || a->anchor != b->anchor ||
           a->cancel_at != b->cancel_at || a->ended_at != b->ended_at ||
           a->trial_start != b->trial_start || a->trial_end != b->trial_end ||
           a->cancel_at_period_end != b->cancel_at_period_end;
}

static void apply_put_time(struct vv_json *json, const char *name, int64_t time)
{
    vv_put(json, name, time == 0 ? VV_NULL() : VV_TIME(time));
}

static bool apply_put(struct vv_json *json, const struct stripe_change *change)
{
    const struct stripe_sub *sub = &change->after;
    bool changed = apply_changed(change->before, sub);

    vv_open_object(json, NULL);
    vv_put(json, "id", change->before == NULL ? VV_NULL() : VV_INT(change->before->id));
    vv_put(json, "version", VV_INT(change->before == NULL ? 0 : change->before->version));
    vv_put(json, "stripe_subscription_id", VV_TEXT(sub->subscription));
    vv_put(json, "stripe_customer_id", VV_TEXT(sub->customer));
    vv_put(json, "stripe_price_id", VV_TEXT(sub->price));
    vv_put(json, "plan_name", VV_TEXT(sub->plan_name));
    vv_put(json, "status", VV_TEXT(sub->status));
    vv_put(json, "revoked", VV_TEXT(sub->revoked));
    apply_put_time(json, "current_period_start", sub->period_start);
    apply_put_time(json, "current_period_end", sub->period_end);
    apply_put_time(json, "anchor", sub->anchor);
    apply_put_time(json, "cancel_at", sub->cancel_at);
    apply_put_time(json, "ended_at", sub->ended_at);
    apply_put_time(json, "trial_start", sub->trial_start);
    apply_put_time(json, "trial_end", sub->trial_end);
    apply_put_time(json, "created_at", sub->created_at);
    vv_put(json, "cancel_at_period_end", VV_BOOL(sub->cancel_at_period_end));
    vv_put(json, "changed", VV_BOOL(changed));
    vv_close(json);
    return changed;
}

/*
 * Hooks are told before the rows are written: the entitlements they lock come before subscriptions
 * everywhere, and an account that is deleted at this moment locks in that order. What is told is
 * what will count, chosen by the same rule as ever among the rows as they will be.
 */
static int apply_tell(struct vv_tx *tx, int64_t user_id, const char *json)
{
    struct vv_request *req = vv_tx_request(tx);
    struct vv_access access;
    struct vv_event event;
    struct stripe_sub sub;
    struct vv_rows *rows;

    VV_TRY(vv_tx_query(tx, &rows,
                       "select " STRIPE_SUB_COLUMNS ", now() as clock from"
                       " (select " STRIPE_SUB_COLUMNS " from " APPLY_NEW " s"
                       "  union all select " STRIPE_SUB_COLUMNS
                       "  from subscriptions s where s.user_id = $1 and s.stripe_subscription_id"
                       "  not in (select n.stripe_subscription_id from " APPLY_NEW
                       "  n)) s" STRIPE_SUB_ORDER " limit 1",
                       VV_INT(user_id), VV_JSON(json)));
    stripe_sub_read(rows, 0, &sub);
    stripe_access_of(&sub, vv_row_int(rows, 0, "clock"), &access);
    event = VV_EVENT("subscription.changed", tx, &access, NULL);
    return vv_emit(req, &event);
}

static int apply_mark(struct vv_tx *tx, const struct vv_rows *events)
{
    struct vv_json *ids = vv_array(vv_tx_request(tx));

    if (vv_rows_count(events) == 0)
        return 0;
    for (size_t row = 0; row < vv_rows_count(events); row++)
        vv_put(ids, NULL, VV_TEXT(vv_row_text(events, row, "id")));
    return vv_tx_exec(tx,
                      "update stripe_events set processed_at = now() where processed_at is null"
                      " and id in (select jsonb_array_elements_text($1::jsonb))",
                      VV_JSON(vv_json_text(ids)));
}

/* Whether another one lives that is older, as STRIPE_SUB_ORDER has it. */
static bool apply_is_extra(const struct stripe_changes *changes, const struct stripe_sub *sub)
{
    const struct stripe_change *change;

    if (!stripe_access_live(sub->status))
        return false;
    for (change = changes->first; change != NULL; change = change->next) {
        const struct stripe_sub *other = &change->after;

        if (stripe_access_live(other->status) && stripe_object_older(other, sub))
            return true;
    }
    return false;
}

/* Of two that live one is too many; a job looks into it, because Stripe has to be called. */
static int apply_extra(struct vv_tx *tx, const struct stripe_changes *changes)
{
    struct vv_json *payload = vv_object(vv_tx_request(tx));
    struct vv_enqueue job;

    vv_put(payload, "customer", VV_TEXT(changes->customer));
    job = VV_ENQUEUE("stripe.extra", vv_json_text(payload));
    job.unique = vv_printf(vv_tx_request(tx), "stripe.extra:%s", changes->customer);
    job.mutex = job.unique;
    return vv_enqueue(tx, &job);
}

/* The user is not told that a second one has begun. */
static int apply_follow(struct vv_tx *tx, const struct stripe_changes *changes)
{
    bool extra = false;

    for (struct stripe_change *change = changes->first; change != NULL; change = change->next) {
        if (apply_is_extra(changes, &change->after))
            extra = true;
        else
            VV_TRY(stripe_mails_changed(tx, change->before, &change->after));
    }
    return extra ? apply_extra(tx, changes) : 0;
}

int stripe_apply(struct vv_request *req, const struct stripe_changes *changes)
{
    struct vv_json *json = vv_array(req);
    const struct stripe_change *change;
    bool changed = false;
    int64_t count = 0;
    struct vv_rows *rows;
    struct vv_tx *tx;

    for (change = changes->first; change != NULL; change = change->next) {
        changed = apply_put(json, change) || changed;
        count++;
    }
    VV_TRY(vv_begin(req, &tx));
    if (changed)
        VV_TRY(apply_tell(tx, changes->user_id, vv_json_text(json)));
    if (count > 0)
        VV_TRY(vv_tx_query(tx, &rows, APPLY_WRITE, VV_INT(changes->user_id),
                           VV_JSON(vv_json_text(json))));
    if (count > 0 && vv_rows_affected(rows) < count)
        return vv_rollback(tx);
    VV_TRY(apply_follow(tx, changes));
    VV_TRY(apply_mark(tx, changes->events));
    VV_TRY(vv_commit(tx));
    return 1;
}

int stripe_apply_nothing(struct vv_request *req, const struct vv_rows *events)
{
    struct vv_tx *tx;

    VV_TRY(vv_begin(req, &tx));
    VV_TRY(apply_mark(tx, events));
    return vv_commit(tx);
}
