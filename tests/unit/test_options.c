/* Option values: each type's forms, bounds and refusals, and how they are written back. */
#include "config.h"
#include "options.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct vv_arena *arena;

static int64_t number(uint32_t type, const char *text)
{
    const struct vv_option option = {.type = type};
    int64_t value = -7;

    assert_null(vv_option_parse(arena, &option, text, &value));
    return value;
}

static const char *refusal(uint32_t type, int64_t min, int64_t max, const char *choices,
                           const char *text)
{
    const struct vv_option option = {.type = type, .min = min, .max = max, .choices = choices};
    struct vv_rate value; /* the largest member */
    const char *why = vv_option_parse(arena, &option, text, &value);

    return why == NULL ? "" : why;
}

static void numbers(void **state)
{
    (void)state;
    assert_int_equal(number(VV_OPTION_TYPE_INT, "-12"), -12);
    assert_int_equal(number(VV_OPTION_TYPE_SIZE, "512"), 512);
    assert_int_equal(number(VV_OPTION_TYPE_SIZE, "64K"), 65536);
    assert_int_equal(number(VV_OPTION_TYPE_SIZE, "2m"), 2 << 20);
    assert_int_equal(number(VV_OPTION_TYPE_DURATION, "500ms"), 500);
    assert_int_equal(number(VV_OPTION_TYPE_DURATION, "15m"), 900000);
    assert_int_equal(number(VV_OPTION_TYPE_DURATION, "30d"), 30ll * 86400000);
    assert_int_equal(number(VV_OPTION_TYPE_DURATION, "0"), 0);
    assert_string_equal(refusal(VV_OPTION_TYPE_INT, 4, 16, NULL, "17"),
                        "must be a whole number, from 4 to 16");
    assert_string_equal(refusal(VV_OPTION_TYPE_INT, 0, 0, NULL, "3.5"), "must be a whole number");
    assert_string_equal(refusal(VV_OPTION_TYPE_INT, 0, 0, NULL, "99999999999999999999"),
                        "must be a whole number");
    assert_string_equal(refusal(VV_OPTION_TYPE_DURATION, 100, 60000, NULL, "30"),
                        "must be a duration such as 500ms, 30s, 15m, 12h or 30d, from 100ms to 1m");
    assert_string_equal(refusal(VV_OPTION_TYPE_SIZE, 1024, 1 << 30, NULL, "8G"),
                        "must be a size such as 64K or 2M, from 1K to 1G");
    assert_string_equal(refusal(VV_OPTION_TYPE_SIZE, 0, 0, NULL, "9223372036854775807G"),
                        "must be a size such as 64K or 2M");
}

static void words(void **state)
{
    const struct vv_option flag = {.type = VV_OPTION_TYPE_BOOL};
    bool on = false;

    (void)state;
    assert_null(vv_option_parse(arena, &flag, "Yes", &on));
    assert_true(on);
    assert_null(vv_option_parse(arena, &flag, "off", &on));
    assert_false(on);
    assert_string_equal(vv_option_parse(arena, &flag, "maybe", &on),
                        "must be true or false (or on, off, yes, no)");
    assert_string_equal(refusal(VV_OPTION_TYPE_ENUM, 0, 0, "HS256|ES256|EdDSA", "HS25"),
                        "must be HS256, ES256 or EdDSA");
    assert_int_equal(vv_option_choice("HS256|ES256", "ES256", 5), 1);
}

static void rates(void **state)
{
    struct vv_rate rate;

    (void)state;
    assert_true(vv_rate_parse("600/m", &rate));
    assert_int_equal(rate.count, 600);
    assert_int_equal(rate.period, 60000);
    assert_true(vv_rate_parse("off", &rate));
    assert_int_equal(rate.count, 0);
    assert_false(vv_rate_parse("600", &rate));
    assert_false(vv_rate_parse("0/m", &rate));
    assert_false(vv_rate_parse("-1/m", &rate));
    assert_false(vv_rate_parse("1/minute", &rate));
}

static void lists(void **state)
{
    const struct vv_option option = {.type = VV_OPTION_TYPE_LIST};
    const char *const *list;

    (void)state;
    assert_null(vv_option_parse(arena, &option, " a, b b,\n,c\nd ", &list));
    assert_string_equal(list[0], "a");
    assert_string_equal(list[1], "b b");
    assert_string_equal(list[2], "c");
    assert_string_equal(list[3], "d");
    assert_null(list[4]);
    assert_string_equal(vv_option_format(arena, &option, &list), "a,\nb b,\nc,\nd");
    assert_null(vv_option_parse(arena, &option, "", &list));
    assert_null(list[0]);
}

static void continued_lines(void **state)
{
    const struct vv_option text = {.type = VV_OPTION_TYPE_TEXT};
    const struct vv_option secret = {.type = VV_OPTION_TYPE_TEXT, .flags = VV_SECRET};
    const char *value;

    (void)state;
    assert_null(vv_option_parse(arena, &text, "a long\nstory", &value));
    assert_string_equal(value, "a long story");
    assert_null(vv_option_parse(arena, &secret, "\nabc\ndef", &value));
    assert_string_equal(value, "abcdef");
    assert_null(vv_option_parse(arena, &text, "", &value));
    assert_null(value);
}

static const char *masked(const char *url)
{
    const struct vv_option option = {.type = VV_OPTION_TYPE_URL, .flags = VV_SECRET};

    return vv_option_format(arena, &option, &url);
}

static void urls(void **state)
{
    (void)state;
    assert_string_equal(refusal(VV_OPTION_TYPE_URL, 0, 0, "http|https", "ftp://a"),
                        "must be a URL that begins with http or https and '://'");
    assert_string_equal(refusal(VV_OPTION_TYPE_URL, 0, 0, NULL, "https://"),
                        "must be a URL with a host after '://'");
    assert_string_equal(refusal(VV_OPTION_TYPE_URL, 0, 0, NULL, "https:///path"),
                        "must be a URL with a host after '://'");
    assert_string_equal(refusal(VV_OPTION_TYPE_URL, 0, 0, NULL, "https://a b"),
                        "must be a URL, which has no spaces");
    assert_string_equal(refusal(VV_OPTION_TYPE_URL, 0, 0, "postgresql", "postgresql:///vv"), "");
    assert_string_equal(masked("postgresql://u:p@ss@h:5432/d?x=1"),
                        "postgresql://u:********@h:5432/d?x=1");
    assert_string_equal(masked("postgresql://h/d?user=u&password=p&sslpassword=q#f"),
                        "postgresql://h/d?user=u&password=********&sslpassword=********#f");
    assert_string_equal(masked("postgresql://u@h:5432/d"), "postgresql://u@h:5432/d");
    assert_string_equal(masked("postgresql:///vvserver"), "postgresql:///vvserver");
}

static void written_back(void **state)
{
    const struct vv_option duration = {.type = VV_OPTION_TYPE_DURATION};
    const struct vv_option size = {.type = VV_OPTION_TYPE_SIZE};
    const struct vv_option choice = {.type = VV_OPTION_TYPE_ENUM, .choices = "a|bc|d"};
    const struct vv_option rate = {.type = VV_OPTION_TYPE_RATE};
    const struct vv_option secret = {.type = VV_OPTION_TYPE_TEXT, .flags = VV_SECRET};
    const struct vv_rate hourly = {5, 3600000};
    const char *text = "hush";
    int64_t value = 90000;

    (void)state;
    assert_string_equal(vv_option_format(arena, &duration, &value), "90s");
    value = 3 << 20;
    assert_string_equal(vv_option_format(arena, &size, &value), "3M");
    value = 1;
    assert_string_equal(vv_option_format(arena, &choice, &value), "bc");
    assert_string_equal(vv_option_format(arena, &rate, &hourly), "5/h");
    assert_string_equal(vv_option_format(arena, &secret, &text), "********");
    text = NULL;
    assert_null(vv_option_format(arena, &secret, &text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),      cmocka_unit_test(words),           cmocka_unit_test(rates),
        cmocka_unit_test(lists),        cmocka_unit_test(continued_lines), cmocka_unit_test(urls),
        cmocka_unit_test(written_back),
    };
    int failed;

    arena = vv_arena_new();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    vv_arena_free(arena);
    return failed;
}
