/* Sections of plans: amounts in every currency's smallest unit, and what makes no sense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "plans.h"

static struct plan_section section(const char *price, const char *currency)
{
    return (struct plan_section){
        .name = "Pro",
        .price_id = "price_1",
        .price = price,
        .currency = currency,
        .api_calls = "5000",
    };
}

static int64_t amount(const char *price, const char *currency)
{
    struct plan_section written = section(price, currency);
    struct stripe_plan plan;

    return stripe_plan_read("pro", &written, &plan) == NULL ? plan.amount : -1;
}

static void test_amounts(void **state)
{
    (void)state;
    assert_int_equal(amount("19.99", "usd"), 1999);
    assert_int_equal(amount("19.9", "usd"), 1990);
    assert_int_equal(amount("19", "usd"), 1900);
    assert_int_equal(amount("0", "usd"), 0);
    assert_int_equal(amount("0.01", "eur"), 1);
    assert_int_equal(amount("1200", "jpy"), 1200);
    assert_int_equal(amount("1.234", "kwd"), 1234);
    assert_int_equal(amount("999999999999", "usd"), INT64_C(99999999999900));
}

static void test_no_amounts(void **state)
{
    static const char *const bad[] = {"",    ".",     ".5", "5.", "1,5", "-1",    "+1",
                                      "1e3", "1.999", " 1", "1 ", "0x1", "1.2.3", "1000000000000"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(amount(bad[i], "usd"), -1);
    assert_int_equal(amount("1.5", "jpy"), -1);
    assert_int_equal(amount("1", "US"), -1);
    assert_int_equal(amount("1", "USD"), -1);
    assert_int_equal(amount("1", "us1"), -1);
}

static void test_price_is_exact(void **state)
{
    struct plan_section written = section("199.90", "usd");
    struct stripe_plan plan;

    (void)state;
    assert_null(stripe_plan_read("pro", &written, &plan));
    assert_true(plan.price == 199.90);
    written = section("19.99", "usd");
    assert_null(stripe_plan_read("pro", &written, &plan));
    assert_true(plan.price == 19.99);
}

static void test_calls(void **state)
{
    static const char *const bad[] = {"", "-1", "many", "1.5", "Unlimited", "1000000000000000"};
    struct plan_section written = section("1", "usd");
    struct stripe_plan plan;

    (void)state;
    assert_null(stripe_plan_read("pro", &written, &plan));
    assert_int_equal(plan.plan.api_calls, 5000);
    written.api_calls = "unlimited";
    assert_null(stripe_plan_read("pro", &written, &plan));
    assert_int_equal(plan.plan.api_calls, VV_UNLIMITED);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        written.api_calls = bad[i];
        assert_non_null(stripe_plan_read("pro", &written, &plan));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_amounts),
        cmocka_unit_test(test_no_amounts),
        cmocka_unit_test(test_price_is_exact),
        cmocka_unit_test(test_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
