/* What the files of this plugin share: its options, Stripe's API, plans, a subscription's row, and
 * who gets access. */
#ifndef STRIPE_STRIPE_H
#define STRIPE_STRIPE_H

#include <vv/auth.h>
#include <vv/http.h>
#include <vv/mail.h>
#include <vv/subscriptions.h>

#define STRIPE_VERSION  "2026-10-28.endive" /* of the API: answers keep this shape */
#define STRIPE_DEADLINE 30000               /* milliseconds for a request that calls Stripe */

enum stripe_duplicates {
    STRIPE_DUPLICATES_REFUND = 0,
    STRIPE_DUPLICATES_REPORT = 1,
};

struct stripe_conf {
    const char *secret_key;
    const char *const *webhook_secret;
    const char *api_base;
    int64_t past_due_grace, renewal_grace; /* milliseconds */
    int64_t duplicates;                    /* enum stripe_duplicates */
    bool refund_ends_access, dispute_ends_access;
    int64_t event_retention; /* milliseconds */
};

static inline const struct stripe_conf *stripe_conf(void)
{
    return (const struct stripe_conf *)vv_conf();
}

/* What follows from the options: set in init. Static. */
struct stripe_setup {
    const char *api_base; /* without a '/' at its end */
    const char *pages;    /* what the URLs of the application's pages begin with, the same */
};
extern struct stripe_setup stripe_setup;

/* ---- parameters of Stripe's API: form.c -------------------------------------------------------
 */

/* Parameters in the order in which they were added. Request. */
struct stripe_form;

struct stripe_form *stripe_form(struct vv_request *req);

/* "items[0][price]" = value; NULL leaves the parameter out, "" is sent and unsets at Stripe. */
void stripe_form_text(struct stripe_form *form, const char *name, const char *value);
void stripe_form_int(struct stripe_form *form, const char *name, int64_t value);
void stripe_form_bool(struct stripe_form *form, const char *name, bool value);

/* As application/x-www-form-urlencoded. NULL is "". Borrowed from the form. */
const char *stripe_form_encoded(const struct stripe_form *form);

/* ---- Stripe's API: client.c -------------------------------------------------------------------
 */

/*
 * One call: path begins with "/v1/". All may wait, hence never while holding a transaction, and
 * repeat what can be repeated. ret_value gets the object. Every error has an answer for our caller
 * prepared, so that it may simply be returned:
 *   VV_EFAIL         Stripe refused for good (502, or 402 for cards): *ret_value is its `error`;
 *                    or it is away, throttling or answers badly (503, 502): *ret_value is NULL
 *   VV_ECANCELED     the request's deadline
 */
VV_MUST_CHECK int stripe_get(struct vv_request *req, const char *path,
                             const struct stripe_form *query, const struct vv_value **ret_value);

/* A write. `key` is its Idempotency-Key: the same for whatever must happen once; NULL makes a
 * random one, which covers the repetitions of this call. */
VV_MUST_CHECK int stripe_post(struct vv_request *req, const char *path,
                              const struct stripe_form *form, const char *key,
                              const struct vv_value **ret_value);
VV_MUST_CHECK int stripe_delete(struct vv_request *req, const char *path,
                                const struct stripe_form *form, const char *key,
                                const struct vv_value **ret_value);

/* Whether Stripe's `error` says that an object does not exist: the one in the path, or, when
 * `param` is not NULL, one named in a parameter that contains that word. */
bool stripe_is_missing(const struct vv_value *error, const char *param);

/* Whether it says that a price cannot be sold: it does not exist, or not any more. */
bool stripe_is_unsold(const struct vv_value *error);

/* Whether it says that this Idempotency-Key will never do it: it was used with other parameters, or
 * Stripe keeps its own failure (500) under it. */
bool stripe_is_spent(const struct vv_value *error);

/* Calls function() with each object of a list, over all its pages, 100 at a time. A function's
 * error ends it. VV_ENOTFOUND: what the query names is not at Stripe. */
VV_MUST_CHECK int
stripe_each(struct vv_request *req, const char *path, const struct stripe_form *query,
            int (*function)(struct vv_request *req, const struct vv_value *object, void *arg),
            void *arg);

/* The same for lists of any length: an object lives, and its function's `req`, as long as its page.
 */
VV_MUST_CHECK int
stripe_walk(struct vv_request *req, const char *path, const struct stripe_form *query,
            int (*function)(struct vv_request *req, const struct vv_value *object, void *arg),
            void *arg);

/* Whether a text from outside may be put in a path: letters, digits, '_' and '-', 255 at most. */
bool stripe_id_ok(const char *id);

/* The id of a member that is an id or, expanded, an object; NULL when there is none. */
const char *stripe_id_of(const struct vv_value *object, const char *member);

/* A member in seconds since 1970, as Stripe writes times, in microseconds; 0 when there is none. */
int64_t stripe_time_of(const struct vv_value *object, const char *member);

/* ---- plans: plans.c ---------------------------------------------------------------------------
 */

/* A section [plan:ID], checked. Static. */
struct stripe_plan {
    struct vv_plan plan;                 /* what plans/1 hands out: id, name, api_calls */
    const char *price_id;                /* what is sold now */
    const char *const *former_price_ids; /* what was sold before; ends with NULL */
    int64_t amount;                      /* in the currency's smallest unit, as Stripe counts */
    double price;                        /* 19.99 */
    const char *currency;                /* "usd" */
    const char *interval;                /* "month" or "year" */
    const char *const *features;
    int64_t trial_days;
    bool popular;
};

VV_MUST_CHECK int stripe_plans_setup(struct vv_request *req); /* in init */
size_t stripe_plan_count(void);
const struct stripe_plan *stripe_plan_at(size_t index);
const struct stripe_plan *stripe_plan_by_id(const char *id);       /* NULL: none */
const struct stripe_plan *stripe_plan_by_price(const char *price); /* former prices included */

/* As requests name plans: a price id, or an id or name in any case. */
const struct stripe_plan *stripe_plan_find(const char *text);

/* The same, at an interval: of plans that share a name the one that is billed so. */
const struct stripe_plan *stripe_plan_pick(const char *text, const char *interval);

/* How many digits the currency has after the point: "usd" 2, "jpy" 0. */
int stripe_currency_digits(const char *currency);

/* The plan a request names, in its body or its query string; NULL: it names none. */
const char *stripe_plan_named(struct vv_request *req);

/* ---- a subscription's row: row.c --------------------------------------------------------------
 */

/* A row of `subscriptions`. Times are microseconds since 1970, 0 where the row has NULL. Request.
 */
struct stripe_sub {
    int64_t id, user_id, version;
    const char *subscription, *customer;
    const char *price;     /* NULL in rows of the earlier server that were not synced yet */
    const char *plan_name; /* as it was when it was synced */
    const char *status;    /* Stripe's */
    const char *revoked; /* why it grants nothing whatever Stripe says, e.g. "refunded"; or NULL */
    int64_t period_start, period_end;
    int64_t anchor; /* when it began: Stripe's start_date */
    int64_t cancel_at, ended_at, trial_start, trial_end;
    int64_t created_at, updated_at;
    bool cancel_at_period_end;
};

/* What a statement must select of `subscriptions s` for stripe_sub_read(). */
#define STRIPE_SUB_COLUMNS                                                                  \
    "s.id, s.user_id, s.version, s.stripe_subscription_id, s.stripe_customer_id,"           \
    " s.stripe_price_id, s.plan_name, s.status, s.revoked, s.current_period_start,"         \
    " s.current_period_end, s.anchor, s.cancel_at, s.ended_at, s.trial_start, s.trial_end," \
    " s.created_at, s.updated_at, s.cancel_at_period_end"

/* Of several rows of one user the one that counts comes first: what gives access, of two such the
 * older, since the newer is one too many; then what has not ended; of these and of ended ones the
 * later. created_at is Stripe's. */
#define STRIPE_SUB_GIVES "s.revoked is null and s.status in ('active', 'trialing', 'past_due')"
#define STRIPE_SUB_ORDER                                                          \
    " order by case when " STRIPE_SUB_GIVES                                       \
    " then 0 when s.status in ('canceled', 'incomplete_expired') then 2"          \
    " else 1 end, extract(epoch from s.created_at) * case when " STRIPE_SUB_GIVES \
    " then 1 else -1 end, s.stripe_subscription_id collate \"C\""

void stripe_sub_read(const struct vv_rows *rows, size_t row, struct stripe_sub *ret_sub);

/* The one that counts. May wait. VV_ENOTFOUND: there never was one (no answer prepared). */
VV_MUST_CHECK int stripe_sub_load(struct vv_request *req, int64_t user_id,
                                  struct stripe_sub *ret_sub);

/* The plan by its price, in old rows by its name; NULL: no plan knows it. */
const struct stripe_plan *stripe_sub_plan(const struct stripe_sub *sub);

/* Whether it goes on at Stripe, so that a second one would be one too many. */
bool stripe_status_lives(const char *status);

/* ---- customers: customers.c -------------------------------------------------------------------
 */

/* The customer of a user, made when there is none yet; the same one for any number of callers at
 * once. Calls Stripe. *ret_customer is NULL and the result VV_EFAIL (401) when the user is gone. */
VV_MUST_CHECK int stripe_customer_ensure(struct vv_request *req, int64_t user_id,
                                         const char **ret_customer);

/* The same when Stripe says that it has no customer `lost` any more. */
VV_MUST_CHECK int stripe_customer_replace(struct vv_request *req, int64_t user_id, const char *lost,
                                          const char **ret_customer);

/* The user a customer belongs to; 0 when it is nobody's. `ret_departed` is the time at which the
 * account was deleted, else 0. */
VV_MUST_CHECK int stripe_customer_user(struct vv_request *req, const char *customer,
                                       int64_t *ret_user, int64_t *ret_departed);

int stripe_customer_registered(struct vv_request *req, struct vv_event *event); /* hooks */
int stripe_customer_changed(struct vv_request *req, struct vv_event *event);
int stripe_customer_deleted(struct vv_request *req, struct vv_event *event);
int stripe_customer_job(struct vv_request *req, const struct vv_job_run *run);
int stripe_contact_job(struct vv_request *req, const struct vv_job_run *run);
int stripe_depart_job(struct vv_request *req, const struct vv_job_run *run);

/* ---- answers kept for an Idempotency-Key: once.c ----------------------------------------------
 */

struct stripe_once;

/* Runs an operation at most once for the caller's Idempotency-Key, if there is one. */
VV_MUST_CHECK int stripe_once_run(struct vv_request *req,
                                  int (*function)(struct vv_request *req,
                                                  struct stripe_once *once));

/* The operation's answers that are final: the reply, or a refusal (4xx), kept for 24 h. */
int stripe_once_reply(struct stripe_once *once, struct vv_json *json);
VV_PRINTF(4, 5)
int stripe_once_refuse(struct stripe_once *once, uint32_t status, const char *code,
                       const char *format, ...);

/* What a write's error means for good: a card that was refused is kept; others pass through. */
int stripe_once_failed(struct stripe_once *once, int rc, const struct vv_value *error);

/* ---- what Stripe says, and who gets access: sync.c, access.c, webhooks.c ----------------------
 */

/* Lists that customer's subscriptions (all of them, whatever their status) and applies them; of a
 * customer whose account is gone it ends what lives. Handlers that wrote to Stripe end with it. */
VV_MUST_CHECK int stripe_sync_customer(struct vv_request *req, const char *customer);

/* The same soon, in a job; if the transaction commits. */
VV_MUST_CHECK int stripe_sync_enqueue(struct vv_tx *tx, const char *customer);

/* The one table of states: what this row gives at the moment. `now` is the database's clock. */
void stripe_access_of(const struct stripe_sub *sub, int64_t now, struct vv_access *ret_access);

/* ---- handlers ---------------------------------------------------------------------------------
 */

int stripe_plans_get(struct vv_request *req);
int stripe_pricing_get(struct vv_request *req);
int stripe_subscription_create(struct vv_request *req);
int stripe_checkout_create(struct vv_request *req); /* create-checkout-session */
int stripe_subscription_current(struct vv_request *req);
int stripe_subscription_change(struct vv_request *req);
int stripe_subscription_cancel(struct vv_request *req);
int stripe_subscription_reactivate(struct vv_request *req);
int stripe_subscription_portal(struct vv_request *req);
int stripe_subscription_invoices(struct vv_request *req);
int stripe_cleanup(struct vv_request *req);

extern const struct vv_plans_service stripe_plans_service;

#endif
