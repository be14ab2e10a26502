/* What the user is told by mail when a subscription changes; each message once, ever. */
#include "inbound.h"

#include <inttypes.h>

static int mails_send(struct vv_tx *tx, const struct stripe_sub *sub, const char *name,
                      const char *unique, int64_t date)
{
    struct vv_request *req = vv_tx_request(tx);
    struct vv_json *variables = vv_object(req);
    struct vv_mail_message message;
    const char *first;
    struct vv_rows *rows;

    VV_TRY(vv_tx_query(tx, &rows, "select email, first_name from users where id = $1",
                       VV_INT(sub->user_id)));
    if (vv_rows_count(rows) == 0)
        return 0;
    first = vv_row_text(rows, 0, "first_name");
    vv_put(variables, "first_name", VV_TEXT(first == NULL || first[0] == '\0' ? "there" : first));
    vv_put(variables, "plan", VV_TEXT(sub->plan_name == NULL ? "your" : sub->plan_name));
    vv_put(variables, "date", VV_TEXT(vv_mail_date(req, date)));
    /* Sessions of the portal live for minutes, mails for days: the link is to where one gets one.
     */
    vv_put(variables, "link", VV_TEXT(vv_mail_link(req, "/dashboard")));
    message = VV_MAIL(vv_row_text(rows, 0, "email"), name, vv_json_text(variables));
    message.user_id = sub->user_id;
    message.unique = vv_printf(req, "%s:%s", name, unique);
    return vv_mail()->send(tx, &message);
}

static bool mails_status(const struct stripe_sub *sub, const char *status)
{
    return sub != NULL && strcmp(sub->status, status) == 0;
}

int stripe_mails_changed(struct vv_tx *tx, const struct stripe_sub *before,
                         const struct stripe_sub *after)
{
    struct vv_request *req = vv_tx_request(tx);
    bool lived = before != NULL && stripe_access_live(before->status);
    int64_t ends_at = stripe_access_ends_at(after);

    if (vv_mail() == NULL || after->revoked != NULL)
        return 0;
    if (!lived && (mails_status(after, "active") || mails_status(after, "trialing")))
        return mails_send(tx, after, "stripe/started", after->subscription, after->period_end);
    if (mails_status(after, "past_due") && !mails_status(before, "past_due"))
        return mails_send(tx, after, "stripe/payment-failed",
                          vv_printf(req, "%s:%" PRId64, after->subscription, after->period_start),
                          after->period_start + stripe_conf()->past_due_grace * 1000);
    if (lived && stripe_access_ended(after->status))
        return mails_send(tx, after, "stripe/ended", after->subscription, after->ended_at);
    if (lived && ends_at != 0 && stripe_access_live(after->status) &&
        ends_at != stripe_access_ends_at(before))
        return mails_send(tx, after, "stripe/ending",
                          vv_printf(req, "%s:%" PRId64, after->subscription, ends_at), ends_at);
    return 0;
}
