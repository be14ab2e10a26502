/* Parameters of Stripe's API: what is escaped, what is left out, and how they grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"
#include "request.h"
#include "stripe.h"

static struct vv_self self = {.name = "stripe"};
static struct vv_request *req;

static int setup(void **state)
{
    (void)state;
    vv_host_fill(&self);
    vv_host = &self.host;
    req = vv_request_new(VV_UNIT_COMMAND, &self, "test", 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    vv_request_end(req);
    return 0;
}

static void test_brackets(void **state)
{
    struct stripe_form *form = stripe_form(req);

    (void)state;
    stripe_form_text(form, "mode", "subscription");
    stripe_form_text(form, "line_items[0][price]", "price_1");
    stripe_form_int(form, "line_items[0][quantity]", -12);
    stripe_form_bool(form, "cancel_at_period_end", false);
    assert_string_equal(stripe_form_encoded(form),
                        "mode=subscription&line_items%5B0%5D%5Bprice%5D=price_1"
                        "&line_items%5B0%5D%5Bquantity%5D=-12&cancel_at_period_end=false");
}

static void test_escapes(void **state)
{
    struct stripe_form *form = stripe_form(req);

    (void)state;
    stripe_form_text(form, "name", "a b&c=d+e%f/Zo\xc3\xab~._-\n{X}");
    assert_string_equal(stripe_form_encoded(form),
                        "name=a%20b%26c%3Dd%2Be%25f%2FZo%C3%AB~._-%0A%7BX%7D");
}

static void test_absent_and_empty(void **state)
{
    struct stripe_form *form = stripe_form(req);

    (void)state;
    assert_string_equal(stripe_form_encoded(NULL), "");
    assert_string_equal(stripe_form_encoded(form), "");
    stripe_form_text(form, "absent", NULL);
    assert_string_equal(stripe_form_encoded(form), "");
    stripe_form_text(form, "cancel_at", "");
    stripe_form_text(form, "after", "x");
    assert_string_equal(stripe_form_encoded(form), "cancel_at=&after=x");
}

/* Every length around the points at which the text moves to larger memory. */
static void test_grows(void **state)
{
    char value[600];

    (void)state;
    for (size_t length = 1; length < sizeof value; length++) {
        struct stripe_form *form = stripe_form(req);

        memset(value, length % 2 == 0 ? 'a' : '&', length);
        value[length] = '\0';
        stripe_form_text(form, "k", "v");
        stripe_form_text(form, "n", value);
        assert_int_equal(strlen(stripe_form_encoded(form)),
                         strlen("k=v&n=") + length * (length % 2 == 0 ? 1 : 3));
    }
}

static void test_ids(void **state)
{
    char longest[257];

    (void)state;
    memset(longest, 'a', sizeof longest - 1);
    longest[255] = '\0';
    assert_true(stripe_id_ok("cus_A1b-2"));
    assert_true(stripe_id_ok(longest));
    longest[255] = 'a';
    longest[256] = '\0';
    assert_false(stripe_id_ok(longest));
    assert_false(stripe_id_ok(NULL));
    assert_false(stripe_id_ok(""));
    assert_false(stripe_id_ok("cus_1/../x"));
    assert_false(stripe_id_ok("cus_1?x=y"));
    assert_false(stripe_id_ok("cus 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_brackets),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_absent_and_empty),
        cmocka_unit_test(test_grows),
        cmocka_unit_test(test_ids),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
