/* Plans: the sections that operators write, checked, told to other plugins and to everybody. */
#include "plans.h"

#include <stdlib.h>
#include <strings.h>

static struct {
    struct stripe_plan *plans;
    size_t count;
} catalogue;

/* ---- reading sections -------------------------------------------------------------------------
 */

/* As Stripe counts them, not ISO 4217: there are amounts in its API for these only. */
int stripe_currency_digits(const char *currency)
{
    static const char whole[] = " bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf ";
    static const char thousandths[] = " bhd jod kwd omr tnd ";
    char word[8];

    snprintf(word, sizeof word, " %.3s ", currency);
    if (strstr(whole, word) != NULL)
        return 0;
    return strstr(thousandths, word) != NULL ? 3 : 2;
}

/* "19.99" in the smallest unit; -1: it is no such amount. */
static int64_t plan_amount(const char *text, int digits)
{
    size_t whole = strspn(text, "0123456789"), length = strlen(text), fraction = 0;
    int64_t amount = 0;

    if (whole < length) {
        fraction = strspn(text + whole + 1, "0123456789");
        if (text[whole] != '.' || fraction == 0 || whole + 1 + fraction != length)
            return -1;
    }
    if (whole == 0 || whole > 12 || fraction > (size_t)digits)
        return -1;
    for (; *text != '\0'; text++)
        if (*text != '.')
            amount = amount * 10 + (*text - '0');
    for (; fraction < (size_t)digits; fraction++)
        amount *= 10;
    return amount;
}

static const char *plan_read_price(const struct plan_section *section, struct stripe_plan *plan)
{
    int64_t unit = 1;
    int digits, i;

    if (strlen(section->currency) != 3 ||
        strspn(section->currency, "abcdefghijklmnopqrstuvwxyz") != 3)
        return "currency must be three small letters such as usd";
    digits = stripe_currency_digits(section->currency);
    plan->amount = plan_amount(section->price, digits);
    if (plan->amount < 0)
        return "price must be an amount such as 19.99, with no more digits than its currency has";
    for (i = 0; i < digits; i++)
        unit *= 10;
    plan->price = (double)plan->amount / (double)unit; /* one division: 19.99 stays 19.99 */
    return NULL;
}

static const char *plan_read_calls(const char *text, int64_t *ret_calls)
{
    size_t length = strlen(text);

    *ret_calls = VV_UNLIMITED;
    if (strcmp(text, "unlimited") == 0)
        return NULL;
    if (length == 0 || length > 15 || strspn(text, "0123456789") != length)
        return "api_calls must be a whole number, or unlimited";
    *ret_calls = strtoll(text, NULL, 10);
    return NULL;
}

const char *stripe_plan_read(const char *id, const struct plan_section *section,
                             struct stripe_plan *ret_plan)
{
    static const char *const none[] = {NULL};
    const char *const *former;
    const char *why;

    *ret_plan = (struct stripe_plan){
        .plan = {.size = sizeof ret_plan->plan, .id = id, .name = section->name},
        .price_id = section->price_id,
        .former_price_ids = section->former_price_ids == NULL ? none : section->former_price_ids,
        .currency = section->currency,
        .interval = section->interval == 0 ? "month" : "year",
        .features = section->features == NULL ? none : section->features,
        .trial_days = section->trial_days,
        .popular = section->popular,
    };
    why = plan_read_price(section, ret_plan);
    if (why == NULL)
        why = plan_read_calls(section->api_calls, &ret_plan->plan.api_calls);
    if (why == NULL && !stripe_id_ok(section->price_id))
        why = "price_id must be the id of a price in Stripe, such as price_1A2b3C";
    for (former = ret_plan->former_price_ids; why == NULL && *former != NULL; former++)
        if (!stripe_id_ok(*former))
            why = "former_price_ids must be ids of prices in Stripe";
    return why;
}

/* Which plan a price means must never be in doubt, nor which one an id means. */
static int plans_check_twins(struct vv_request *req, const struct stripe_plan *plan)
{
    const char *const *former = plan->former_price_ids;
    const struct stripe_plan *twin = stripe_plan_by_id(plan->plan.id);
    const char *price = plan->price_id;

    if (twin != NULL)
        return vv_fail(req, 500, "bad_plan", "[plan:%s] and [plan:%s] differ only in letter case",
                       twin->plan.id, plan->plan.id);
    for (; price != NULL; price = *former++) {
        twin = stripe_plan_by_price(price);
        if (twin != NULL)
            return vv_fail(req, 500, "bad_plan", "[plan:%s] and [plan:%s] have the same price %s",
                           twin->plan.id, plan->plan.id, price);
    }
    return 0;
}

int stripe_plans_setup(struct vv_request *req)
{
    size_t count = vv_section_count("plan"), i;

    catalogue.plans = vv_alloc(req, (count + 1) * sizeof *catalogue.plans);
    catalogue.count = 0;
    for (i = 0; i < count; i++) {
        struct stripe_plan plan;
        const char *id, *why;
        const struct plan_section *section = vv_section("plan", i, &id);

        why = stripe_plan_read(id, section, &plan);
        if (why != NULL)
            return vv_fail(req, 500, "bad_plan", "[plan:%s] %s", id, why);
        VV_TRY(plans_check_twins(req, &plan));
        catalogue.plans[catalogue.count++] = plan;
    }
    if (count == 0)
        vv_log(req, VV_LOG_WARNING, "there is no plan to sell: write a section [plan:basic]");
    return 0;
}

/* ---- finding ----------------------------------------------------------------------------------
 */

size_t stripe_plan_count(void)
{
    return catalogue.count;
}

const struct stripe_plan *stripe_plan_at(size_t index)
{
    return index < catalogue.count ? &catalogue.plans[index] : NULL;
}

const struct stripe_plan *stripe_plan_by_id(const char *id)
{
    for (size_t i = 0; i < catalogue.count; i++)
        if (strcasecmp(catalogue.plans[i].plan.id, id) == 0)
            return &catalogue.plans[i];
    return NULL;
}

const struct stripe_plan *stripe_plan_by_price(const char *price)
{
    const char *const *former;

    for (size_t i = 0; i < catalogue.count; i++) {
        if (strcmp(catalogue.plans[i].price_id, price) == 0)
            return &catalogue.plans[i];
        for (former = catalogue.plans[i].former_price_ids; *former != NULL; former++)
            if (strcmp(*former, price) == 0)
                return &catalogue.plans[i];
    }
    return NULL;
}

const struct stripe_plan *stripe_plan_find(const char *text)
{
    const struct stripe_plan *plan;
    size_t i;

    for (i = 0; i < catalogue.count; i++)
        if (strcmp(catalogue.plans[i].price_id, text) == 0)
            return &catalogue.plans[i];
    plan = stripe_plan_by_id(text);
    for (i = 0; plan == NULL && i < catalogue.count; i++)
        if (strcasecmp(catalogue.plans[i].plan.name, text) == 0)
            plan = &catalogue.plans[i];
    return plan;
}

const struct stripe_plan *stripe_plan_pick(const char *text, const char *interval)
{
    const struct stripe_plan *named = stripe_plan_find(text), *plan;

    if (named == NULL || strcmp(named->interval, interval) == 0)
        return named;
    for (size_t i = 0; i < catalogue.count; i++) {
        plan = &catalogue.plans[i];
        if (strcasecmp(plan->plan.name, named->plan.name) == 0 &&
            strcmp(plan->interval, interval) == 0)
            return plan;
    }
    return NULL;
}

/* ---- telling ----------------------------------------------------------------------------------
 */

static const struct vv_plan *plans_at(size_t index)
{
    const struct stripe_plan *plan = stripe_plan_at(index);

    return plan == NULL ? NULL : &plan->plan;
}

static const struct vv_plan *plans_find(const char *id)
{
    const struct stripe_plan *plan = stripe_plan_by_id(id);

    return plan == NULL ? NULL : &plan->plan;
}

const struct vv_plans_service stripe_plans_service = {
    .base = {.size = sizeof(struct vv_plans_service), .major = 1},
    .count = stripe_plan_count,
    .at = plans_at,
    .find = plans_find,
};

static void plans_put(struct vv_json *json, const struct stripe_plan *plan)
{
    const char *const *feature;

    vv_open_object(json, NULL);
    vv_put(json, "id", VV_TEXT(plan->plan.id));
    vv_put(json, "name", VV_TEXT(plan->plan.name));
    vv_put(json, "price_id", VV_TEXT(plan->price_id));
    vv_put(json, "price", VV_REAL(plan->price));
    vv_put(json, "currency", VV_TEXT(plan->currency));
    vv_put(json, "interval", VV_TEXT(plan->interval));
    vv_put(json, "api_calls",
           plan->plan.api_calls == VV_UNLIMITED ? VV_NULL() : VV_INT(plan->plan.api_calls));
    vv_put(json, "trial_days", VV_INT(plan->trial_days));
    vv_put(json, "popular", VV_BOOL(plan->popular));
    vv_open_array(json, "features");
    for (feature = plan->features; *feature != NULL; feature++)
        vv_put(json, NULL, VV_TEXT(*feature));
    vv_close(json);
    vv_close(json);
}

int stripe_plans_get(struct vv_request *req)
{
    struct vv_json *json = vv_object(req);

    vv_open_array(json, "plans");
    for (size_t i = 0; i < catalogue.count; i++)
        plans_put(json, &catalogue.plans[i]);
    return vv_reply(req, 200, json);
}

int stripe_pricing_get(struct vv_request *req)
{
    struct vv_json *json = vv_array(req);

    for (size_t i = 0; i < catalogue.count; i++)
        plans_put(json, &catalogue.plans[i]);
    return vv_reply(req, 200, json);
}
