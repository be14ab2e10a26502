/* Subscriptions through Stripe: the table of contents of this plugin, and its start. */
#include "stripe.h"

#include "inbound.h"
#include "plans.h"
#include <vv/plugin.h>

#define SECOND INT64_C(1000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)

struct stripe_setup stripe_setup;

static const struct vv_option options[] = {
    VV_OPTION_TEXT(struct stripe_conf, secret_key, NULL, VV_REQUIRED | VV_SECRET,
                   "Of Stripe's API: sk_live_..., sk_test_... or a restricted rk_..."),
    VV_OPTION_LIST(struct stripe_conf, webhook_secret, NULL, VV_SECRET,
                   "Of the webhook endpoint: whsec_...; several while it is rotated"),
    VV_OPTION_URL(struct stripe_conf, api_base, "https://api.stripe.com", "https|http", 0,
                  "Where Stripe's API is"),
    VV_OPTION_DURATION(struct stripe_conf, past_due_grace, "3d", 0, 400 * DAY, 0,
                       "How long access outlasts the start of a period that was not paid"),
    VV_OPTION_DURATION(struct stripe_conf, renewal_grace, "24h", 0, 400 * DAY, 0,
                       "How long access outlasts a period whose renewal Stripe has not told yet"),
    VV_OPTION_ENUM(struct stripe_conf, duplicates, "refund", "refund|report", 0,
                   "Of two paid subscriptions the newer: cancelled and refunded, or only reported"),
    VV_OPTION_BOOL(struct stripe_conf, refund_ends_access, "false", 0,
                   "Whether the full refund of a charge ends access"),
    VV_OPTION_BOOL(struct stripe_conf, dispute_ends_access, "true", 0,
                   "Whether a dispute ends access"),
    VV_OPTION_DURATION(struct stripe_conf, event_retention, "90d", DAY, 4000 * DAY, 0,
                       "How long it is remembered which events came"),
    VV_END,
};

static const struct vv_option plan_options[] = {
    VV_OPTION_TEXT(struct plan_section, name, NULL, VV_REQUIRED, "What people call it: Pro"),
    VV_OPTION_TEXT(struct plan_section, price_id, NULL, VV_REQUIRED,
                   "The price in Stripe at which it is sold"),
    VV_OPTION_LIST(struct plan_section, former_price_ids, NULL, 0,
                   "Prices at which it was sold before, and some still have it"),
    VV_OPTION_TEXT(struct plan_section, price, NULL, VV_REQUIRED,
                   "The amount, as the price in Stripe has it: 19.99"),
    VV_OPTION_TEXT(struct plan_section, currency, "usd", 0, "Its currency"),
    VV_OPTION_ENUM(struct plan_section, interval, "month", PLAN_INTERVALS, 0,
                   "How often it is paid"),
    VV_OPTION_TEXT(struct plan_section, api_calls, NULL, VV_REQUIRED,
                   "Calls in a month, or unlimited"),
    VV_OPTION_LIST(struct plan_section, features, NULL, 0, "What it offers, for people"),
    VV_OPTION_BOOL(struct plan_section, popular, "false", 0, "Whether pages point it out"),
    VV_OPTION_INT(struct plan_section, trial_days, "0", 0, 730, 0,
                  "Days for nothing at the beginning, once in a person's life"),
    VV_END,
};

static const struct vv_section sections[] = {
    VV_SECTION("plan", struct plan_section, plan_options, "A plan that is sold; one section each"),
    VV_END,
};

/* ---- what endpoints take and give -------------------------------------------------------------
 */

#define PLAN_ID(flags) \
    VV_FIELD_TEXT("plan_id", 1, 255, flags | VV_TRIMMED, "A price id, or a plan's id or name")

static const struct vv_field create_args[] = {PLAN_ID(0), VV_END};
static const struct vv_field change_body[] = {PLAN_ID(0), VV_END};

static const struct vv_field checkout_body[] = {
    VV_FIELD_TEXT("plan_type", 1, 255, VV_REQUIRED | VV_TRIMMED, "A plan's id or name"),
    VV_FIELD_ENUM("interval", PLAN_INTERVALS, 0, "How often it is paid", .value = "month"),
    VV_END,
};

static const struct vv_field cancel_body[] = {
    VV_FIELD_BOOL("immediately", 0, "Now, not at the end of what is paid for"),
    VV_END,
};

static const struct vv_field invoices_args[] = {
    VV_FIELD_INT("limit", 1, 100, 0, "How many at most", .value = "20"),
    VV_FIELD_TEXT("starting_after", 1, 255, 0, "The last invoice of the page before"),
    VV_END,
};

static const struct vv_field plan_reply[] = {
    VV_FIELD_TEXT("id", 0, 0, VV_REQUIRED, "The section's name"),
    VV_FIELD_TEXT("name", 0, 0, VV_REQUIRED, "What people call it"),
    VV_FIELD_TEXT("price_id", 0, 0, VV_REQUIRED, "The price in Stripe"),
    VV_FIELD_REAL("price", 0, 0, VV_REQUIRED, "The amount"),
    VV_FIELD_TEXT("currency", 0, 0, VV_REQUIRED, "Its currency"),
    VV_FIELD_ENUM("interval", PLAN_INTERVALS, VV_REQUIRED, "How often it is paid"),
    VV_FIELD_INT("api_calls", 0, 0, VV_REQUIRED | VV_NULLABLE, "In a month; null: unlimited"),
    VV_FIELD_INT("trial_days", 0, 0, VV_REQUIRED, "Days for nothing at the beginning"),
    VV_FIELD_BOOL("popular", VV_REQUIRED, "Whether pages point it out"),
    VV_FIELD_ARRAY("features", NULL, VV_REQUIRED, "Texts for people"),
    VV_END,
};

static const struct vv_field plans_reply[] = {
    VV_FIELD_ARRAY("plans", plan_reply, VV_REQUIRED, "In the order of the configuration"),
    VV_END,
};

static const struct vv_field checkout_reply[] = {
    VV_FIELD_TEXT("checkout_url", 0, 0, VV_REQUIRED, "Stripe's page to pay on"),
    VV_FIELD_TEXT("session_id", 0, 0, VV_REQUIRED, "Of the checkout"),
    VV_FIELD_TEXT("url", 0, 0, VV_REQUIRED, "The same as checkout_url"),
    VV_END,
};

static const struct vv_field subscription_reply[] = {
    VV_FIELD_INT("id", 0, 0, VV_REQUIRED, "Ours"),
    VV_FIELD_TEXT("stripe_subscription_id", 0, 0, VV_REQUIRED | VV_NULLABLE, "Stripe's"),
    VV_FIELD_TEXT("plan_name", 0, 0, VV_REQUIRED | VV_NULLABLE, "What people call the plan"),
    VV_FIELD_TEXT("plan_type", 0, 0, VV_REQUIRED | VV_NULLABLE, "The plan's id"),
    VV_FIELD_TEXT("price_id", 0, 0, VV_REQUIRED | VV_NULLABLE, "The price in Stripe"),
    VV_FIELD_TEXT("status", 0, 0, VV_REQUIRED, "Stripe's"),
    VV_FIELD_TIME("current_period_start", VV_REQUIRED | VV_NULLABLE, "Of what is paid for"),
    VV_FIELD_TIME("current_period_end", VV_REQUIRED | VV_NULLABLE, "Of what is paid for"),
    VV_FIELD_BOOL("cancel_at_period_end", VV_REQUIRED, "It does not renew"),
    VV_FIELD_TIME("trial_end", VV_REQUIRED | VV_NULLABLE, "When it begins to cost"),
    VV_FIELD_TIME("ended_at", VV_REQUIRED | VV_NULLABLE, "When it was over"),
    VV_FIELD_TIME("created_at", VV_REQUIRED, "Since when"),
    VV_FIELD_TIME("updated_at", VV_REQUIRED, "Last change"),
    VV_END,
};

static const struct vv_field url_reply[] = {
    VV_FIELD_TEXT("url", 0, 0, VV_REQUIRED, "Of Stripe's customer portal"),
    VV_END,
};

static const struct vv_field invoice_reply[] = {
    VV_FIELD_TEXT("id", 0, 0, VV_REQUIRED, "Stripe's"),
    VV_FIELD_TEXT("number", 0, 0, VV_REQUIRED | VV_NULLABLE, "For people"),
    VV_FIELD_TEXT("status", 0, 0, VV_REQUIRED | VV_NULLABLE, "paid, open, void, uncollectible"),
    VV_FIELD_REAL("amount", 0, 0, VV_REQUIRED, "In all"),
    VV_FIELD_TEXT("currency", 0, 0, VV_REQUIRED, "Of the amount"),
    VV_FIELD_TIME("created_at", VV_REQUIRED, "When it was made"),
    VV_FIELD_TEXT("hosted_invoice_url", 0, 0, VV_REQUIRED | VV_NULLABLE, "Stripe's page of it"),
    VV_FIELD_TEXT("pdf_url", 0, 0, VV_REQUIRED | VV_NULLABLE, "As a file"),
    VV_END,
};

static const struct vv_field invoices_reply[] = {
    VV_FIELD_ARRAY("invoices", invoice_reply, VV_REQUIRED, "The newest first"),
    VV_FIELD_BOOL("has_more", VV_REQUIRED, "There are older ones: ask with starting_after"),
    VV_END,
};

static const struct vv_field webhook_reply[] = {
    VV_FIELD_TEXT("status", 0, 0, VV_REQUIRED, "success: the event is stored"),
    VV_END,
};

#define CALLS_STRIPE .deadline = STRIPE_DEADLINE

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "/plans", VV_ANYONE, stripe_plans_get, .reply = plans_reply,
             .summary = "The plans that are sold"),
    VV_ROUTE(VV_GET, "/public/pricing", VV_ANYONE, stripe_pricing_get, .flags = VV_HIDDEN_ROUTE,
             .summary = "The plans as a bare array"),
    VV_ROUTE(VV_POST, "/subscriptions/create", VV_USER, stripe_subscription_create,
             .flags = VV_OPTIONAL_BODY, CALLS_STRIPE, .query = create_args, .body = change_body,
             .reply = checkout_reply, .summary = "Begins a checkout"),
    VV_ROUTE(VV_POST, "/subscriptions/create-checkout-session", VV_USER, stripe_checkout_create,
             CALLS_STRIPE, .body = checkout_body, .reply = checkout_reply,
             .summary = "Begins a checkout of a plan by its type and interval"),
    VV_ROUTE(VV_GET, "/subscriptions/current", VV_USER, stripe_subscription_current,
             .reply = subscription_reply, .summary = "The caller's subscription, or null"),
    VV_ROUTE(VV_POST, "/subscriptions/change", VV_USER, stripe_subscription_change, CALLS_STRIPE,
             .flags = VV_OPTIONAL_BODY, .query = create_args, .body = change_body,
             .reply = subscription_reply, .summary = "Changes to another plan, prorated"),
    VV_ROUTE(VV_POST, "/subscriptions/cancel", VV_USER, stripe_subscription_cancel, CALLS_STRIPE,
             .flags = VV_OPTIONAL_BODY, .body = cancel_body, .reply = subscription_reply,
             .summary = "Ends the subscription, with its period or now"),
    VV_ROUTE(VV_POST, "/subscriptions/reactivate", VV_USER, stripe_subscription_reactivate,
             .flags = VV_OPTIONAL_BODY, CALLS_STRIPE, .reply = subscription_reply,
             .summary = "Lets a subscription go on that would end with its period"),
    VV_ROUTE(VV_POST, "/subscriptions/portal", VV_USER, stripe_subscription_portal,
             .flags = VV_OPTIONAL_BODY, CALLS_STRIPE, .reply = url_reply,
             .summary = "A link to Stripe's customer portal"),
    VV_ROUTE(VV_POST, "/subscriptions/create-portal-session", VV_USER, stripe_subscription_portal,
             .flags = VV_OPTIONAL_BODY | VV_HIDDEN_ROUTE, CALLS_STRIPE, .reply = url_reply,
             .summary = "The same as /subscriptions/portal"),
    VV_ROUTE(VV_GET, "/subscriptions/invoices", VV_USER, stripe_subscription_invoices, CALLS_STRIPE,
             .query = invoices_args, .reply = invoices_reply,
             .summary = "What was billed, the newest first"),
    VV_ROUTE(VV_POST, "/webhooks/stripe", VV_ANYONE, stripe_webhook, .flags = VV_RAW_BODY,
             .reply = webhook_reply, .summary = "Takes in an event of Stripe"),
    VV_END,
};

static const struct vv_hook hooks[] = {
    VV_HOOK("user.registered", VV_PRIORITY_NORMAL, stripe_customer_registered),
    VV_HOOK("user.changed", VV_PRIORITY_NORMAL, stripe_customer_changed),
    VV_HOOK("user.deleted", VV_PRIORITY_NORMAL, stripe_customer_deleted),
    VV_END,
};

/* Stripe may be away for a day: no pause is longer than it takes to notice that it is back. */
#define PATIENT .timeout = 120 * SECOND, .attempts = 400, .last_backoff = 300 * SECOND

static const struct vv_job jobs[] = {
    VV_JOB("stripe.customer", stripe_customer_job, PATIENT),
    VV_JOB("stripe.contact", stripe_contact_job, PATIENT),
    VV_JOB("stripe.depart", stripe_depart_job, PATIENT),
    VV_JOB("stripe.sync", stripe_sync_job, PATIENT),
    VV_JOB("stripe.event", stripe_event_job, PATIENT),
    VV_JOB("stripe.extra", stripe_extra_job, PATIENT),
    VV_END,
};

static const struct vv_schedule schedules[] = {
    VV_SCHEDULE("stripe.cleanup", HOUR, stripe_cleanup),
    VV_SCHEDULE("stripe.events", HOUR / 4, stripe_reconcile_events),
    VV_SCHEDULE("stripe.reconcile", 6 * HOUR, stripe_reconcile_all),
    VV_END,
};

/* ---- start ------------------------------------------------------------------------------------
 */

static const char *without_slash(struct vv_request *req, const char *url)
{
    size_t length = strlen(url);

    while (length > 0 && url[length - 1] == '/')
        length--;
    return vv_printf(req, "%.*s", (int)length, url);
}

static int stripe_init(struct vv_request *req)
{
    const struct stripe_conf *conf = stripe_conf();
    const char *pages = vv_server_option("frontend_url");

    if (pages == NULL)
        pages = vv_server_option("public_url");
    if (pages == NULL) {
        pages = "http://localhost";
        vv_log(req, VV_LOG_WARNING,
               "[server] frontend_url is empty: Stripe's pages lead back to %s", pages);
    }
    stripe_setup.pages = without_slash(req, pages);
    stripe_setup.api_base = without_slash(req, conf->api_base);
    if (strncmp(conf->api_base, "http:", 5) == 0)
        vv_log(req, VV_LOG_WARNING,
               "[stripe] api_base: the key and what is paid travel unencrypted");
    VV_TRY(stripe_plans_setup(req));
    VV_TRY(stripe_access_profile(req));
    VV_TRY(vv_publish("subscriptions/1", &stripe_subscriptions_service.base));
    return vv_publish("plans/1", &stripe_plans_service.base);
}

VV_PLUGIN(.name = "stripe", .version = "0.1.0", .summary = "Subscriptions, paid through Stripe",
          .depends = "auth/1, mail/1?", .provides = "plans/1, subscriptions/1",
          .conf_size = sizeof(struct stripe_conf), .options = options, .sections = sections,
          .routes = routes, .hooks = hooks, .jobs = jobs, .schedules = schedules,
          .commands = stripe_commands, .checks = stripe_checks, .init = stripe_init)
