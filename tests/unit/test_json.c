/* JSON: what is written, what is read, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "json.h"

static struct vv_request *begin(void)
{
    return vv_request_new(VV_UNIT_COMMAND, NULL, "test", 0);
}

static void written(void **state)
{
    struct vv_request *req = begin();
    struct vv_json *json = vv_json_new(req, VV_JSON_OBJECT);

    (void)state;
    vv_json_put(json, "int", VV_INT(INT64_MIN));
    vv_json_put(json, "real", VV_REAL(0.1));
    vv_json_put(json, "third", VV_REAL(1.0 / 3));
    vv_json_put(json, "money", VV_REAL(19.99));
    vv_json_put(json, "inf", VV_REAL(INFINITY));
    vv_json_put(json, "yes", VV_BOOL(true));
    vv_json_put(json, "none", VV_NULL());
    vv_json_put(json, "time", VV_TIME(1795372200000000));
    vv_json_put(json, "fine", VV_TIME(1795372200123456));
    vv_json_put(json, "bytes", VV_BYTES("\xff\xfe\x00!", 4));
    vv_json_put(json, "te\"xt", VV_TEXT("a\"\\\n\x01\xc3\xa9\xff"));
    vv_json_put(json, "spliced", VV_JSON("[1,2]"));
    vv_json_open(json, "list", VV_JSON_ARRAY);
    vv_json_put(json, "ignored", VV_INT(1));
    vv_json_open(json, NULL, VV_JSON_OBJECT);
    vv_json_put(json, "a", VV_INT(2));
    vv_json_close(json);
    vv_json_open(json, NULL, VV_JSON_OBJECT);
    assert_string_equal(
        vv_json_finish(json, NULL),
        "{\"int\":-9223372036854775808,\"real\":0.1,\"third\":0.3333333333333333,"
        "\"money\":19.99,\"inf\":null,\"yes\":true,\"none\":null,"
        "\"time\":\"2026-11-22T18:30:00Z\",\"fine\":\"2026-11-22T18:30:00.123456Z\","
        "\"bytes\":\"__4AIQ\","
        "\"te\\\"xt\":\"a\\\"\\\\\\n\\u0001\xc3\xa9\xef\xbf\xbd\","
        "\"spliced\":[1,2],\"list\":[1,{\"a\":2},{}]}");
    vv_json_put(json, "late", VV_INT(1)); /* nothing can be added to a finished one */
    vv_json_close(json);
    assert_null(strstr(vv_json_finish(json, NULL), "late"));
    vv_request_end(req);
}

static void read_values(void **state)
{
    static const char text[] = " {\"a\": null, \"b\": [1, -2.5, true, \"x\\u00e9\\ud83d\\ude00\"],"
                               " \"c\": {\"d\": 9223372036854775807}, \"e\": 1e3} ";
    struct vv_request *req = begin();
    const struct vv_value *value, *list;

    (void)state;
    assert_int_equal(vv_json_parse(req, text, sizeof text - 1, &value, NULL), 0);
    assert_int_equal(vv_value_kind(value), VV_TYPE_OBJECT);
    assert_int_equal(vv_value_length(value), 4);
    assert_non_null(vv_value_member(value, "a"));
    assert_int_equal(vv_value_kind(vv_value_member(value, "a")), VV_TYPE_NULL);
    assert_null(vv_value_member(value, "z"));
    list = vv_value_member(value, "b");
    assert_int_equal(vv_value_length(list), 4);
    assert_int_equal(vv_value_scalar(vv_value_element(list, 0)).integer, 1);
    assert_true(vv_param_real(vv_value_scalar(vv_value_element(list, 1))) == -2.5);
    assert_int_equal(vv_value_scalar(vv_value_element(list, 2)).type, VV_TYPE_BOOL);
    assert_string_equal(vv_value_scalar(vv_value_element(list, 3)).data,
                        "x\xc3\xa9\xf0\x9f\x98\x80");
    assert_null(vv_value_element(list, 4));
    assert_int_equal(vv_value_scalar(vv_value_member(vv_value_member(value, "c"), "d")).integer,
                     INT64_MAX);
    assert_string_equal(vv_value_text(req, value),
                        "{\"a\":null,\"b\":[1,-2.5,true,\"x\xc3\xa9\xf0\x9f\x98\x80\"],"
                        "\"c\":{\"d\":9223372036854775807},\"e\":1000}");
    vv_request_end(req);
}

static void scalars_alone(void **state)
{
    const char *const texts[] = {"null", "true", "12", "-0.5", "\"\"", "[]", "{}"};
    struct vv_request *req = begin();
    const struct vv_value *value;
    size_t i;

    (void)state;
    for (i = 0; i < VV_ARRAY_SIZE(texts); i++) {
        assert_int_equal(vv_json_parse(req, texts[i], strlen(texts[i]), &value, NULL), 0);
        assert_string_equal(vv_value_text(req, value), texts[i]);
    }
    vv_request_end(req);
}

static void refused(void **state)
{
    const char *const texts[] = {"",
                                 " ",
                                 "{",
                                 "[",
                                 "[1",
                                 "[1,]",
                                 "{\"a\":1,}",
                                 "{\"a\"}",
                                 "{\"a\":}",
                                 "{a:1}",
                                 "{'a':1}",
                                 "[1 2]",
                                 "1 2",
                                 "{} {}",
                                 "{}x",
                                 "nul",
                                 "True",
                                 "NaN",
                                 "Infinity",
                                 "-Infinity",
                                 "01",
                                 "1.",
                                 ".5",
                                 "+1",
                                 "-",
                                 "1e",
                                 "0x10",
                                 "1e999",
                                 "9223372036854775808",
                                 "\"",
                                 "\"\n\"",
                                 "\"\\x\"",
                                 "\"\\u12\"",
                                 "\"\\ud800\"",
                                 "\"\\ud800\\u0041\"",
                                 "\"\\udc00\"",
                                 "\"\xff\"",
                                 "\"\xc0\x80\"",
                                 "\"\xed\xa0\x80\"",
                                 "/* */1",
                                 "[1]//",
                                 "{\"a\":1,\"a\":2}",
                                 "{\"a\":1,\"\\u0061\":2}",
                                 "[{\"b\":{\"c\":1,\"c\":1}}]",
                                 "{\"a\\u0000b\":1}",
                                 "{\"a\\u0000\" : 1}",
                                 "{\"a\":1,\"a\\u0000x\":2}",
                                 "[,]",
                                 "{,}",
                                 ":",
                                 "[1:2]",
                                 "\xef\xbb\xbf{}"};
    struct vv_request *req = begin();
    const struct vv_value *value;
    const char *why;
    size_t i;

    (void)state;
    for (i = 0; i < VV_ARRAY_SIZE(texts); i++) {
        if (vv_json_parse(req, texts[i], strlen(texts[i]), &value, &why) != VV_EINVAL)
            print_error("taken: %s\n", texts[i]);
        assert_int_equal(vv_json_parse(req, texts[i], strlen(texts[i]), &value, &why), VV_EINVAL);
        assert_null(value);
        assert_non_null(why);
    }
    assert_int_equal(vv_json_parse(req, "\"a\0b\"", 5, &value, &why), VV_EINVAL);
    assert_int_equal(vv_json_parse(req, "1\0", 2, &value, &why), VV_EINVAL);
    vv_request_end(req);
}

/* A NUL in a text is for the schema to refuse; one in a value's colon must not look like a name. */
static void escaped_nul(void **state)
{
    static const char text[] = "{\"a\":\"x\\u0000:y\"}";
    struct vv_request *req = begin();
    const struct vv_value *value;

    (void)state;
    assert_int_equal(vv_json_parse(req, text, sizeof text - 1, &value, NULL), 0);
    assert_int_equal(vv_value_scalar(vv_value_member(value, "a")).length, 4);
    vv_request_end(req);
}

static void levels(void **state)
{
    struct vv_request *req = begin();
    const struct vv_value *value;
    char text[80];

    (void)state;
    memset(text, '[', 40);
    memset(text + 40, ']', 40);
    assert_int_equal(vv_json_parse(req, text + 8, 64, &value, NULL), 0);
    assert_int_equal(vv_json_parse(req, text + 7, 66, &value, NULL), VV_EINVAL);
    vv_request_end(req);
}

/* Random changes: whatever is taken reads back as what was written. */
static void mutations(void **state)
{
    static const char seed[] = "{\"a\":[1,2.5,\"x\\n\\u00e9\",null],\"b\":{\"c\":true,\"d\":-1e2}}";
    static const char parts[] = "{}[]:,\"\\u0019.eE+-truefalsn \xc3\xa9\x01";
    int round, i, taken = 0;

    (void)state;
    srand(11);
    for (round = 0; round < 100000; round++) {
        struct vv_request *req = begin();
        const struct vv_value *value, *again;
        const char *once;
        char text[sizeof seed];

        memcpy(text, seed, sizeof seed);
        for (i = rand() % 3; i >= 0; i--)
            text[(size_t)rand() % (sizeof seed - 1)] = parts[(size_t)rand() % (sizeof parts - 1)];
        if (vv_json_parse(req, text, sizeof seed - 1, &value, NULL) == 0) {
            taken++;
            once = vv_value_text(req, value);
            assert_int_equal(vv_json_parse(req, once, strlen(once), &again, NULL), 0);
            assert_string_equal(vv_value_text(req, again), once);
        }
        vv_request_end(req);
    }
    assert_true(taken > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written),   cmocka_unit_test(read_values), cmocka_unit_test(scalars_alone),
        cmocka_unit_test(refused),   cmocka_unit_test(escaped_nul), cmocka_unit_test(levels),
        cmocka_unit_test(mutations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
