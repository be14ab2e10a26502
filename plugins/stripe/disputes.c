/* Refunds and disputes: recorded, and by configuration the end of access. */
#include "inbound.h"

#define DISPUTES_TRIES 8

/* VV_ENOTFOUND: Stripe has it no more, and there is nothing to do about it. */
static int disputes_get(struct vv_request *req, const char *path, const struct stripe_form *query,
                        const struct vv_value **ret_object)
{
    int rc = stripe_get(req, path, query, ret_object);

    return rc < 0 && stripe_is_missing(*ret_object, NULL) ? VV_ENOTFOUND : rc;
}

/* ---- from a charge to its subscription --------------------------------------------------------
 */

/* The subscription that a charge paid for; NULL: it was for something else. */
static int disputes_subscription(struct vv_request *req, const struct vv_value *charge,
                                 const char **ret_subscription)
{
    const char *intent = stripe_id_of(charge, "payment_intent"), *invoice;
    struct stripe_form *form = stripe_form(req);
    const struct vv_value *list, *object;

    *ret_subscription = NULL;
    if (intent == NULL)
        return 0;
    stripe_form_text(form, "payment[type]", "payment_intent");
    stripe_form_text(form, "payment[payment_intent]", intent);
    VV_TRY(disputes_get(req, "/v1/invoice_payments", form, &list));
    invoice = stripe_id_of(vv_at(vv_get(list, "data"), 0), "invoice");
    if (invoice == NULL)
        return 0;
    VV_TRY(disputes_get(req, vv_printf(req, "/v1/invoices/%s", invoice), NULL, &object));
    *ret_subscription =
        stripe_id_of(vv_get(vv_get(object, "parent"), "subscription_details"), "subscription");
    return 0;
}

/* Of a second checkout, which we gave back ourselves. */
static int disputes_ours(struct vv_request *req, const char *charge, bool *ret_ours)
{
    struct stripe_form *form = stripe_form(req);
    const struct vv_value *list, *data;

    *ret_ours = false;
    stripe_form_text(form, "charge", charge);
    VV_TRY(disputes_get(req, "/v1/refunds", form, &list));
    data = vv_get(list, "data");
    for (size_t i = 0; i < vv_count(data); i++)
        *ret_ours = *ret_ours || vv_has(vv_get(vv_at(data, i), "metadata"), "vvserver");
    return 0;
}

/* ---- what it means for access -----------------------------------------------------------------
 */

/* `reason` NULL takes "disputed" back. */
static int disputes_revoke_once(struct vv_request *req, const char *subscription,
                                const char *reason)
{
    struct stripe_change change = {.before = NULL};
    struct stripe_changes changes = {.first = &change};
    struct stripe_sub row;
    struct vv_rows *rows;

    VV_TRY(vv_query(req, &rows,
                    "select " STRIPE_SUB_COLUMNS
                    " from subscriptions s where s.stripe_subscription_id = $1",
                    VV_TEXT(subscription)));
    if (vv_rows_count(rows) == 0)
        return 1; /* not of a user of ours */
    stripe_sub_read(rows, 0, &row);
    if (reason == NULL ? row.revoked == NULL || strcmp(row.revoked, "disputed") != 0
                       : row.revoked != NULL)
        return 1;
    change.before = &row;
    change.after = row;
    change.after.revoked = reason;
    changes.user_id = row.user_id;
    changes.customer = row.customer;
    vv_log(req, VV_LOG_WARNING, "subscription %s: %s", subscription,
           reason == NULL ? "its dispute was won, it gives access again" : reason);
    return stripe_apply(req, &changes);
}

static int disputes_revoke(struct vv_request *req, const char *subscription, const char *reason)
{
    for (int i = 0; i < DISPUTES_TRIES; i++) {
        int rc = disputes_revoke_once(req, subscription, reason);

        if (rc != 0)
            return rc < 0 ? rc : 0;
    }
    return vv_fail(req, 503, "busy", "this subscription changes too often just now");
}

static int disputes_charge(struct vv_request *req, const char *id, const struct vv_value **ret)
{
    return disputes_get(req, vv_printf(req, "/v1/charges/%s", id), NULL, ret);
}

static int disputes_refunded(struct vv_request *req, const char *id, const char **ret_customer)
{
    const struct vv_value *charge;
    const char *subscription;
    bool ours;

    VV_TRY(disputes_charge(req, id, &charge));
    *ret_customer = stripe_id_of(charge, "customer");
    vv_log(req, VV_LOG_INFO, "charge %s was refunded%s", id,
           vv_get_bool(charge, "refunded", false) ? "" : " in part");
    if (!stripe_conf()->refund_ends_access || !vv_get_bool(charge, "refunded", false))
        return 0;
    VV_TRY(disputes_ours(req, id, &ours));
    if (ours)
        return 0;
    VV_TRY(disputes_subscription(req, charge, &subscription));
    return subscription == NULL ? 0 : disputes_revoke(req, subscription, "refunded");
}

static int disputes_disputed(struct vv_request *req, const char *id, const char **ret_customer)
{
    const struct vv_value *dispute, *charge;
    const char *status, *paid, *subscription;

    VV_TRY(disputes_get(req, vv_printf(req, "/v1/disputes/%s", id), NULL, &dispute));
    status = vv_get_text(dispute, "status");
    paid = stripe_id_of(dispute, "charge");
    vv_log(req, VV_LOG_WARNING, "dispute %s of charge %s: %s", id, paid == NULL ? "?" : paid,
           status == NULL ? "?" : status);
    if (paid == NULL || status == NULL)
        return 0;
    VV_TRY(disputes_charge(req, paid, &charge));
    *ret_customer = stripe_id_of(charge, "customer");
    if (!stripe_conf()->dispute_ends_access)
        return 0;
    VV_TRY(disputes_subscription(req, charge, &subscription));
    if (subscription == NULL || strncmp(status, "warning_", 8) == 0)
        return 0; /* an inquiry: no money was taken back */
    return disputes_revoke(req, subscription, strcmp(status, "won") == 0 ? NULL : "disputed");
}

int stripe_event_job(struct vv_request *req, const struct vv_job_run *run)
{
    const char *id = vv_get_text(run->payload, "event"), *object, *customer = NULL;
    struct vv_rows *rows;
    int rc;

    if (id == NULL)
        return vv_job_give_up(req, "the job names no event");
    VV_TRY(vv_query(req, &rows, "select type, object_id from stripe_events where id = $1",
                    VV_TEXT(id)));
    object = vv_rows_count(rows) == 0 ? NULL : vv_row_text(rows, 0, "object_id");
    if (object == NULL || !stripe_id_ok(object))
        return 0;
    rc = strcmp(vv_row_text(rows, 0, "type"), "charge.refunded") == 0
             ? disputes_refunded(req, object, &customer)
             : disputes_disputed(req, object, &customer);
    if (rc < 0 && rc != VV_ENOTFOUND)
        return rc;
    return vv_exec(req,
                   "update stripe_events set processed_at = now(),"
                   " customer = coalesce(customer, $2) where id = $1",
                   VV_TEXT(id), VV_TEXT(customer));
}
