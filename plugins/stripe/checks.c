/* vvctl doctor: whether Stripe lets us in, tells us what happens, and sells what we think it does.
 */
#include "inbound.h"

#include <inttypes.h>

static const char *checks_said(const struct vv_value *error)
{
    const char *message = vv_get_text(error, "message");

    return message == NULL ? "no reason was given" : message;
}

static int checks_keys(struct vv_request *req)
{
    struct stripe_form *query = stripe_form(req);
    const char *key = stripe_conf()->secret_key;
    const struct vv_value *answer;
    int rc;

    stripe_form_int(query, "limit", 1);
    rc = stripe_get(req, "/v1/prices", query, &answer);
    if (rc == VV_EFAIL && answer != NULL)
        return vv_fail(req, 503, "stripe_refuses", "[stripe] secret_key: %s", checks_said(answer));
    if (rc < 0)
        return rc;
    if (strncmp(key, "sk_test_", 8) == 0 || strncmp(key, "rk_test_", 8) == 0)
        vv_print(req, "a key of the test mode: nobody pays real money");
    return 0;
}

/* ---- do events reach us -----------------------------------------------------------------------
 */

static int checks_reachable(struct vv_request *req, const char *url)
{
    struct vv_http_call call = VV_HTTP_CALL("POST", url);
    struct vv_http_answer *answer;

    call.body = "{}";
    call.body_length = 2;
    call.content_type = "application/json";
    call.attempts = 1;
    if (vv_http_call(req, &call, &answer) < 0)
        return vv_fail(req, 503, "webhook_unreachable",
                       "%s cannot be reached from here; is [server] public_url right?", url);
    /* An event without a signature: only our own handler answers it so. */
    if (vv_answer_status(answer) != 400)
        return vv_fail(req, 503, "webhook_elsewhere",
                       "%s answers %u, which is not what this server's webhook says to an event "
                       "without a signature",
                       url, (unsigned)vv_answer_status(answer));
    return 0;
}

struct checks_endpoint {
    const char *url;
    bool found;
};

static int checks_endpoint(struct vv_request *req, const struct vv_value *object, void *arg)
{
    struct checks_endpoint *endpoint = arg;
    const char *url = vv_get_text(object, "url"), *status = vv_get_text(object, "status");

    (void)req;
    if (url != NULL && status != NULL && strcmp(url, endpoint->url) == 0 &&
        strcmp(status, "enabled") == 0)
        endpoint->found = true;
    return 0;
}

static int checks_webhook(struct vv_request *req)
{
    const char *base = vv_server_option("public_url");
    struct checks_endpoint endpoint = {.found = false};
    size_t length = base == NULL ? 0 : strlen(base);

    if (stripe_conf()->webhook_secret == NULL || stripe_conf()->webhook_secret[0] == NULL)
        return vv_fail(req, 503, "no_webhook_secret",
                       "[stripe] webhook_secret is not set: no event is taken");
    if (length == 0) {
        vv_print(req, "[server] public_url is not set: whether events reach us is not known");
        return 0;
    }
    length -= base[length - 1] == '/';
    endpoint.url = vv_printf(req, "%.*s/webhooks/stripe", (int)length, base);
    VV_TRY(checks_reachable(req, endpoint.url));
    VV_TRY(stripe_each(req, "/v1/webhook_endpoints", stripe_form(req), checks_endpoint, &endpoint));
    if (!endpoint.found)
        vv_print(req, "Stripe has no enabled endpoint %s (`stripe listen` needs none)",
                 endpoint.url);
    return 0;
}

/* ---- is sold what we think --------------------------------------------------------------------
 */

static int checks_price(struct vv_request *req, const struct stripe_plan *plan)
{
    const struct vv_value *price;
    const char *currency, *interval;
    int64_t amount;
    int rc = stripe_get(req, vv_printf(req, "/v1/prices/%s", plan->price_id), NULL, &price);

    if (rc < 0 && stripe_is_missing(price, NULL))
        return vv_fail(req, 503, "no_price", "[plan:%s] price_id: Stripe has no price %s",
                       plan->plan.id, plan->price_id);
    if (rc < 0)
        return rc;
    amount = vv_get_int(price, "unit_amount", -1);
    currency = vv_get_text(price, "currency");
    interval = vv_get_text(vv_get(price, "recurring"), "interval");
    if (amount != plan->amount || currency == NULL || strcmp(currency, plan->currency) != 0)
        return vv_fail(req, 503, "other_price",
                       "[plan:%s] price: %s is %" PRId64 " %s at Stripe (in the smallest unit), "
                       "and %" PRId64 " %s here",
                       plan->plan.id, plan->price_id, amount, currency == NULL ? "?" : currency,
                       plan->amount, plan->currency);
    if (interval == NULL || strcmp(interval, plan->interval) != 0)
        return vv_fail(req, 503, "other_interval",
                       "[plan:%s] interval: %s is paid every %s at Stripe, every %s here",
                       plan->plan.id, plan->price_id, interval == NULL ? "?" : interval,
                       plan->interval);
    if (!vv_get_bool(price, "active", false))
        return vv_fail(req, 503, "archived_price",
                       "[plan:%s] price_id: %s is archived at Stripe: nobody can buy it",
                       plan->plan.id, plan->price_id);
    return 0;
}

static int checks_plans(struct vv_request *req)
{
    for (size_t i = 0; i < stripe_plan_count(); i++)
        VV_TRY(checks_price(req, stripe_plan_at(i)));
    if (stripe_plan_count() == 0)
        vv_print(req, "there is no [plan:...] section: nothing is sold");
    return 0;
}

static int checks_unknown(struct vv_request *req)
{
    struct vv_rows *rows;

    VV_TRY(vv_query_slow(req, &rows,
                         "select stripe_price_id as price, count(*) as count from subscriptions"
                         " where status in ('active', 'trialing', 'past_due')"
                         " and stripe_price_id is not null group by 1 order by 2 desc"));
    for (size_t row = 0; row < vv_rows_count(rows); row++) {
        const char *price = vv_row_text(rows, row, "price");

        if (stripe_plan_by_price(price) == NULL)
            return vv_fail(req, 503, "unknown_price",
                           "%lld people pay for price %s, which no plan knows: they have no "
                           "access. Add it as price_id or to former_price_ids of a plan",
                           (long long)vv_row_int(rows, row, "count"), price);
    }
    return 0;
}

const struct vv_check stripe_checks[] = {
    VV_CHECK("stripe", 0, "Stripe can be reached and takes our key", checks_keys),
    VV_CHECK("stripe-webhook", 0, "Events of Stripe reach us", checks_webhook),
    VV_CHECK("stripe-plans", 0, "Every plan's price is at Stripe as we say", checks_plans),
    VV_CHECK("stripe-prices", 0, "Everybody who pays pays for a plan", checks_unknown),
    VV_END,
};
