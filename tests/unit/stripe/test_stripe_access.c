/* The table of states, and what is read out of Stripe's objects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "inbound.h"
#include "plugin.h"
#include "request.h"

#define SECOND INT64_C(1000000)
#define DAY    (86400 * SECOND)
#define START  (INT64_C(1760000000) * SECOND)
#define END    (START + 30 * DAY)

static struct stripe_conf conf = {.past_due_grace = 3 * 86400000, .renewal_grace = 86400000};
static struct vv_self test_self = {.name = "stripe"};
static struct vv_request *req;

static int setup(void **state)
{
    (void)state;
    vv_host_fill(&test_self);
    test_self.conf = &conf;
    vv_host = &test_self.host;
    req = vv_request_new(VV_UNIT_COMMAND, &test_self, "test", 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    vv_request_end(req);
    return 0;
}

static struct stripe_sub subscription(const char *status)
{
    return (struct stripe_sub){.subscription = "sub_1",
                               .customer = "cus_1",
                               .status = status,
                               .price = "price_1",
                               .anchor = START,
                               .created_at = START,
                               .period_start = START,
                               .period_end = END};
}

static void access_by_state(void **state)
{
    static const struct {
        const char *status;
        int64_t until;
        bool live, ended;
    } rows[] = {
        {"active", END + DAY, true, false},
        {"trialing", END + DAY, true, false},
        {"past_due", START + 3 * DAY, true, false},
        {"unpaid", 0, false, false},
        {"paused", 0, false, false},
        {"incomplete", 0, false, false},
        {"canceled", 0, false, true},
        {"incomplete_expired", 0, false, true},
        {"something_new", 0, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stripe_sub row = subscription(rows[i].status);

        assert_int_equal(stripe_access_until(&row), rows[i].until);
        assert_int_equal(stripe_access_live(row.status), rows[i].live);
        assert_int_equal(stripe_access_ended(row.status), rows[i].ended);
        row.revoked = "disputed";
        assert_int_equal(stripe_access_until(&row), 0);
    }
}

static void access_that_ends(void **state)
{
    struct stripe_sub row = subscription("active");

    (void)state;
    assert_int_equal(stripe_access_ends_at(&row), 0);
    row.cancel_at_period_end = true;
    assert_int_equal(stripe_access_ends_at(&row), END);
    assert_int_equal(stripe_access_until(&row), END);
    row.cancel_at = START + DAY;
    assert_int_equal(stripe_access_until(&row), START + DAY);
    row.status = "past_due";
    assert_int_equal(stripe_access_until(&row), START + DAY);
    row.status = "canceled";
    assert_int_equal(stripe_access_until(&row), 0);
}

static void unknown_price(void **state)
{
    struct stripe_sub row = subscription("active");
    struct vv_access access;

    (void)state;
    stripe_access_of(&row, START, &access);
    assert_int_equal(access.granted, 0);
    assert_string_equal(access.plan_id, "");
    assert_string_equal(access.status, "active");
    assert_int_equal(access.anchor, START);
}

static const struct vv_value *parse(const char *text)
{
    const struct vv_value *value;

    assert_int_equal(vv_parse(req, text, strlen(text), &value), 0);
    return value;
}

static void both_shapes(void **state)
{
    struct stripe_sub row;

    (void)state;
    assert_int_equal(
        stripe_object_subscription(
            parse("{\"id\":\"sub_1\",\"customer\":\"cus_1\",\"status\":\"active\",\"created\":5,"
                  "\"current_period_start\":7,\"current_period_end\":9,"
                  "\"items\":{\"data\":[{\"id\":\"si_1\",\"price\":{\"id\":\"price_1\"}}]}}"),
            &row),
        0);
    assert_int_equal(row.period_start, 7 * SECOND);
    assert_int_equal(row.period_end, 9 * SECOND);
    assert_int_equal(row.anchor, 5 * SECOND);
    assert_string_equal(row.price, "price_1");
    assert_int_equal(
        stripe_object_subscription(
            parse("{\"id\":\"sub_1\",\"customer\":{\"id\":\"cus_1\"},\"status\":\"active\","
                  "\"created\":5,\"start_date\":6,\"cancel_at\":11,\"items\":{\"data\":["
                  "{\"price\":\"price_2\",\"current_period_start\":8,\"current_period_end\":10}]}"
                  "}"),
            &row),
        0);
    assert_int_equal(row.period_start, 8 * SECOND);
    assert_int_equal(row.period_end, 10 * SECOND);
    assert_int_equal(row.cancel_at, 11 * SECOND);
    assert_int_equal(row.anchor, 6 * SECOND);
    assert_string_equal(row.customer, "cus_1");
    assert_string_equal(row.price, "price_2");
    assert_int_equal(stripe_object_subscription(parse("{\"id\":\"sub_1\"}"), &row), VV_EINVAL);
}

static void envelope(void **state)
{
    struct stripe_event event;

    (void)state;
    assert_int_equal(
        stripe_object_event(
            parse(
                "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"customer.deleted\","
                "\"created\":5,\"data\":{\"object\":{\"id\":\"cus_1\",\"object\":\"customer\"}}}"),
            &event),
        0);
    assert_string_equal(event.customer, "cus_1");
    assert_int_equal(event.created, 5 * SECOND);
    assert_int_equal(
        stripe_object_event(parse("{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"new.thing\","
                                  "\"created\":5,\"data\":{\"object\":{\"object\":\"thing\"}}}"),
                            &event),
        0);
    assert_null(event.customer);
    assert_null(event.object_id);
    assert_int_equal(stripe_object_event(parse("{}"), &event), VV_EINVAL);
    assert_int_equal(stripe_object_event(parse("{\"id\":\"evt_1\",\"object\":\"event\"}"), &event),
                     VV_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(access_by_state), cmocka_unit_test(access_that_ends),
        cmocka_unit_test(unknown_price),   cmocka_unit_test(both_shapes),
        cmocka_unit_test(envelope),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
