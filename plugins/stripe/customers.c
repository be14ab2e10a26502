/* Stripe's customers: one for each user, however many ask for it at once, and gone with the user.
 */
#include "stripe.h"

#include <inttypes.h>

struct customer_user {
    int64_t id;
    const char *uid, *email, *name;
    const char *customer; /* NULL: none yet */
};

static int customer_load(struct vv_request *req, int64_t user_id, struct customer_user *ret_user)
{
    struct vv_rows *rows;

    VV_TRY(vv_query(req, &rows,
                    "select uid::text as uid, email, concat_ws(' ', first_name, last_name) as name,"
                    " nullif(stripe_customer_id, '') as customer from users where id = $1",
                    VV_INT(user_id)));
    if (vv_rows_count(rows) == 0)
        return VV_ENOTFOUND;
    ret_user->id = user_id;
    ret_user->uid = vv_row_text(rows, 0, "uid");
    ret_user->email = vv_row_text(rows, 0, "email");
    ret_user->name = vv_row_text(rows, 0, "name");
    ret_user->customer = vv_row_text(rows, 0, "customer");
    return 0;
}

static struct stripe_form *customer_form(struct vv_request *req, const struct customer_user *user)
{
    struct stripe_form *form = stripe_form(req);

    stripe_form_text(form, "email", user->email);
    stripe_form_text(form, "name", user->name);
    stripe_form_text(form, "metadata[user]", user->uid);
    return form;
}

/* ---- making one -------------------------------------------------------------------------------
 */

static int customer_enqueue_depart(struct vv_tx *tx, const char *customer, bool unused)
{
    struct vv_json *payload = vv_object(vv_tx_request(tx));
    struct vv_enqueue job;

    vv_put(payload, "customer", VV_TEXT(customer));
    vv_put(payload, "unused", VV_BOOL(unused));
    job = VV_ENQUEUE("stripe.depart", vv_json_text(payload));
    job.unique = vv_printf(vv_tx_request(tx), "stripe.depart:%s", customer);
    job.mutex = vv_printf(vv_tx_request(tx), "stripe.sync:%s", customer);
    return vv_enqueue(tx, &job);
}

/* Compare and set: whoever comes first has named the customer for all. When the account was deleted
 * meanwhile, nobody will ever use what was just made. */
static int customer_settle(struct vv_request *req, const struct customer_user *user,
                           const char *made, const char **ret_customer)
{
    struct vv_rows *rows;
    struct vv_tx *tx;

    VV_TRY(vv_begin(req, &tx));
    VV_TRY(vv_tx_query(tx, &rows,
                       "update users set stripe_customer_id = case"
                       " when coalesce(stripe_customer_id, '') in ('', $3) then $2"
                       " else stripe_customer_id end where id = $1"
                       " returning stripe_customer_id as customer",
                       VV_INT(user->id), VV_TEXT(made),
                       VV_TEXT(user->customer == NULL ? "" : user->customer)));
    if (vv_rows_count(rows) == 0)
        VV_TRY(customer_enqueue_depart(tx, made, true));
    VV_TRY(vv_commit(tx));
    if (vv_rows_count(rows) == 0)
        return VV_ENOTFOUND;
    *ret_customer = vv_row_text(rows, 0, "customer");
    return 0;
}

/* One that an attempt made whose answer was lost: it says whose it is. */
static int customer_is_his(struct vv_request *req, const struct vv_value *object, void *arg)
{
    const char **uid_then_id = arg;
    const char *uid = vv_get_text(vv_get(object, "metadata"), "user");

    (void)req;
    if (uid != NULL && strcmp(uid, uid_then_id[0]) == 0)
        uid_then_id[1] = vv_get_text(object, "id");
    return 0;
}

static int customer_find(struct vv_request *req, const struct customer_user *user,
                         const char **ret_id)
{
    const char *uid_then_id[2] = {user->uid, NULL};
    struct stripe_form *query = stripe_form(req);

    stripe_form_text(query, "email", user->email);
    VV_TRY(stripe_each(req, "/v1/customers", query, customer_is_his, uid_then_id));
    *ret_id = uid_then_id[1];
    return 0;
}

/*
 * The key is the same for everybody who wants this user's (next) customer, so that Stripe makes
 * one. It may be spent: name or address have changed since an attempt whose answer was lost, or
 * that attempt broke something at Stripe. What it made, if it did, is looked for.
 */
static int customer_make(struct vv_request *req, const struct customer_user *user,
                         const char **ret_customer)
{
    const struct stripe_form *form = customer_form(req, user);
    const struct vv_value *made = NULL;
    const char *id = NULL;
    int rc;

    rc = stripe_post(req, "/v1/customers", form,
                     user->customer == NULL
                         ? vv_printf(req, "vv-customer-%s", user->uid)
                         : vv_printf(req, "vv-customer-%s-after-%s", user->uid, user->customer),
                     &made);
    if (rc < 0 && stripe_is_spent(made)) {
        VV_TRY(customer_find(req, user, &id));
        rc = id == NULL ? stripe_post(req, "/v1/customers", form, NULL, &made) : 0;
    }
    VV_TRY(rc);
    id = id == NULL ? vv_get_text(made, "id") : id;
    if (!stripe_id_ok(id))
        return vv_fail(req, 502, "stripe_error", "The payment service made a customer without id");
    return customer_settle(req, user, id, ret_customer);
}

static int customer_gone(struct vv_request *req, int rc)
{
    if (rc != VV_ENOTFOUND)
        return rc;
    return vv_fail(req, 401, "invalid_token", "This account has been deleted");
}

int stripe_customer_ensure(struct vv_request *req, int64_t user_id, const char **ret_customer)
{
    struct customer_user user;
    int rc = customer_load(req, user_id, &user);

    *ret_customer = NULL;
    if (rc < 0)
        return customer_gone(req, rc);
    if (user.customer != NULL) {
        *ret_customer = user.customer;
        return 0;
    }
    return customer_gone(req, customer_make(req, &user, ret_customer));
}

int stripe_customer_replace(struct vv_request *req, int64_t user_id, const char *lost,
                            const char **ret_customer)
{
    struct customer_user user;
    int rc = customer_load(req, user_id, &user);

    *ret_customer = NULL;
    if (rc < 0)
        return customer_gone(req, rc);
    if (user.customer != NULL && strcmp(user.customer, lost) != 0) {
        *ret_customer = user.customer;
        return 0;
    }
    vv_log(req, VV_LOG_WARNING, "Stripe has no customer %s of user %" PRId64 " any more", lost,
           user_id);
    user.customer = lost;
    return customer_gone(req, customer_make(req, &user, ret_customer));
}

int stripe_customer_user(struct vv_request *req, const char *customer, int64_t *ret_user,
                         int64_t *ret_departed)
{
    struct vv_rows *rows;

    VV_TRY(vv_query(req, &rows,
                    "select (select min(id) from users where stripe_customer_id = $1) as user_id,"
                    " (select departed_at from stripe_departed where customer = $1) as departed_at",
                    VV_TEXT(customer)));
    *ret_user = vv_row_int(rows, 0, "user_id");
    *ret_departed = vv_row_int(rows, 0, "departed_at");
    return 0;
}

/* ---- hooks ------------------------------------------------------------------------------------
 */

static int customer_enqueue(struct vv_tx *tx, const char *kind, int64_t user_id)
{
    struct vv_request *req = vv_tx_request(tx);
    struct vv_enqueue job = VV_ENQUEUE(kind, vv_printf(req, "{\"user_id\": %" PRId64 "}", user_id));

    job.unique = vv_printf(req, "%s:%" PRId64, kind, user_id);
    job.mutex = job.unique;
    return vv_enqueue(tx, &job);
}

int stripe_customer_registered(struct vv_request *req, struct vv_event *event)
{
    (void)req;
    VV_TRY(customer_enqueue(event->tx, "stripe.customer", vv_event_user(event)->user_id));
    return VV_NEXT;
}

/* Also while the customer is still being made, perhaps with the name and address of before. */
int stripe_customer_changed(struct vv_request *req, struct vv_event *event)
{
    (void)req;
    VV_TRY(customer_enqueue(event->tx, "stripe.contact", vv_event_user(event)->user_id));
    return VV_NEXT;
}

/* Only notes down what is to end: the user's rows go with the account's. */
int stripe_customer_deleted(struct vv_request *req, struct vv_event *event)
{
    struct vv_rows *rows;
    const char *customer;

    (void)req;
    VV_TRY(vv_tx_query(event->tx, &rows,
                       "insert into stripe_departed (customer)"
                       " select customer from (select stripe_customer_id from users where id = $1"
                       "  union select stripe_customer_id from subscriptions where user_id = $1)"
                       "  t (customer) where customer <> '' and not exists (select 1 from users"
                       "  where stripe_customer_id = customer and id <> $1)"
                       " on conflict (customer) do update set departed_at = now()"
                       " returning customer",
                       VV_INT(vv_event_user(event)->user_id)));
    for (size_t i = 0; i < vv_rows_count(rows); i++) {
        customer = vv_row_text(rows, i, "customer");
        if (stripe_id_ok(customer))
            VV_TRY(customer_enqueue_depart(event->tx, customer, false));
    }
    return VV_NEXT;
}

/* ---- jobs -------------------------------------------------------------------------------------
 */

int stripe_customer_job(struct vv_request *req, const struct vv_job_run *run)
{
    int64_t user_id = vv_get_int(run->payload, "user_id", 0);
    struct customer_user user;
    const char *customer;
    int rc = customer_load(req, user_id, &user);

    if (rc == 0 && user.customer == NULL)
        rc = customer_make(req, &user, &customer);
    return rc == VV_ENOTFOUND ? 0 : rc;
}

/* Tells Stripe the name and address as they are now. */
int stripe_contact_job(struct vv_request *req, const struct vv_job_run *run)
{
    const struct vv_value *answer;
    struct customer_user user;
    int rc = customer_load(req, vv_get_int(run->payload, "user_id", 0), &user);

    if (rc == VV_ENOTFOUND || (rc == 0 && !stripe_id_ok(user.customer)))
        return 0;
    VV_TRY(rc);
    rc = stripe_post(req, vv_printf(req, "/v1/customers/%s", user.customer),
                     customer_form(req, &user), NULL, &answer);
    return rc < 0 && stripe_is_missing(answer, NULL) ? 0 : rc;
}

/* A session that is not open any more needs no expiring. */
static int depart_expire(struct vv_request *req, const struct vv_value *session, void *arg)
{
    const char *id = vv_get_text(session, "id");
    const struct vv_value *answer;
    int rc;

    (void)arg;
    if (!stripe_id_ok(id))
        return 0;
    rc = stripe_post(req, vv_printf(req, "/v1/checkout/sessions/%s/expire", id), NULL, NULL,
                     &answer);
    return rc < 0 && answer != NULL ? 0 : rc;
}

/* A customer whose account is gone: nothing can be bought any more, and nothing goes on. */
int stripe_depart_job(struct vv_request *req, const struct vv_job_run *run)
{
    const char *customer = vv_get_text(run->payload, "customer");
    struct stripe_form *open = stripe_form(req);
    const struct vv_value *answer = NULL;
    int rc;

    if (!stripe_id_ok(customer))
        return vv_job_give_up(req, "the job names no customer");
    if (vv_get_bool(run->payload, "unused", false)) {
        rc = stripe_delete(req, vv_printf(req, "/v1/customers/%s", customer), NULL, NULL, &answer);
        return rc < 0 && stripe_is_missing(answer, NULL) ? 0 : rc;
    }
    stripe_form_text(open, "customer", customer);
    stripe_form_text(open, "status", "open");
    VV_TRY(stripe_each(req, "/v1/checkout/sessions", open, depart_expire, NULL));
    return stripe_sync_customer(req, customer);
}
