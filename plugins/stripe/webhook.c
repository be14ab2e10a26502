/* POST /webhooks/stripe: an event is a trigger. It is stored durably with the job that looks at
 * what it is about, and only then answered. */
#include "inbound.h"
#include "signature.h"

#include <time.h>

/* What to do about an event, by the first part of its type that is found here. */
static const struct webhook_kind {
    const char *prefix;
    const char *job;
} webhook_kinds[] = {
    {"checkout.session.", "stripe.sync"}, {"customer.subscription.", "stripe.sync"},
    {"customer.deleted", "stripe.sync"},  {"invoice.paid", "stripe.sync"},
    {"invoice.payment_", "stripe.sync"},  {"charge.dispute.", "stripe.event"},
    {"charge.refunded", "stripe.event"},
};

/*
 * Events, and jobs for those that are new and about something we follow. A job has the name of its
 * customer, so that fifty events become one or two syncs; one without a customer has the event's.
 */
#define WEBHOOK_SQL                                                                              \
    "with said as (select * from unnest($1::text[], $2::text[], $3::text[], $4::text[],"         \
    "  $5::timestamptz[], $6::text[])"                                                           \
    "  with ordinality as t (id, type, object_id, customer, created_at, job, n)),"               \
    " stored as (insert into stripe_events (id, type, object_id, customer, created_at,"          \
    "  processed_at) select distinct on (id) id, type, object_id, customer, created_at,"         \
    "  case when job is null then now() end from said order by id"                               \
    "  on conflict (id) do nothing returning id),"                                               \
    " wanted as (select s.job, s.id, s.customer, case when s.job = 'stripe.sync'"                \
    "  then 'stripe.sync:' || s.customer else 'stripe.event:' || s.id end as name"               \
    "  from said s join stored using (id) where s.job is not null),"                             \
    " jobs as (select vv_enqueue_jobs(array_agg(job), array_agg(case when job = 'stripe.sync'"   \
    "  then jsonb_build_object('customer', customer) else jsonb_build_object('event', id) end)," \
    "  array_agg(name), array_agg(name)) as count from wanted having count(*) > 0)"              \
    " select s.n, exists (select 1 from stored where stored.id = s.id) as fresh,"                \
    "  (select count from jobs) as enqueued from said s"

static const struct vv_batch webhook_batch =
    VV_BATCH("stripe.events", VV_BATCH_ENQUEUES, WEBHOOK_SQL);

static const char *webhook_job(const struct stripe_event *event)
{
    for (size_t i = 0; i < sizeof webhook_kinds / sizeof webhook_kinds[0]; i++) {
        const struct webhook_kind *kind = &webhook_kinds[i];

        if (strncmp(event->type, kind->prefix, strlen(kind->prefix)) == 0)
            return strcmp(kind->job, "stripe.sync") == 0 && event->customer == NULL ? NULL
                                                                                    : kind->job;
    }
    return NULL;
}

int stripe_webhook_store(struct vv_request *req, const struct stripe_event *event)
{
    struct vv_rows *rows;

    VV_TRY(vv_batch_query(req, &webhook_batch, &rows, VV_TEXT(event->id), VV_TEXT(event->type),
                          VV_TEXT(event->object_id), VV_TEXT(event->customer),
                          VV_TIME(event->created), VV_TEXT(webhook_job(event))));
    return vv_row_bool(rows, 0, "fresh") ? 1 : 0;
}

int stripe_webhook(struct vv_request *req)
{
    size_t length = 0;
    const char *body = vv_body_bytes(req, &length);
    const struct vv_value *value;
    struct stripe_event event;
    struct vv_json *reply;

    if (stripe_conf()->webhook_secret == NULL)
        return vv_fail(req, 503, "no_webhook_secret",
                       "This server has no webhook_secret: it cannot tell who sends this");
    if (stripe_signature_check(vv_header(req, "Stripe-Signature"), body, length,
                               stripe_conf()->webhook_secret,
                               (int64_t)time(NULL)) != STRIPE_SIGNATURE_GOOD)
        return vv_fail(req, 400, "invalid_signature", "Invalid signature");
    if (vv_parse(req, body, length, &value) < 0 || stripe_object_event(value, &event) < 0)
        return vv_fail(req, 400, "invalid_payload", "Invalid payload");
    VV_TRY(stripe_webhook_store(req, &event));
    reply = vv_object(req);
    vv_put(reply, "status", VV_TEXT("success"));
    return vv_reply(req, 200, reply);
}
