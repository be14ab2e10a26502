/* Keeps each user's row of entitlements true, inside the transactions of what changes it. */
#include "usage.h"

/* Rows are made when they are missing, in whatever happens first: an account may be older than this
 * plugin, and whoever makes rows for those (rebuild.c) does not see what we have not committed. */

int usage_user_registered(struct vv_request *req, struct vv_event *event)
{
    const struct vv_user_event *user = vv_event_user(event);

    (void)req;
    return vv_tx_exec(event->tx,
                      "insert into entitlements (user_id, email, verified) values ($1, $2, $3)"
                      " on conflict (user_id) do update set email = $2, verified = $3",
                      VV_INT(user->user_id), VV_TEXT(user->email), VV_BOOL(user->verified));
}

int usage_user_verified(struct vv_request *req, struct vv_event *event)
{
    return usage_user_registered(req, event);
}

int usage_user_changed(struct vv_request *req, struct vv_event *event)
{
    const struct vv_user_event *user = vv_event_user(event);

    (void)req;
    return vv_tx_exec(event->tx,
                      "insert into entitlements as e (user_id, email, verified) values ($1, $2, $3)"
                      " on conflict (user_id) do update set email = $2, verified = $3"
                      "  where (e.email, e.verified) is distinct from ($2, $3)",
                      VV_INT(user->user_id), VV_TEXT(user->email), VV_BOOL(user->verified));
}

static int user_disable(struct vv_event *event, bool disable)
{
    const struct vv_user_event *user = vv_event_user(event);

    return vv_tx_exec(event->tx,
                      "insert into entitlements (user_id, email, verified, disabled)"
                      " values ($1, $2, $3, $4) on conflict (user_id) do update set disabled = $4",
                      VV_INT(user->user_id), VV_TEXT(user->email), VV_BOOL(user->verified),
                      VV_BOOL(disable));
}

int usage_user_disabled(struct vv_request *req, struct vv_event *event)
{
    (void)req;
    return user_disable(event, true);
}

int usage_user_enabled(struct vv_request *req, struct vv_event *event)
{
    (void)req;
    return user_disable(event, false);
}

/* The row goes first, and locks out whoever decides; the log, which may be long, goes in a job. */
int usage_user_deleted(struct vv_request *req, struct vv_event *event)
{
    int64_t user_id = vv_event_user(event)->user_id;
    struct vv_json *payload = vv_object(req);
    struct vv_enqueue job;

    vv_put(payload, "user", VV_INT(user_id));
    job = VV_ENQUEUE("usage.forget", vv_json_text(payload));
    VV_TRY(vv_tx_exec(event->tx, "delete from entitlements where user_id = $1", VV_INT(user_id)));
    return vv_enqueue(event->tx, &job);
}

/* ---- subscriptions ----------------------------------------------------------------------------
 */

#define NEVER_ENDS(time) ((time) == INT64_MAX ? VV_NULL() : VV_TIME(time))

/*
 * What was used so far stays where the months are counted from the same day. Where they begin anew,
 * the log knows what belongs to the new period: nobody adds to it while the row is held.
 */
int usage_access_store(struct vv_tx *tx, const struct vv_access *access)
{
    const struct vv_param user = VV_INT(access->user_id);

    VV_TRY(vv_tx_exec(tx, "select 1 from entitlements where user_id = $1 for no key update", user));
    return vv_tx_exec(
        tx,
        "update entitlements e set plan_id = $2, status = $3,"
        "  access_until = coalesce($4::timestamptz, 'infinity'), ends_at = $5::timestamptz, anchor "
        "= n.anchor,"
        "  period_start = case when n.anchor = e.anchor then e.period_start else n.first end,"
        "  period_end = case when n.anchor = e.anchor then e.period_end else n.last end,"
        "  used = case when n.anchor = e.anchor then e.used"
        "   else usage_cost($1, n.first, 'infinity') end,"
        "  noticed = case when n.anchor = e.anchor then e.noticed else 0 end"
        " from (select anchor, usage_period_start(anchor, statement_timestamp()) as first,"
        "  usage_period_end(anchor, statement_timestamp()) as last"
        "  from (select $6::timestamptz as anchor) a) n"
        " where e.user_id = $1 and (e.plan_id, e.status, e.access_until, e.ends_at, e.anchor)"
        "  is distinct from ($2, $3, coalesce($4::timestamptz, 'infinity'), $5::timestamptz, "
        "n.anchor)",
        user, VV_TEXT(access->plan_id), VV_TEXT(access->status), NEVER_ENDS(access->until),
        access->ends_at == 0 ? VV_NULL() : VV_TIME(access->ends_at), VV_TIME(access->anchor));
}

int usage_subscription_changed(struct vv_request *req, struct vv_event *event)
{
    (void)req;
    return usage_access_store(event->tx, vv_event_access(event));
}
