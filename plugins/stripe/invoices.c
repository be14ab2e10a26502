/* Invoices: what Stripe has billed the caller, in our words. */
#include "stripe.h"

static double invoices_amount(int64_t amount, const char *currency)
{
    int64_t unit = 1;

    for (int digits = stripe_currency_digits(currency); digits > 0; digits--)
        unit *= 10;
    return (double)amount / (double)unit;
}

static void invoices_put(struct vv_json *json, const struct vv_value *invoice)
{
    const char *currency = vv_get_text(invoice, "currency");

    currency = currency == NULL ? "usd" : currency;
    vv_open_object(json, NULL);
    vv_put(json, "id", VV_TEXT(vv_get_text(invoice, "id")));
    vv_put(json, "number", VV_TEXT(vv_get_text(invoice, "number")));
    vv_put(json, "status", VV_TEXT(vv_get_text(invoice, "status")));
    vv_put(json, "amount", VV_REAL(invoices_amount(vv_get_int(invoice, "total", 0), currency)));
    vv_put(json, "currency", VV_TEXT(currency));
    vv_put(json, "created_at", VV_TIME(stripe_time_of(invoice, "created")));
    vv_put(json, "hosted_invoice_url", VV_TEXT(vv_get_text(invoice, "hosted_invoice_url")));
    vv_put(json, "pdf_url", VV_TEXT(vv_get_text(invoice, "invoice_pdf")));
    vv_close(json);
}

static int invoices_reply(struct vv_request *req, const struct vv_value *page)
{
    const struct vv_value *data = vv_get(page, "data");
    struct vv_json *json = vv_object(req);

    vv_open_array(json, "invoices");
    for (size_t i = 0; i < vv_count(data); i++)
        invoices_put(json, vv_at(data, i));
    vv_close(json);
    vv_put(json, "has_more", VV_BOOL(vv_get_bool(page, "has_more", false)));
    return vv_reply(req, 200, json);
}

int stripe_subscription_invoices(struct vv_request *req)
{
    const char *after = vv_param_text(req, "starting_after"), *customer;
    struct stripe_form *query = stripe_form(req);
    const struct vv_value *page;
    struct vv_rows *rows;
    int rc;

    if (after != NULL && !stripe_id_ok(after))
        return vv_fail_field(req, "starting_after", "is not the id of an invoice");
    VV_TRY(vv_query(req, &rows,
                    "select nullif(stripe_customer_id, '') as customer from users where id = $1",
                    VV_INT(vv_caller_id(req))));
    customer = vv_row_text(rows, 0, "customer");
    if (customer == NULL)
        return invoices_reply(req, NULL);
    stripe_form_text(query, "customer", customer);
    stripe_form_int(query, "limit", vv_param_int(req, "limit"));
    stripe_form_text(query, "starting_after", after);
    rc = stripe_get(req, "/v1/invoices", query, &page);
    if (rc < 0 && stripe_is_missing(page, "customer"))
        return invoices_reply(req, NULL);
    if (rc < 0 && stripe_is_missing(page, "starting_after"))
        return vv_fail_field(req, "starting_after", "is no invoice of yours");
    VV_TRY(rc);
    return invoices_reply(req, page);
}
