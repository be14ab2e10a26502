/* What goes to PostgreSQL and comes from it, byte by byte: parameters, array elements, values. */
#include "db_param.h"
#include "db_unit.h"
#include "db_value.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char *encoded(struct vv_param value)
{
    static char text[256];
    struct vv_db_params params;

    assert_int_equal(vv_db_params_encode(&params, &value, 1), 0);
    assert_int_equal(params.count, 1);
    if (params.values[0] != NULL) {
        assert_true((size_t)params.lengths[0] < sizeof text);
        memcpy(text, params.values[0], (size_t)params.lengths[0] + 1);
        assert_int_equal(params.formats[0], value.type == VV_TYPE_BYTES);
    }
    return params.values[0] == NULL ? (vv_db_params_free(&params), NULL)
                                    : (vv_db_params_free(&params), text);
}

static void parameters_are_texts(void **state)
{
    (void)state;
    assert_null(encoded(VV_NULL()));
    assert_string_equal(encoded(VV_BOOL(true)), "t");
    assert_string_equal(encoded(VV_INT(INT64_MIN)), "-9223372036854775808");
    assert_string_equal(encoded(VV_TEXT("")), "");
    assert_string_equal(encoded(VV_TEXT_N("abcdef", 3)), "abc");
    assert_string_equal(encoded(VV_JSON("{\"a\":1}")), "{\"a\":1}");
    assert_string_equal(encoded(VV_BYTES("x\\y", 3)), "x\\y");
}

static void reals_read_back_as_they_were(void **state)
{
    static const double numbers[] = {0.1, 1.0 / 3, 1e300, 5e-324, 123456789.123456789, -0.0};

    (void)state;
    assert_string_equal(encoded(VV_REAL(0.1)), "0.1");
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        assert_true(strtod(encoded(VV_REAL(numbers[i])), NULL) == numbers[i]);
    assert_string_equal(encoded(VV_REAL(NAN)), "NaN");
    assert_string_equal(encoded(VV_REAL(-INFINITY)), "-Infinity");
}

static void times_have_microseconds_and_a_zone(void **state)
{
    (void)state;
    assert_string_equal(encoded(VV_TIME(0)), "1970-01-01 00:00:00.000000+00");
    assert_string_equal(encoded(VV_TIME(-1)), "1969-12-31 23:59:59.999999+00");
    assert_string_equal(encoded(VV_TIME(INT64_C(1709164799999999))),
                        "2024-02-28 23:59:59.999999+00");
    assert_string_equal(encoded(VV_TIME(INT64_C(1709164800000000))),
                        "2024-02-29 00:00:00.000000+00");
    assert_string_equal(encoded(VV_TIME(INT64_C(-62198755200000000))),
                        "0002-01-01 00:00:00.000000+00 BC");
    assert_string_equal(encoded(VV_TIME(INT64_MAX)), "infinity");
    assert_string_equal(encoded(VV_TIME(INT64_MIN)), "-infinity");
}

static void what_would_be_cut_is_refused(void **state)
{
    struct vv_param many[VV_DB_PARAMS + 1] = {{0}};
    struct vv_param nul = VV_TEXT_N("a\0b", 3);
    struct vv_param object = {.type = VV_TYPE_OBJECT};
    struct vv_db_params params;

    (void)state;
    assert_int_equal(vv_db_params_encode(&params, &nul, 1), VV_EINVAL);
    assert_int_equal(vv_db_params_encode(&params, &object, 1), VV_EINVAL);
    assert_int_equal(vv_db_params_encode(&params, many, VV_DB_PARAMS + 1), VV_EINVAL);
    assert_int_equal(vv_db_params_encode(&params, many, VV_DB_PARAMS), 0);
    vv_db_params_free(&params);
}

static const char *element(struct vv_param value)
{
    static char text[512];
    size_t length;

    assert_true(vv_db_element_size(&value) < sizeof text);
    length = vv_db_element_write(&value, text);
    assert_true(length <= vv_db_element_size(&value));
    text[length] = '\0';
    return text;
}

static void elements_stay_in_one_piece(void **state)
{
    (void)state;
    assert_string_equal(element(VV_NULL()), "NULL");
    assert_string_equal(element(VV_TEXT("NULL")), "\"NULL\"");
    assert_string_equal(element(VV_TEXT("")), "\"\"");
    assert_string_equal(element(VV_TEXT("a,{}\"\\b ")), "\"a,{}\\\"\\\\b \"");
    assert_string_equal(element(VV_BYTES("\x00\xFF\"", 3)), "\"\\\\x00ff22\"");
    assert_string_equal(element(VV_TIME(0)), "\"1970-01-01 00:00:00.000000+00\"");
    assert_string_equal(element(VV_INT(-7)), "-7");
    assert_string_equal(element(VV_JSON("[\"x\"]")), "\"[\\\"x\\\"]\"");
}

/* Text of a decoded value; the bytes get the NUL behind them that libpq gives them. */
static const char *decoded(uint32_t type, const char *bytes, size_t length,
                           struct vv_param *ret_value)
{
    static struct vv_arena *arena;
    static char data[256];

    if (arena != NULL)
        vv_arena_free(arena);
    arena = vv_arena_new();
    memcpy(data, bytes, length);
    data[length] = '\0';
    *ret_value = VV_NULL();
    if (!vv_db_value_decode(arena, type, data, length, ret_value))
        return "refused";
    return ret_value->type == VV_TYPE_TEXT || ret_value->type == VV_TYPE_JSON ? ret_value->data
                                                                              : "no text";
}

#define DECODED(type, bytes) decoded((type), (bytes), sizeof(bytes) - 1, &value)

static void numerics_keep_every_digit(void **state)
{
    struct vv_param value;

    (void)state;
    assert_string_equal(DECODED(1700, "\0\0\0\0\0\0\0\0"), "0");
    assert_string_equal(DECODED(1700, "\0\0\0\0\0\0\0\2"), "0.00");
    assert_string_equal(DECODED(1700, "\0\2\0\0\0\0\0\2\0\x13\x26\xac"), "19.99");
    assert_string_equal(DECODED(1700, "\0\1\0\1\x40\0\0\0\0\2"), "-20000");
    assert_int_equal(value.integer, -20000);
    assert_string_equal(DECODED(1700, "\0\1\xff\xff\0\0\0\4\0\5"), "0.0005");
    assert_string_equal(DECODED(1700, "\0\1\xff\xfe\0\0\0\6\0\x64"), "0.000001");
    assert_string_equal(DECODED(1700, "\0\0\0\0\xC0\0\0\0"), "NaN");
    assert_string_equal(DECODED(1700, "\0\2\0\0\0\0\0\2\0\x13"), "refused");
    assert_string_equal(DECODED(1700, "\0"), "refused");
}

static void other_types_are_read(void **state)
{
    struct vv_param value;

    (void)state;
    assert_string_equal(DECODED(1082, "\0\0\0\0"), "2000-01-01");
    assert_string_equal(DECODED(1082, "\xff\xff\xff\xff"), "1999-12-31");
    assert_string_equal(DECODED(1082, "\x7f\xff\xff\xff"), "infinity");
    (void)DECODED(1184, "\0\0\0\0\0\0\0\1");
    assert_int_equal(value.type, VV_TYPE_TIME);
    assert_int_equal(value.integer, INT64_C(946684800000001));
    (void)DECODED(1184, "\x7f\xff\xff\xff\xff\xff\xff\xff");
    assert_int_equal(value.integer, INT64_MAX);
    (void)DECODED(21, "\xff\xfe");
    assert_int_equal(value.integer, -2);
    assert_string_equal(DECODED(23, "\xff\xfe"), "refused");
    (void)DECODED(700, "\x3f\x80\0\0");
    assert_true(vv_param_real(value) == 1.0);
    assert_string_equal(DECODED(3802, "\1{}"), "{}");
    assert_int_equal(value.type, VV_TYPE_JSON);
    assert_string_equal(DECODED(2950, "\x12\x34\x56\x78\x9a\xbc\xde\xf0\x12\x34\x56\x78\x9a\xbc"
                                      "\xde\xf0"),
                        "12345678-9abc-def0-1234-56789abcdef0");
    assert_string_equal(DECODED(869, "\2\x20\0\4\xc0\0\2\1"), "192.0.2.1");
    assert_string_equal(DECODED(650, "\2\x18\1\4\xc0\0\2\0"), "192.0.2.0/24");
    assert_string_equal(DECODED(869, "\2\x20\0\4\xc0\0\2"), "refused");
    assert_string_equal(DECODED(20000, "happy"), "happy"); /* somebody's enum */
    assert_string_equal(DECODED(20000, "\0\0\0\1"), "refused");
    assert_string_equal(DECODED(1007, "\0\0\0\1"), "refused"); /* int4[] */
}

static void states_are_sorted_by_what_they_mean(void **state)
{
    (void)state;
    assert_int_equal(vv_db_code("23505"), VV_EUNIQUE);
    assert_int_equal(vv_db_code("55P03"), VV_ETIMEOUT);
    assert_int_equal(vv_db_code("57014"), VV_ETIMEOUT);
    assert_int_equal(vv_db_code("40P01"), VV_ETIMEOUT);
    assert_int_equal(vv_db_code("53300"), VV_EUNAVAILABLE);
    assert_int_equal(vv_db_code("57P01"), VV_EUNAVAILABLE);
    assert_int_equal(vv_db_code("08006"), VV_EUNAVAILABLE);
    assert_int_equal(vv_db_code("42601"), VV_ESQL);
}

static void one_name_never_means_two_statements(void **state)
{
    char sql[32];
    struct vv_db_statement *first = vv_db_statement_find("select 1");

    (void)state;
    assert_non_null(first);
    snprintf(sql, sizeof sql, "%s", "select 1");
    assert_ptr_equal(vv_db_statement_find(sql), first);
    snprintf(sql, sizeof sql, "%s", "select 2");
    assert_ptr_not_equal(vv_db_statement_find(sql), first);
    assert_string_equal(first->sql, "select 1");
    assert_string_not_equal(vv_db_statement_find(sql)->name, first->name);
    for (int i = 0; i < VV_DB_STATEMENTS; i++) {
        snprintf(sql, sizeof sql, "select 'many', %d", i);
        (void)vv_db_statement_find(sql);
    }
    assert_null(vv_db_statement_find("select 'one too many'"));
    assert_ptr_equal(vv_db_statement_find("select 1"), first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_texts),
        cmocka_unit_test(reals_read_back_as_they_were),
        cmocka_unit_test(times_have_microseconds_and_a_zone),
        cmocka_unit_test(what_would_be_cut_is_refused),
        cmocka_unit_test(elements_stay_in_one_piece),
        cmocka_unit_test(numerics_keep_every_digit),
        cmocka_unit_test(other_types_are_read),
        cmocka_unit_test(states_are_sorted_by_what_they_mean),
        cmocka_unit_test(one_name_never_means_two_statements),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
