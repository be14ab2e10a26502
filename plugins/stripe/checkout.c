/* Checkout: the one session a user has under way, the same one for any number of attempts. */
#include "stripe.h"

#define CHECKOUT_ROUNDS 4

/* Longer than Stripe keeps a session open or an Idempotency-Key: what is older is over. */
#define CHECKOUT_STALE "c.created_at < now() - interval '23 hours'"

struct checkout {
    struct vv_request *req;
    struct stripe_once *once;
    const struct stripe_plan *plan;
    const char *customer;
    /* the row */
    const char *key, *price, *row_session, *session, *url;
    bool had_trial;
    const char *uid;
};

/* What to do after a step: go on with another round, or it is settled one way or another. */
#define CHECKOUT_AGAIN VV_NEXT

/* ---- the row ----------------------------------------------------------------------------------
 */

/* The user's row, made if there is none; the same for all who come at once. */
static int checkout_row(struct checkout *c)
{
    struct vv_rows *rows;

    VV_TRY(vv_write(c->req, &rows,
                    "insert into stripe_checkouts as c (user_id, price_id) values ($1, $2)"
                    " on conflict (user_id) do update set"
                    "  price_id = case when " CHECKOUT_STALE " then $2 else c.price_id end,"
                    "  key = case when " CHECKOUT_STALE " then gen_random_uuid() else c.key end,"
                    "  session_id = case when not " CHECKOUT_STALE " then c.session_id end,"
                    "  url = case when not " CHECKOUT_STALE " then c.url end,"
                    "  created_at = case when " CHECKOUT_STALE " then now() else c.created_at end"
                    " returning key::text as key, price_id, session_id, url,"
                    "  (select uid::text from users where id = $1) as uid,"
                    "  exists (select 1 from subscriptions s where s.user_id = $1"
                    "   and s.trial_start is not null) as had_trial",
                    VV_INT(vv_caller_id(c->req)), VV_TEXT(c->plan->price_id)));
    c->key = vv_row_text(rows, 0, "key");
    c->price = vv_row_text(rows, 0, "price_id");
    c->row_session = c->session = vv_row_text(rows, 0, "session_id");
    c->url = vv_row_text(rows, 0, "url");
    c->uid = vv_row_text(rows, 0, "uid");
    c->had_trial = vv_row_bool(rows, 0, "had_trial");
    return 0;
}

/* Forgets the row as it was read; a newer one stays, and one whose session was made meanwhile: that
 * is open, and has to be ended first. */
static int checkout_forget(struct checkout *c)
{
    VV_TRY(vv_exec(c->req,
                   "delete from stripe_checkouts where user_id = $1 and key = $2"
                   " and session_id is not distinct from $3",
                   VV_INT(vv_caller_id(c->req)), VV_TEXT(c->key), VV_TEXT(c->row_session)));
    return CHECKOUT_AGAIN;
}

/* ---- refusals ---------------------------------------------------------------------------------
 */

static int checkout_subscribed(struct checkout *c)
{
    return stripe_once_refuse(c->once, 409, "already_subscribed",
                              "You have a subscription already; change or cancel it instead");
}

/* VV_NEXT: no subscription lives. */
static int checkout_check_none(struct checkout *c)
{
    struct stripe_sub sub;
    int rc = stripe_sub_load(c->req, vv_caller_id(c->req), &sub);

    if (rc == VV_ENOTFOUND)
        return VV_NEXT;
    VV_TRY(rc);
    return stripe_status_lives(sub.status) ? checkout_subscribed(c) : VV_NEXT;
}

/* ---- sessions ---------------------------------------------------------------------------------
 */

static int checkout_reply(struct checkout *c)
{
    struct vv_json *json = vv_object(c->req);

    vv_put(json, "checkout_url", VV_TEXT(c->url));
    vv_put(json, "session_id", VV_TEXT(c->session));
    vv_put(json, "url", VV_TEXT(c->url));
    return stripe_once_reply(c->once, json);
}

/* Ends a session in which nobody is to pay any more. VV_DONE: it is not open. */
static int checkout_expire(struct checkout *c, const char *session)
{
    const struct vv_value *answer;
    int rc = stripe_post(c->req, vv_printf(c->req, "/v1/checkout/sessions/%s/expire", session),
                         NULL, NULL, &answer);

    return rc < 0 && answer != NULL ? VV_DONE : rc;
}

/* The row's session was paid, or is over. */
static int checkout_ended(struct checkout *c)
{
    VV_TRY(stripe_sync_customer(c->req, c->customer));
    VV_TRY(checkout_check_none(c));
    return checkout_forget(c);
}

/* The session that the row names, if it is still open. */
static int checkout_resume(struct checkout *c)
{
    const struct vv_value *session;
    const char *status;
    int rc;

    if (!stripe_id_ok(c->session))
        return checkout_forget(c);
    rc = stripe_get(c->req, vv_printf(c->req, "/v1/checkout/sessions/%s", c->session), NULL,
                    &session);
    if (rc < 0 && stripe_is_missing(session, NULL))
        return checkout_forget(c);
    VV_TRY(rc);
    status = vv_get_text(session, "status");
    if (status == NULL || strcmp(status, "open") != 0)
        return checkout_ended(c);
    if (strcmp(c->price, c->plan->price_id) == 0)
        return checkout_reply(c);
    /* Somebody has thought better of the plan: what is open could still be paid by mistake. */
    rc = checkout_expire(c, c->session);
    VV_TRY(rc);
    return rc == VV_DONE ? checkout_ended(c) : checkout_forget(c);
}

static struct stripe_form *checkout_form(const struct checkout *c)
{
    struct stripe_form *form = stripe_form(c->req);

    stripe_form_text(form, "mode", "subscription");
    stripe_form_text(form, "customer", c->customer);
    stripe_form_text(form, "client_reference_id", c->uid);
    stripe_form_text(form, "line_items[0][price]", c->plan->price_id);
    stripe_form_int(form, "line_items[0][quantity]", 1);
    stripe_form_text(form, "success_url",
                     vv_printf(c->req, "%s/subscription/success?session_id={CHECKOUT_SESSION_ID}",
                               stripe_setup.pages));
    stripe_form_text(form, "cancel_url", vv_printf(c->req, "%s/pricing", stripe_setup.pages));
    stripe_form_text(form, "subscription_data[metadata][user]", c->uid);
    if (c->plan->trial_days > 0 && !c->had_trial)
        stripe_form_int(form, "subscription_data[trial_period_days]", c->plan->trial_days);
    return form;
}

/* What can be done about a refusal of Stripe's. */
static int checkout_refused(struct checkout *c, int rc, const struct vv_value *error)
{
    if (stripe_is_missing(error, "customer")) {
        VV_TRY(stripe_customer_replace(c->req, vv_caller_id(c->req), c->customer, &c->customer));
        return checkout_forget(c);
    }
    if (stripe_is_unsold(error)) {
        vv_log(c->req, VV_LOG_ERROR, "[plan:%s] Stripe does not sell price %s", c->plan->plan.id,
               c->plan->price_id);
        VV_TRY(checkout_forget(c));
        return stripe_once_refuse(c->once, 404, "unknown_plan", "This plan is not sold right now");
    }
    if (stripe_is_spent(error))
        return checkout_forget(c);
    return stripe_once_failed(c->once, rc, error);
}

/* Makes the session of the row: its key lets Stripe make one, however many ask for it. */
static int checkout_make(struct checkout *c)
{
    const struct vv_value *session;
    struct vv_rows *rows;
    int rc = stripe_post(c->req, "/v1/checkout/sessions", checkout_form(c),
                         vv_printf(c->req, "vv-checkout-%s", c->key), &session);

    if (rc < 0)
        return checkout_refused(c, rc, session);
    c->session = vv_get_text(session, "id");
    c->url = vv_get_text(session, "url");
    if (!stripe_id_ok(c->session) || c->url == NULL)
        return vv_fail(c->req, 502, "stripe_error", "The payment service gave no page to pay on");
    VV_TRY(vv_write(c->req, &rows,
                    "update stripe_checkouts set session_id = $3, url = $4"
                    " where user_id = $1 and key = $2 returning key",
                    VV_INT(vv_caller_id(c->req)), VV_TEXT(c->key), VV_TEXT(c->session),
                    VV_TEXT(c->url)));
    if (vv_rows_count(rows) > 0)
        return checkout_reply(c);
    /* Another plan was chosen meanwhile, in another window. */
    rc = checkout_expire(c, c->session);
    return rc < 0 ? rc : CHECKOUT_AGAIN;
}

static int checkout_round(struct checkout *c)
{
    VV_TRY(checkout_row(c));
    if (c->session != NULL)
        return checkout_resume(c);
    /* An attempt for another plan has not ended, or was lost. */
    if (strcmp(c->price, c->plan->price_id) != 0)
        return checkout_forget(c);
    return checkout_make(c);
}

static int checkout_begin(struct vv_request *req, struct stripe_once *once,
                          const struct stripe_plan *plan)
{
    struct checkout c = {.req = req, .once = once, .plan = plan};
    int rc, round;

    if (plan == NULL)
        return stripe_once_refuse(once, 404, "unknown_plan", "There is no such plan");
    VV_TRY(checkout_check_none(&c));
    VV_TRY(stripe_customer_ensure(req, vv_caller_id(req), &c.customer));
    for (round = 0; round < CHECKOUT_ROUNDS; round++) {
        rc = checkout_round(&c);
        if (rc != CHECKOUT_AGAIN)
            return rc;
    }
    vv_reply_header(req, "Retry-After", "1");
    return vv_fail(req, 409, "checkout_running",
                   "Another checkout is being made right now; please try again");
}

/* ---- handlers ---------------------------------------------------------------------------------
 */

/* The plan a request names, in its body or its query string. NULL: it names none. */
const char *stripe_plan_named(struct vv_request *req)
{
    const char *text = vv_body_text(req, "plan_id");

    return text != NULL ? text : vv_param_text(req, "plan_id");
}

static int checkout_by_plan(struct vv_request *req, struct stripe_once *once)
{
    return checkout_begin(req, once, stripe_plan_find(stripe_plan_named(req)));
}

int stripe_subscription_create(struct vv_request *req)
{
    if (stripe_plan_named(req) == NULL)
        return vv_fail_field(req, "plan_id", "is required");
    return stripe_once_run(req, checkout_by_plan);
}

static int checkout_by_type(struct vv_request *req, struct stripe_once *once)
{
    return checkout_begin(
        req, once, stripe_plan_pick(vv_body_text(req, "plan_type"), vv_body_text(req, "interval")));
}

int stripe_checkout_create(struct vv_request *req)
{
    return stripe_once_run(req, checkout_by_type);
}
