/* The table of states, and what is read out of Stripe's objects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "access.h"
#include "object.h"
#include "plugin.h"
#include "request.h"

#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)
#define START  (INT64_C(1760000000) * SECOND)
#define END    (START + 30 * DAY)

static const struct stripe_graces graces = {.past_due = 3 * 86400000, .renewal = 86400000};
static struct vv_self test_self = {.name = "stripe"};
static struct vv_request *req;

static int setup(void **state)
{
    (void)state;
    vv_host_fill(&test_self);
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

static struct stripe_state subscription(const char *status)
{
    return (struct stripe_state){.id = "sub_1",
                                 .customer = "cus_1",
                                 .status = status,
                                 .price = "price_1",
                                 .created = START,
                                 .period_start = START,
                                 .period_end = END};
}

static void access_by_state(void **state)
{
    static const struct {
        const char *status;
        int64_t until;
    } rows[] = {
        {"active", END + DAY}, {"trialing", END + DAY},      {"past_due", START + 3 * DAY},
        {"canceled", 0},       {"unpaid", 0},                {"paused", 0},
        {"incomplete", 0},     {"incomplete_expired", 0},    {"something_new", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stripe_state row = subscription(rows[i].status);

        assert_int_equal(stripe_access_until(&row, &graces), rows[i].until);
    }
}

static void access_that_ends(void **state)
{
    struct stripe_state row = subscription("active");

    (void)state;
    row.cancel_at_period_end = true;
    assert_int_equal(stripe_access_ends_at(&row), END);
    assert_int_equal(stripe_access_until(&row, &graces), END);
    row.cancel_at = START + DAY;
    assert_int_equal(stripe_access_until(&row, &graces), START + DAY);
    row.status = "past_due";
    assert_int_equal(stripe_access_until(&row, &graces), START + DAY);
    row.status = "canceled";
    assert_int_equal(stripe_access_until(&row, &graces), 0);
}

static void better_one(void **state)
{
    struct stripe_state old = subscription("active"), new = subscription("active");

    (void)state;
    new.id = "sub_2";
    new.created += DAY;
    assert_true(stripe_access_better(&old, &new));
    assert_false(stripe_access_better(&new, &old));
    old.status = "canceled";
    assert_true(stripe_access_better(&new, &old));
    assert_false(stripe_access_better(&old, &new));
    new.status = "canceled"; /* both ended: the later */
    assert_true(stripe_access_better(&new, &old));
    new.status = "incomplete_expired";
    new.created = old.created;
    assert_true(stripe_access_better(&old, &new));
    assert_false(stripe_access_better(&new, &old));
}

static const struct vv_value *parse(const char *text)
{
    const struct vv_value *value;

    assert_int_equal(vv_parse(req, text, strlen(text), &value), 0);
    return value;
}

static void both_shapes(void **state)
{
    struct stripe_state row;

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
    assert_string_equal(row.price, "price_1");
    assert_int_equal(
        stripe_object_subscription(
            parse("{\"id\":\"sub_1\",\"customer\":{\"id\":\"cus_1\"},\"status\":\"active\","
                  "\"created\":5,\"cancel_at\":11,\"items\":{\"data\":[{\"price\":\"price_2\","
                  "\"current_period_start\":8,\"current_period_end\":10}]}}"),
            &row),
        0);
    assert_int_equal(row.period_start, 8 * SECOND);
    assert_int_equal(row.period_end, 10 * SECOND);
    assert_int_equal(row.cancel_at, 11 * SECOND);
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
            parse("{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"customer.deleted\","
                  "\"created\":5,\"data\":{\"object\":{\"id\":\"cus_1\",\"object\":\"customer\"}}}"),
            &event),
        0);
    assert_string_equal(event.customer, "cus_1");
    assert_int_equal(event.created, 5 * SECOND);
    assert_int_equal(
        stripe_object_event(
            parse("{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"new.thing\","
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
        cmocka_unit_test(better_one),      cmocka_unit_test(both_shapes),
        cmocka_unit_test(envelope),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
