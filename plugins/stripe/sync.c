/* Reads a customer's subscriptions from Stripe, until what was read is also what is written. */
#include "inbound.h"

#define SYNC_TRIES      8
#define SYNC_EVENTS_MAX 1000 /* that one sync settles; a job comes again for the rest */

struct sync {
    const char *customer;
    int64_t user_id, departed;
    struct stripe_sub *rows;
    size_t row_count;
    struct vv_rows *events;
    struct stripe_change *first, **last;
    bool gone; /* Stripe has deleted the customer */
};

/* ---- before Stripe is asked -------------------------------------------------------------------
 */

/* Events and versions are read first: what Stripe says after that is at least as new as they are.
 */
static int sync_before(struct vv_request *req, struct sync *sync)
{
    struct vv_rows *rows;

    VV_TRY(vv_query(req, &sync->events,
                    "select id, type from stripe_events where customer = $1"
                    " and processed_at is null order by received_at limit $2",
                    VV_TEXT(sync->customer), VV_INT(SYNC_EVENTS_MAX)));
    VV_TRY(vv_query(req, &rows,
                    "select " STRIPE_SUB_COLUMNS
                    " from subscriptions s where s.stripe_customer_id = $1"
                    " and s.stripe_subscription_id is not null",
                    VV_TEXT(sync->customer)));
    sync->row_count = vv_rows_count(rows);
    sync->rows = vv_alloc(req, sync->row_count * sizeof *sync->rows);
    for (size_t row = 0; row < sync->row_count; row++)
        stripe_sub_read(rows, row, &sync->rows[row]);
    return 0;
}

static const struct stripe_sub *sync_row(const struct sync *sync, const char *subscription)
{
    for (size_t row = 0; row < sync->row_count; row++)
        if (strcmp(sync->rows[row].subscription, subscription) == 0)
            return &sync->rows[row];
    return NULL;
}

static bool sync_told(const struct sync *sync, const char *type)
{
    for (size_t row = 0; row < vv_rows_count(sync->events); row++)
        if (strcmp(vv_row_text(sync->events, row, "type"), type) == 0)
            return true;
    return false;
}

/* ---- whose it is ------------------------------------------------------------------------------
 */

/* A customer may be made before we have written down whose it is: its metadata say so too. */
static int sync_adopt(struct vv_request *req, struct sync *sync, const struct vv_value *customer)
{
    const char *uid = vv_get_text(vv_get(customer, "metadata"), "user");
    struct vv_rows *rows;

    if (uid == NULL)
        return 0;
    VV_TRY(vv_write(req, &rows,
                    "with found as (select id from users where uid::text = $1::text),"
                    " linked as (update users u set stripe_customer_id = $2 from found"
                    "  where u.id = found.id and u.stripe_customer_id is null)"
                    " select id from found",
                    VV_TEXT(uid), VV_TEXT(sync->customer)));
    if (vv_rows_count(rows) > 0)
        sync->user_id = vv_row_int(rows, 0, "id");
    return 0;
}

/* A customer that was deleted cannot pay; the next checkout makes a new one. */
static int sync_forget(struct vv_request *req, const struct sync *sync)
{
    vv_log(req, VV_LOG_WARNING, "customer %s was deleted at Stripe", sync->customer);
    return vv_exec(req, "update users set stripe_customer_id = null where stripe_customer_id = $1",
                   VV_TEXT(sync->customer));
}

static int sync_customer(struct vv_request *req, struct sync *sync)
{
    const struct vv_value *customer;
    int rc = stripe_get(req, vv_printf(req, "/v1/customers/%s", sync->customer), NULL, &customer);

    if (rc < 0 && stripe_is_missing(customer, NULL))
        return vv_fail(req, 502, "unknown_customer",
                       "Stripe does not know customer %s: is secret_key of the account that it was "
                       "made in?",
                       sync->customer);
    if (rc < 0)
        return rc;
    sync->gone = vv_get_bool(customer, "deleted", false);
    if (sync->user_id == 0)
        VV_TRY(sync_adopt(req, sync, customer));
    return sync->gone ? sync_forget(req, sync) : 0;
}

/* ---- what Stripe says -------------------------------------------------------------------------
 */

static void sync_add(struct vv_request *req, struct sync *sync, const struct stripe_sub *before,
                     const struct stripe_sub *after)
{
    struct stripe_change *change = vv_alloc(req, sizeof *change);

    change->before = before;
    change->after = *after;
    *sync->last = change;
    sync->last = &change->next;
}

static int sync_take(struct vv_request *req, const struct vv_value *object, void *arg)
{
    struct sync *sync = arg;
    const struct stripe_sub *before;
    const struct stripe_plan *plan;
    struct stripe_sub sub;

    if (stripe_object_subscription(object, &sub) < 0)
        return vv_fail(req, 502, "stripe_error", "Stripe gave a subscription that cannot be read");
    before = sync_row(sync, sub.subscription);
    /* Nothing revives an ended subscription, least of all an answer that took the long way. */
    if (before != NULL && stripe_access_ended(before->status))
        return 0;
    plan = stripe_plan_by_price(sub.price);
    sub.user_id = sync->user_id;
    sub.customer = sync->customer;
    if (plan != NULL)
        sub.plan_name = plan->plan.name;
    if (before != NULL) {
        sub.created_at = before->created_at;
        sub.revoked = before->revoked;
    }
    sync_add(req, sync, before, &sub);
    return 0;
}

/* Rows that Stripe does not have: it lists ended ones too, so these are as good as ended. */
static int sync_missing(struct vv_request *req, struct sync *sync)
{
    struct vv_rows *rows;

    for (size_t row = 0; row < sync->row_count; row++) {
        const struct stripe_change *change = sync->first;
        struct stripe_sub sub = sync->rows[row];

        while (change != NULL && change->before != &sync->rows[row])
            change = change->next;
        if (change != NULL || stripe_access_ended(sub.status))
            continue;
        vv_log(req, VV_LOG_WARNING, "subscription %s is not at Stripe any more: it ends here too",
               sub.subscription);
        VV_TRY(vv_query(req, &rows, "select now() as now"));
        sub.status = "canceled";
        sub.ended_at = vv_row_int(rows, 0, "now");
        sync_add(req, sync, &sync->rows[row], &sub);
    }
    return 0;
}

static int sync_read(struct vv_request *req, struct sync *sync)
{
    struct stripe_form *query = stripe_form(req);
    int rc;

    stripe_form_text(query, "customer", sync->customer);
    stripe_form_text(query, "status", "all");
    rc = stripe_each(req, "/v1/subscriptions", query, sync_take, sync);
    /* Deleted, or of another account: the one ends what we have, the other must not. */
    if (rc == VV_ENOTFOUND && !sync->gone)
        rc = sync_customer(req, sync);
    if (rc < 0 && !(rc == VV_ENOTFOUND && sync->gone))
        return rc;
    return sync_missing(req, sync);
}

/* ---- an account that is gone ------------------------------------------------------------------
 */

static int sync_end(struct vv_request *req, const struct vv_value *object, void *arg)
{
    const struct sync *sync = arg;
    struct stripe_sub sub;

    if (stripe_object_subscription(object, &sub) < 0 || stripe_access_ended(sub.status))
        return 0;
    /* Paid for after the account was deleted: that was a mistake. Before: it was used. */
    return stripe_extra_end(req, sub.subscription, sub.created_at > sync->departed);
}

static int sync_farewell(struct vv_request *req, struct sync *sync)
{
    struct stripe_form *query = stripe_form(req);
    int rc;

    stripe_form_text(query, "customer", sync->customer);
    stripe_form_text(query, "status", "all");
    rc = stripe_each(req, "/v1/subscriptions", query, sync_end, sync);
    if (rc < 0 && rc != VV_ENOTFOUND)
        return rc;
    return stripe_apply_nothing(req, sync->events);
}

/* ---- the whole --------------------------------------------------------------------------------
 */

/* 1: done. 0: somebody was quicker. */
static int sync_once(struct vv_request *req, struct sync *sync)
{
    struct stripe_changes changes;

    VV_TRY(sync_before(req, sync));
    VV_TRY(stripe_customer_user(req, sync->customer, &sync->user_id, &sync->departed));
    if (sync->departed != 0) {
        VV_TRY(sync_farewell(req, sync));
        return 1;
    }
    if (sync->user_id == 0 || sync_told(sync, "customer.deleted"))
        VV_TRY(sync_customer(req, sync));
    if (sync->user_id == 0 && sync->row_count > 0)
        sync->user_id = sync->rows[0].user_id;
    if (sync->user_id == 0) {
        /* Another product of the same Stripe account, perhaps: none of ours. */
        vv_log(req, VV_LOG_INFO, "customer %s belongs to no account here", sync->customer);
        VV_TRY(stripe_apply_nothing(req, sync->events));
        return 1;
    }
    VV_TRY(sync_read(req, sync));
    changes = (struct stripe_changes){.user_id = sync->user_id,
                                      .customer = sync->customer,
                                      .first = sync->first,
                                      .events = sync->events};
    return stripe_apply(req, &changes);
}

int stripe_sync_customer(struct vv_request *req, const char *customer)
{
    if (!stripe_id_ok(customer))
        return vv_fail(req, 500, "bad_customer", "that is not the id of a customer");
    for (int i = 0; i < SYNC_TRIES; i++) {
        struct sync sync = {.customer = customer};
        int rc;

        sync.last = &sync.first;
        rc = sync_once(req, &sync);
        if (rc != 0)
            return rc < 0 ? rc : 0;
    }
    return vv_fail(req, 503, "busy", "this subscription changes too often just now");
}

int stripe_sync_enqueue(struct vv_tx *tx, const char *customer)
{
    struct vv_request *req = vv_tx_request(tx);
    struct vv_json *payload = vv_object(req);
    struct vv_enqueue job;

    vv_put(payload, "customer", VV_TEXT(customer));
    job = VV_ENQUEUE("stripe.sync", vv_json_text(payload));
    job.unique = vv_printf(req, "stripe.sync:%s", customer);
    job.mutex = job.unique;
    return vv_enqueue(tx, &job);
}

int stripe_sync_job(struct vv_request *req, const struct vv_job_run *run)
{
    const char *customer = vv_get_text(run->payload, "customer");

    if (customer == NULL)
        return vv_job_give_up(req, "the job names no customer");
    return stripe_sync_customer(req, customer);
}
