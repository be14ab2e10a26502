/* Schemas: every bad field is named at once, and what passes is checked, trimmed and complete. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "schema.h"

static const struct vv_field item_fields[] = {
    VV_FIELD_TEXT("name", 1, 5, VV_REQUIRED, "A name"),
    VV_FIELD_INT("n", 1, 10, 0, "A number", .value = "3"),
    VV_END,
};

static const struct vv_field all_fields[] = {
    VV_FIELD_TEXT("text", 2, 4, VV_REQUIRED | VV_TRIMMED | VV_ONE_LINE, "A text"),
    VV_FIELD_TEXT("free", 0, 0, VV_NULLABLE, "Any text"),
    VV_FIELD_INT("int", -5, 5, 0, "A number"),
    VV_FIELD_REAL("real", 0, 1, 0, "A real number"),
    VV_FIELD_BOOL("bool", 0, "Yes or no"),
    VV_FIELD_EMAIL("email", 0, "An address"),
    VV_FIELD_ENUM("enum", "a|bc", 0, "A choice"),
    VV_FIELD_TIME("time", 0, "A time"),
    VV_FIELD_OBJECT("object", item_fields, 0, "An item"),
    {.type = VV_FIELD_TYPE_ARRAY, .name = "items", .max = 3, .fields = item_fields},
    VV_FIELD_ARRAY("any", NULL, 0, "Anything"),
    VV_FIELD_TEXT("def", 1, 10, 0, "With a default", .value = "dflt"),
    VV_END,
};

/* What the check makes of it: the checked object as text, or the errors. */
static void expect(const struct vv_field *fields, const char *body, const char *wanted)
{
    struct vv_request *req = vv_request_new(VV_UNIT_COMMAND, NULL, "test", 0);
    const struct vv_value *value, *checked;
    const char *got;

    assert_int_equal(vv_json_parse(req, body, strlen(body), &value, NULL), 0);
    checked = vv_schema_check(req, fields, value);
    got = checked != NULL ? vv_value_text(req, checked) : req->problem.fields.data;
    if (strcmp(got, wanted) != 0)
        print_error("%s\n", body);
    assert_string_equal(got, wanted);
    if (checked == NULL) {
        assert_int_equal(req->problem.status, 422);
        assert_string_equal(req->problem.code, "validation_failed");
    }
    vv_request_end(req);
}

#define BAD(field, why) "{\"field\":\"" field "\",\"detail\":\"" why "\"}"

static void passes(void **state)
{
    (void)state;
    expect(all_fields, "{\"text\":\"ab\"}", "{\"text\":\"ab\",\"def\":\"dflt\"}");
    expect(all_fields, "{\"text\":\" \\t\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\\n \",\"free\":null}",
           "{\"text\":\"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\",\"def\":\"dflt\"}");
    expect(all_fields,
           "{\"def\":\"x\",\"any\":[1,{\"a\":[]}],\"items\":[{\"name\":\"a\"},{\"n\":5.0,\"name\":"
           "\"b\"}],"
           "\"object\":{\"name\":\"c\",\"n\":10},\"time\":\"2024-02-29T23:59:60.5+01:00\",\"enum\":"
           "\"bc\","
           "\"email\":\" a@b.de "
           "\",\"bool\":false,\"real\":1,\"int\":-5,\"free\":\"\\n\",\"text\":\"ab\"}",
           "{\"text\":\"ab\",\"free\":\"\\n\",\"int\":-5,\"real\":1,\"bool\":false,\"email\":\"a@b."
           "de\","
           "\"enum\":\"bc\",\"time\":\"2024-02-29T23:59:60.5+01:00\",\"object\":{\"name\":\"c\","
           "\"n\":10},"
           "\"items\":[{\"name\":\"a\",\"n\":3},{\"name\":\"b\",\"n\":5}],\"any\":[1,{\"a\":[]}],"
           "\"def\":\"x\"}");
}

static void names_every_fault(void **state)
{
    (void)state;
    expect(all_fields, "{}", BAD("text", "This is required"));
    expect(all_fields,
           "{\"text\":1,\"int\":\"1\",\"real\":true,\"bool\":0,\"email\":\"x\",\"enum\":\"b\","
           "\"time\":\"now\","
           "\"object\":[],\"items\":{},\"zzz\":1,\"free\":[]}",
           BAD("zzz", "There is no such field here") "," BAD("text", "This must be a text") "," BAD("free", "This must be a text") "," BAD("int", "This must be a whole number") "," BAD(
               "real",
               "This must "
               "be a "
               "number") "," BAD("bool",
                                 "This must be true or false") "," BAD("email",
                                                                       "This must be an e-mail "
                                                                       "address") "," BAD("enum",
                                                                                          "This "
                                                                                          "must be "
                                                                                          "one of: "
                                                                                          "a, "
                                                                                          "bc") "," BAD("time",
                                                                                                        "This must be a time such as 2026-01-31T12:00:00Z") "," BAD("object",
                                                                                                                                                                    "This must be an object") "," BAD("items",
                                                                                                                                                                                                      "This must be a list"));
    expect(all_fields, "{\"text\":null}", BAD("text", "This must be a text"));
    expect(all_fields, "{\"text\":\"  \"}", BAD("text", "This must not be empty"));
    expect(all_fields, "{\"text\":\"a\"}", BAD("text", "This must have at least 2 characters"));
    expect(all_fields, "{\"text\":\"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9x\"}",
           BAD("text", "This must have at most 4 characters"));
    expect(all_fields, "{\"text\":\"a\\u0000b\"}",
           BAD("text", "This must not hold a NUL character"));
    expect(all_fields, "{\"text\":\"a\\u0085b\"}",
           BAD("text", "This must not hold control characters or line breaks"));
    expect(all_fields, "{\"text\":\"ab\",\"int\":6}", BAD("int", "This must be between -5 and 5"));
    expect(all_fields, "{\"text\":\"ab\",\"int\":1.5}", BAD("int", "This must be a whole number"));
    expect(all_fields, "{\"text\":\"ab\",\"real\":1.01}",
           BAD("real", "This must be between 0 and 1"));
    expect(all_fields, "{\"text\":\"ab\",\"any\":[{\"a\":\"\\u0000\"}]}",
           BAD("any", "This must not hold a NUL character"));
}

static void names_nested_faults(void **state)
{
    (void)state;
    expect(all_fields, "{\"text\":\"ab\",\"object\":{\"n\":0,\"x\":1}}",
           BAD("object.x", "There is no such field here") "," BAD(
               "object.name", "This is required") "," BAD("object.n",
                                                          "This must be between 1 and 10"));
    expect(all_fields, "{\"text\":\"ab\",\"items\":[{\"name\":\"a\"},7,{\"name\":\"toolong\"}]}",
           BAD("items[1]", "This must be an object") "," BAD(
               "items[2].name", "This must have at most 5 characters"));
    expect(all_fields, "{\"text\":\"ab\",\"items\":[1,2,3,4]}",
           BAD("items", "This must have at most 3 elements"));
}

static void answers_stay_small(void **state)
{
    struct vv_request *req = vv_request_new(VV_UNIT_COMMAND, NULL, "test", 0);
    const struct vv_value *value;
    struct vv_buffer body;
    int i;

    (void)state;
    vv_buffer_init(&body, req->arena);
    vv_buffer_text(&body, "{\"text\":\"ab\"");
    for (i = 0; i < 10000; i++)
        vv_buffer_printf(&body, ",\"unknown%d\":1", i);
    vv_buffer_char(&body, '}');
    assert_int_equal(vv_json_parse(req, body.data, body.length, &value, NULL), 0);
    assert_null(vv_schema_check(req, all_fields, value));
    assert_true(req->problem.fields.length < 10000);
    vv_request_end(req);
}

static const struct vv_field arg_fields[] = {
    VV_FIELD_INT("limit", 1, 100, 0, "How many", .value = "20"),
    VV_FIELD_BOOL("all", 0, "All of them"),
    VV_FIELD_REAL("x", 0, 9, 0, "A number"),
    VV_FIELD_TEXT("q", 1, 10, 0, "Words"),
    VV_END,
};

static void expect_args(const struct vv_schema_pair *pairs, size_t count, const char *wanted)
{
    struct vv_request *req = vv_request_new(VV_UNIT_COMMAND, NULL, "test", 0);
    const struct vv_value *checked = vv_schema_check_args(req, arg_fields, pairs, count);

    assert_string_equal(checked ? vv_value_text(req, checked) : req->problem.fields.data, wanted);
    vv_request_end(req);
}

static void arguments(void **state)
{
    const struct vv_schema_pair good[] = {{.name = "id", .value = "17", .path = true},
                                          {.name = "all", .value = "true"},
                                          {.name = "x", .value = "2.5"},
                                          {.name = "q", .value = "12"},
                                          {.name = "unknown", .value = "1"}};
    const struct vv_schema_pair bad[] = {{.name = "limit", .value = "0"},
                                         {.name = "all", .value = "maybe"},
                                         {.name = "x", .value = "nan"},
                                         {.name = "q", .value = ""}};
    const struct vv_schema_pair twice[] = {{.name = "q", .value = "a"},
                                           {.name = "q", .value = "b"}};

    (void)state;
    expect_args(NULL, 0, "{\"limit\":20}");
    expect_args(good, 5, "{\"limit\":20,\"all\":true,\"x\":2.5,\"q\":\"12\",\"id\":\"17\"}");
    expect_args(
        bad, 4,
        BAD("limit", "This must be between 1 and 100") "," BAD(
            "all",
            "This must be true "
            "or false") "," BAD("x", "This must be a number") "," BAD("q",
                                                                      "This must not be empty"));
    expect_args(twice, 2, BAD("q", "This is given twice"));
}

static void addresses(void **state)
{
    const char *const good[] = {"a@b.de", "A.b+c_d@sub.example.com", "o'neil@x-y.co", "1@2.vv"};
    const char *const bad[] = {"",
                               "a",
                               "a@",
                               "@b.de",
                               "a@b",
                               "a b@c.de",
                               "a@b..de",
                               ".a@b.de",
                               "a.@b.de",
                               "a..b@c.de",
                               "a@-b.de",
                               "a@b-.de",
                               "a@b.1",
                               "a@b.de.",
                               "a@[1.2.3.4]",
                               "a@b_c.de",
                               "a,b@c.de",
                               "<a@b.de>",
                               "a@b@c.de",
                               "\"a\"@b.de",
                               "\xc3\xa9@b.de",
                               "a@\xc3\xa9.de",
                               "a@b.de\n"};
    char text[300];
    size_t i;

    (void)state;
    for (i = 0; i < VV_ARRAY_SIZE(good); i++)
        assert_true(vv_email_valid(good[i]));
    for (i = 0; i < VV_ARRAY_SIZE(bad); i++)
        assert_false(vv_email_valid(bad[i]));
    snprintf(text, sizeof text, "%064d@b.de", 0);
    assert_true(vv_email_valid(text));
    snprintf(text, sizeof text, "%065d@b.de", 0);
    assert_false(vv_email_valid(text));
    snprintf(text, sizeof text, "a@%060d.%060d.%060d.%060d.example", 0, 0, 0, 0);
    assert_true(strlen(text) == 253 && vv_email_valid(text));
    snprintf(text, sizeof text, "abc@%060d.%060d.%060d.%060d.example", 0, 0, 0, 0);
    assert_false(vv_email_valid(text));
}

static void times(void **state)
{
    const char *const bad[] = {"2026-02-29T00:00:00Z",
                               "2026-13-01T00:00:00Z",
                               "2026-01-01T24:00:00Z",
                               "2026-01-01",
                               "2026-01-01T00:00:00",
                               "2026-01-01T00:00:00.Z",
                               "2026-1-01T00:00:00Z",
                               "2026-01-01T00:00:00Zx",
                               "2026-01-01T00:00:00+1:00",
                               "infinity",
                               ""};
    size_t i;

    (void)state;
    assert_true(vv_time_valid("2026-01-01T00:00:00Z"));
    assert_true(vv_time_valid("2026-01-01t00:00:00.123456-23:59"));
    for (i = 0; i < VV_ARRAY_SIZE(bad); i++)
        assert_false(vv_time_valid(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes),
        cmocka_unit_test(names_every_fault),
        cmocka_unit_test(names_nested_faults),
        cmocka_unit_test(answers_stay_small),
        cmocka_unit_test(arguments),
        cmocka_unit_test(addresses),
        cmocka_unit_test(times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
