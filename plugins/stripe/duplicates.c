/* Two paid checkouts: the older subscription stays, the newer is given back or reported. */
#include "inbound.h"

/* Refunds of ours say so, for whoever looks at them, and so that they end nobody's access. */
#define EXTRA_MARK "duplicate"

/* Stripe says "refunded already" as an error; for us it is what we want. */
static int extra_refund(struct vv_request *req, const char *subscription, const char *intent)
{
    struct stripe_form *form = stripe_form(req);
    const struct vv_value *answer;
    const char *code;
    int rc;

    stripe_form_text(form, "payment_intent", intent);
    stripe_form_text(form, "reason", "duplicate");
    stripe_form_text(form, "metadata[vvserver]", EXTRA_MARK);
    rc = stripe_post(req, "/v1/refunds", form, vv_printf(req, "vv-refund-%s", intent), &answer);
    code = rc == VV_EFAIL ? vv_get_text(answer, "code") : NULL;
    if (rc < 0 && (code == NULL || strcmp(code, "charge_already_refunded") != 0))
        return rc;
    vv_log(req, VV_LOG_WARNING, "subscription %s: its payment %s is refunded", subscription,
           intent);
    return 0;
}

static int extra_refund_all(struct vv_request *req, const char *subscription)
{
    struct stripe_form *form = stripe_form(req);
    const struct vv_value *object, *payments;

    stripe_form_text(form, "expand[]", "latest_invoice.payments");
    VV_TRY(stripe_get(req, vv_printf(req, "/v1/subscriptions/%s", subscription), form, &object));
    payments = vv_get(vv_get(vv_get(object, "latest_invoice"), "payments"), "data");
    for (size_t i = 0; i < vv_count(payments); i++) {
        const struct vv_value *payment = vv_at(payments, i);
        const char *status = vv_get_text(payment, "status");
        const char *intent = stripe_id_of(vv_get(payment, "payment"), "payment_intent");

        if (intent != NULL && status != NULL && strcmp(status, "paid") == 0)
            VV_TRY(extra_refund(req, subscription, intent));
    }
    return 0;
}

/* The refund comes first: what has ended is not looked at again, were we to be cut off between. */
int stripe_extra_end(struct vv_request *req, const char *subscription, bool refund)
{
    const struct vv_value *answer;
    int rc;

    if (refund)
        VV_TRY(extra_refund_all(req, subscription));
    rc = stripe_delete(req, vv_printf(req, "/v1/subscriptions/%s", subscription), NULL,
                       vv_printf(req, "vv-end-%s", subscription), &answer);
    if (rc < 0 && !stripe_is_missing(answer, NULL))
        return rc;
    vv_log(req, VV_LOG_WARNING, "subscription %s is ended at Stripe", subscription);
    return 0;
}

/* ---- the job ----------------------------------------------------------------------------------
 */

struct extra {
    struct stripe_sub *list;
    size_t count, room;
};

static int extra_take(struct vv_request *req, const struct vv_value *object, void *arg)
{
    struct extra *extra = arg;
    struct stripe_sub sub;

    (void)req;
    if (stripe_object_subscription(object, &sub) < 0 || !stripe_access_live(sub.status))
        return 0;
    if (extra->count < extra->room)
        extra->list[extra->count++] = sub;
    return 0;
}

static int extra_settle(struct vv_request *req, const char *customer, const struct stripe_sub *sub,
                        const struct stripe_sub *stays)
{
    if (stripe_conf()->duplicates == STRIPE_DUPLICATES_REPORT) {
        vv_log(req, VV_LOG_WARNING,
               "customer %s pays for two subscriptions: %s, and %s that began later", customer,
               stays->subscription, sub->subscription);
        return 0;
    }
    vv_log(req, VV_LOG_WARNING,
           "customer %s has paid for a second subscription, %s beside %s: it is given back",
           customer, sub->subscription, stays->subscription);
    /* Said first, so that its end is not told to the user as the end of what they have. */
    VV_TRY(vv_exec(req,
                   "update subscriptions set revoked = 'duplicate', version = version + 1"
                   " where stripe_subscription_id = $1 and revoked is null",
                   VV_TEXT(sub->subscription)));
    return stripe_extra_end(req, sub->subscription, true);
}

int stripe_extra_job(struct vv_request *req, const struct vv_job_run *run)
{
    const char *customer = vv_get_text(run->payload, "customer");
    struct stripe_form *query = stripe_form(req);
    struct extra extra = {.room = 64};
    size_t stays = 0;

    if (customer == NULL)
        return vv_job_give_up(req, "the job names no customer");
    extra.list = vv_alloc(req, extra.room * sizeof *extra.list);
    stripe_form_text(query, "customer", customer);
    stripe_form_text(query, "status", "all");
    VV_TRY(stripe_each(req, "/v1/subscriptions", query, extra_take, &extra));
    if (extra.count < 2)
        return 0;
    for (size_t i = 1; i < extra.count; i++)
        if (stripe_object_older(&extra.list[i], &extra.list[stays]))
            stays = i;
    for (size_t i = 0; i < extra.count; i++)
        if (i != stays)
            VV_TRY(extra_settle(req, customer, &extra.list[i], &extra.list[stays]));
    /* A sync would find two again, and ask us again. */
    return stripe_conf()->duplicates == STRIPE_DUPLICATES_REPORT
               ? 0
               : stripe_sync_customer(req, customer);
}
