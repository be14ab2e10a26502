/* A subscription in its owner's hands: looking at it, changing, cancelling, and Stripe's portal. */
#include "stripe.h"

#define MANAGE_ROUNDS 3
#define MANAGE_PAUSE  100 /* milliseconds, growing */

/* ---- current ----------------------------------------------------------------------------------
 */

static void manage_put_time(struct vv_json *json, const char *name, int64_t time)
{
    vv_put(json, name, time == 0 ? VV_NULL() : VV_TIME(time));
}

static struct vv_json *manage_json(struct vv_request *req, const struct stripe_sub *sub)
{
    const struct stripe_plan *plan = stripe_sub_plan(sub);
    struct vv_json *json = vv_object(req);

    vv_put(json, "id", VV_INT(sub->id));
    vv_put(json, "stripe_subscription_id", VV_TEXT(sub->subscription));
    vv_put(json, "plan_name", VV_TEXT(plan == NULL ? sub->plan_name : plan->plan.name));
    vv_put(json, "plan_type", VV_TEXT(plan == NULL ? NULL : plan->plan.id));
    vv_put(json, "price_id", VV_TEXT(sub->price));
    vv_put(json, "status", VV_TEXT(sub->status));
    manage_put_time(json, "current_period_start", sub->period_start);
    manage_put_time(json, "current_period_end", sub->period_end);
    /* The portal of newer API versions sets a time where older ones set the mark. */
    vv_put(json, "cancel_at_period_end",
           VV_BOOL(sub->cancel_at_period_end ||
                   (sub->cancel_at != 0 && sub->cancel_at <= sub->period_end)));
    manage_put_time(json, "trial_end", sub->trial_end);
    manage_put_time(json, "ended_at", sub->ended_at);
    vv_put(json, "created_at", VV_TIME(sub->created_at));
    vv_put(json, "updated_at", VV_TIME(sub->updated_at));
    return json;
}

int stripe_subscription_current(struct vv_request *req)
{
    struct stripe_sub sub;
    int rc = stripe_sub_load(req, vv_caller_id(req), &sub);

    if (rc == VV_ENOTFOUND)
        return vv_reply_bytes(req, 200, "application/json", "null", 4);
    VV_TRY(rc);
    return vv_reply(req, 200, manage_json(req, &sub));
}

/* ---- steps of what changes one ----------------------------------------------------------------
 */

/* The caller's subscription and what Stripe has of it now. */
static int manage_load(struct vv_request *req, struct stripe_sub *ret_sub,
                       const struct vv_value **ret_object)
{
    int rc = stripe_sub_load(req, vv_caller_id(req), ret_sub);
    const char *status;

    if (rc == VV_ENOTFOUND || (rc == 0 && !stripe_id_ok(ret_sub->subscription)))
        return vv_fail(req, 404, "no_subscription", "You have no subscription");
    VV_TRY(rc);
    rc = stripe_get(req, vv_printf(req, "/v1/subscriptions/%s", ret_sub->subscription), NULL,
                    ret_object);
    if (rc < 0 && stripe_is_missing(*ret_object, NULL))
        return vv_fail(req, 409, "subscription_ended", "This subscription has ended");
    VV_TRY(rc);
    status = vv_get_text(*ret_object, "status");
    if (status != NULL && stripe_status_lives(status))
        return 0;
    if (stripe_status_lives(ret_sub->status)) /* which Stripe's event will tell, too */
        VV_TRY(stripe_sync_customer(req, ret_sub->customer));
    return vv_fail(req, 409, "subscription_ended", "This subscription has ended");
}

static int manage_enqueue(struct vv_request *req, const char *customer)
{
    struct vv_tx *tx;

    VV_TRY(vv_begin(req, &tx));
    VV_TRY(stripe_sync_enqueue(tx, customer));
    return vv_commit(tx);
}

/* After a write: the row is what Stripe says now, and so is the answer. When others change so much
 * that the row cannot be had in peace, or Stripe went away just now, a job brings it up to date. */
static int manage_settle(struct vv_request *req, const struct stripe_sub *sub,
                         struct vv_json **ret_json)
{
    struct stripe_sub now;
    int rc, round;

    for (round = 1; (rc = stripe_sync_customer(req, sub->customer)) < 0; round++) {
        if (rc != VV_EFAIL || round == MANAGE_ROUNDS) {
            VV_TRY(manage_enqueue(req, sub->customer));
            return rc;
        }
        VV_TRY(vv_sleep(req, MANAGE_PAUSE * round));
    }
    VV_TRY(stripe_sub_load(req, sub->user_id, &now));
    *ret_json = manage_json(req, &now);
    return 0;
}

static int manage_update(struct vv_request *req, const struct stripe_sub *sub,
                         const struct stripe_form *form, const struct vv_value **ret_answer)
{
    return stripe_post(req, vv_printf(req, "/v1/subscriptions/%s", sub->subscription), form, NULL,
                       ret_answer);
}

/* ---- change -----------------------------------------------------------------------------------
 */

static struct stripe_form *manage_change_form(struct vv_request *req, const char *item,
                                              const struct stripe_plan *plan)
{
    struct stripe_form *form = stripe_form(req);

    /* Without the item's id Stripe would add a second item. */
    stripe_form_text(form, "items[0][id]", item);
    stripe_form_text(form, "items[0][price]", plan->price_id);
    /* What an upgrade costs is paid now, or there is no upgrade. */
    stripe_form_text(form, "proration_behavior", "always_invoice");
    stripe_form_text(form, "payment_behavior", "error_if_incomplete");
    return form;
}

static int manage_change(struct vv_request *req, struct stripe_once *once)
{
    const struct stripe_plan *plan = stripe_plan_find(stripe_plan_named(req));
    const struct vv_value *object, *item, *answer;
    struct stripe_sub sub;
    struct vv_json *json;
    const char *price;
    int rc;

    if (plan == NULL)
        return stripe_once_refuse(once, 404, "unknown_plan", "There is no such plan");
    VV_TRY(manage_load(req, &sub, &object));
    item = vv_at(vv_get(vv_get(object, "items"), "data"), 0);
    price = stripe_id_of(item, "price");
    if (price != NULL && strcmp(price, plan->price_id) == 0)
        return vv_fail(req, 409, "same_plan", "You have this plan already");
    rc = manage_update(req, &sub, manage_change_form(req, vv_get_text(item, "id"), plan), &answer);
    if (rc < 0 && stripe_is_unsold(answer)) {
        vv_log(req, VV_LOG_ERROR, "[plan:%s] Stripe does not sell price %s", plan->plan.id,
               plan->price_id);
        return stripe_once_refuse(once, 404, "unknown_plan", "This plan is not sold right now");
    }
    if (rc < 0)
        return stripe_once_failed(once, rc, answer);
    VV_TRY(manage_settle(req, &sub, &json));
    return stripe_once_reply(once, json);
}

int stripe_subscription_change(struct vv_request *req)
{
    if (stripe_plan_named(req) == NULL)
        return vv_fail_field(req, "plan_id", "is required");
    return stripe_once_run(req, manage_change);
}

/* ---- cancel, reactivate -----------------------------------------------------------------------
 */

static bool manage_is_ending(const struct vv_value *object)
{
    return vv_get_bool(object, "cancel_at_period_end", false) ||
           vv_get_int(object, "cancel_at", 0) != 0;
}

int stripe_subscription_cancel(struct vv_request *req)
{
    bool now = vv_body_bool(req, "immediately");
    struct stripe_form *form = stripe_form(req);
    const struct vv_value *object, *answer;
    struct stripe_sub sub;
    struct vv_json *json;

    VV_TRY(manage_load(req, &sub, &object));
    if (!now && manage_is_ending(object))
        return vv_fail(req, 409, "already_cancelled", "This subscription ends already");
    stripe_form_bool(form, "cancel_at_period_end", true);
    if (now)
        VV_TRY(stripe_delete(req, vv_printf(req, "/v1/subscriptions/%s", sub.subscription), NULL,
                             NULL, &answer));
    else
        VV_TRY(manage_update(req, &sub, form, &answer));
    VV_TRY(manage_settle(req, &sub, &json));
    return vv_reply(req, 200, json);
}

int stripe_subscription_reactivate(struct vv_request *req)
{
    struct stripe_form *form = stripe_form(req);
    const struct vv_value *object, *answer;
    struct stripe_sub sub;
    struct vv_json *json;

    VV_TRY(manage_load(req, &sub, &object));
    if (!manage_is_ending(object))
        return vv_fail(req, 409, "not_cancelled", "This subscription goes on already");
    if (vv_get_bool(object, "cancel_at_period_end", false))
        stripe_form_bool(form, "cancel_at_period_end", false);
    else
        stripe_form_text(form, "cancel_at", "");
    VV_TRY(manage_update(req, &sub, form, &answer));
    VV_TRY(manage_settle(req, &sub, &json));
    return vv_reply(req, 200, json);
}

/* ---- portal, invoices -------------------------------------------------------------------------
 */

int stripe_subscription_portal(struct vv_request *req)
{
    struct stripe_form *form;
    const struct vv_value *session;
    struct vv_json *json = vv_object(req);
    const char *customer;
    int rc, round;

    VV_TRY(stripe_customer_ensure(req, vv_caller_id(req), &customer));
    for (round = 0;; round++) {
        form = stripe_form(req);
        stripe_form_text(form, "customer", customer);
        stripe_form_text(form, "return_url", vv_printf(req, "%s/dashboard", stripe_setup.pages));
        rc = stripe_post(req, "/v1/billing_portal/sessions", form, NULL, &session);
        if (rc == 0 || round > 0 || !stripe_is_missing(session, "customer"))
            break;
        VV_TRY(stripe_customer_replace(req, vv_caller_id(req), customer, &customer));
    }
    VV_TRY(rc);
    vv_put(json, "url", VV_TEXT(vv_get_text(session, "url")));
    vv_reply_header(req, "Cache-Control", "no-store");
    return vv_reply(req, 200, json);
}
