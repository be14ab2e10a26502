/* Looks at what Stripe has, for events that never came, and mends what differs here. */
#include "inbound.h"

#include <inttypes.h>
#include <time.h>

#define RECONCILE_WINDOW 7200 /* seconds of events that are looked through again each time */

/* ---- events that never came -------------------------------------------------------------------
 */

static int reconcile_event(struct vv_request *req, const struct vv_value *object, void *arg)
{
    struct stripe_event event;
    int *mended = arg, rc;

    if (stripe_object_event(object, &event) < 0)
        return 0;
    rc = stripe_webhook_store(req, &event);
    if (rc > 0) {
        vv_log(req, VV_LOG_WARNING, "reconciliation: event %s (%s) of customer %s had not come",
               event.id, event.type, event.customer == NULL ? "?" : event.customer);
        (*mended)++;
    }
    return rc;
}

int stripe_reconcile_events(struct vv_request *req)
{
    struct stripe_form *query = stripe_form(req);
    int mended = 0;

    stripe_form_int(query, "created[gte]", (int64_t)time(NULL) - RECONCILE_WINDOW);
    VV_TRY(stripe_walk(req, "/v1/events", query, reconcile_event, &mended));
    if (mended > 0)
        vv_log(req, VV_LOG_WARNING, "reconciliation: took in %d events that had not come", mended);
    return 0;
}

/* ---- subscriptions that differ ----------------------------------------------------------------
 */

static int reconcile_enqueue(struct vv_request *req, const char *customer)
{
    struct vv_tx *tx;

    VV_TRY(vv_begin(req, &tx));
    VV_TRY(stripe_sync_enqueue(tx, customer));
    return vv_commit(tx);
}

static const char *reconcile_text(const char *text)
{
    return text == NULL ? "nothing" : text;
}

/* What differs, for the log; NULL: nothing does. */
static const char *reconcile_difference(struct vv_request *req, const struct stripe_sub *here,
                                        const struct stripe_sub *there)
{
    if (strcmp(here->status, there->status) != 0)
        return vv_printf(req, "is %s here and %s at Stripe", here->status, there->status);
    if (strcmp(reconcile_text(here->price), reconcile_text(there->price)) != 0)
        return vv_printf(req, "has price %s here and %s at Stripe", reconcile_text(here->price),
                         reconcile_text(there->price));
    if (here->period_start != there->period_start || here->period_end != there->period_end)
        return "is in another period at Stripe";
    if (here->cancel_at_period_end != there->cancel_at_period_end ||
        here->cancel_at != there->cancel_at)
        return "ends at another time at Stripe";
    return NULL;
}

static int reconcile_subscription(struct vv_request *req, const struct vv_value *object, void *arg)
{
    const struct stripe_plan *plan;
    struct stripe_sub there, here;
    const char *difference;
    struct vv_rows *rows;
    int *mended = arg;

    if (stripe_object_subscription(object, &there) < 0)
        return 0;
    VV_TRY(vv_query(req, &rows,
                    "select " STRIPE_SUB_COLUMNS
                    " from subscriptions s where s.stripe_subscription_id = $1",
                    VV_TEXT(there.subscription)));
    if (vv_rows_count(rows) > 0) {
        stripe_sub_read(rows, 0, &here);
        plan = stripe_plan_by_price(there.price);
        difference =
            stripe_access_ended(here.status) ? NULL : reconcile_difference(req, &here, &there);
        if (difference == NULL && plan != NULL &&
            strcmp(reconcile_text(here.plan_name), plan->plan.name) != 0)
            difference = "is of a plan that has another name by now";
    } else {
        difference = stripe_access_live(there.status) ? "is not known here" : NULL;
    }
    if (difference == NULL)
        return 0;
    vv_log(req, VV_LOG_WARNING, "reconciliation: subscription %s of customer %s %s: mending it",
           there.subscription, there.customer, difference);
    (*mended)++;
    return reconcile_enqueue(req, there.customer);
}

/* Their period is over, and nothing was heard of what came after it. */
static int reconcile_overdue(struct vv_request *req)
{
    struct vv_rows *rows;

    VV_TRY(vv_query(req, &rows,
                    "select distinct stripe_customer_id as customer from subscriptions"
                    " where status in ('active', 'trialing', 'past_due')"
                    " and current_period_end < now() - interval '1 hour'"
                    " and stripe_customer_id is not null limit 10000"));
    for (size_t row = 0; row < vv_rows_count(rows); row++)
        VV_TRY(reconcile_enqueue(req, vv_row_text(rows, row, "customer")));
    return 0;
}

int stripe_reconcile_all(struct vv_request *req)
{
    struct stripe_form *query = stripe_form(req);
    int mended = 0;

    stripe_form_text(query, "status", "all");
    VV_TRY(stripe_walk(req, "/v1/subscriptions", query, reconcile_subscription, &mended));
    VV_TRY(reconcile_overdue(req));
    if (mended > 0)
        vv_log(req, VV_LOG_WARNING, "reconciliation: %d subscriptions differed", mended);
    return 0;
}
