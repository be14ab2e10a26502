/* Arena and buffer: alignment, zeroes, growth, JSON escapes, times. */
#include "arena.h"
#include "buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void arena_gives_zeroed_aligned_memory(void **state)
{
    struct vv_arena *arena = vv_arena_new();

    (void)state;
    for (size_t size = 0; size < 20000; size = size * 2 + 1) {
        char *piece = vv_arena_alloc(arena, size);

        assert_int_equal((uintptr_t)piece % 16, 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(piece[i], 0);
        memset(piece, 0xFF, size);
    }
    vv_arena_free(arena);
    /* The pooled blocks hold old bytes now: a new arena must not show them. */
    arena = vv_arena_new();
    for (int i = 0; i < 100; i++) {
        const char *piece = vv_arena_alloc(arena, 500);

        for (size_t at = 0; at < 500; at++)
            assert_int_equal(piece[at], 0);
    }
    vv_arena_free(arena);
}

static void arena_pieces_do_not_overlap(void **state)
{
    struct vv_arena *arena = vv_arena_new();
    char *texts[600];

    (void)state;
    for (int i = 0; i < 600; i++)
        texts[i] = vv_arena_printf(arena, "%0*d", i * 17 % 6000 + 4, i);
    for (int i = 0; i < 600; i++) {
        assert_int_equal(strlen(texts[i]), i * 17 % 6000 + 4);
        assert_int_equal(strtol(texts[i], NULL, 10), i);
    }
    vv_arena_free(arena);
}

static void buffer_json_escapes(void **state)
{
    static const char text[] = "a\"b\\c\n\r\t\x01\x7F\xC3\xA4\xF0\x9F\x98\x80\xC3(\xED\xA0\x80|";
    struct vv_buffer buffer;

    (void)state;
    vv_buffer_init(&buffer, NULL);
    vv_buffer_json(&buffer, text, sizeof text - 1);
    assert_string_equal(buffer.data, "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u007f\xC3\xA4\xF0\x9F\x98\x80"
                                     "\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD|\"");
    vv_buffer_free(&buffer);
}

static void buffer_writes_numbers_and_times(void **state)
{
    struct vv_buffer buffer;

    (void)state;
    vv_buffer_init(&buffer, NULL);
    vv_buffer_int(&buffer, INT64_MIN);
    vv_buffer_char(&buffer, ' ');
    vv_buffer_int(&buffer, 0);
    vv_buffer_char(&buffer, ' ');
    vv_buffer_time(&buffer, 0);
    vv_buffer_char(&buffer, ' ');
    vv_buffer_time(&buffer, -1);
    vv_buffer_char(&buffer, ' ');
    vv_buffer_time(&buffer, INT64_C(1795372200000005));
    assert_string_equal(buffer.data, "-9223372036854775808 0 1970-01-01T00:00:00Z "
                                     "1969-12-31T23:59:59.999999Z 2026-11-22T18:30:00.000005Z");
    vv_buffer_clear(&buffer);
    vv_buffer_time(&buffer,
                   INT64_C(-62009366400000000)); /* years need four digits, and may have more */
    vv_buffer_char(&buffer, ' ');
    vv_buffer_time(&buffer, INT64_C(253402300800500000));
    assert_string_equal(buffer.data, "0005-01-01T00:00:00Z 10000-01-01T00:00:00.500000Z");
    vv_buffer_free(&buffer);
}

static void buffer_grows_in_an_arena(void **state)
{
    struct vv_arena *arena = vv_arena_new();
    struct vv_buffer buffer;

    (void)state;
    vv_buffer_init(&buffer, arena);
    for (int i = 0; i < 5000; i++)
        vv_buffer_printf(&buffer, "%d,", i);
    assert_int_equal(strlen(buffer.data), buffer.length);
    assert_string_equal(buffer.data + buffer.length - 5, "4999,");
    vv_arena_free(arena);
}

static void secrets_compare(void **state)
{
    (void)state;
    assert_true(vv_equal_secret("abc", "abc", 3));
    assert_false(vv_equal_secret("abc", "abd", 3));
    assert_true(vv_equal_secret("", "", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(arena_pieces_do_not_overlap),
        cmocka_unit_test(buffer_json_escapes),
        cmocka_unit_test(buffer_writes_numbers_and_times),
        cmocka_unit_test(buffer_grows_in_an_arena),
        cmocka_unit_test(secrets_compare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
