/* Messages between supervisor and leader: whole, apart, with descriptors, and the end of the line.
 */
#include "control.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static int ends[2];

static int open_pair(void **state)
{
    (void)state;
    vv_control_pair(ends);
    return 0;
}

static int close_pair(void **state)
{
    (void)state;
    (void)close(ends[0]);
    if (ends[1] >= 0)
        (void)close(ends[1]);
    return 0;
}

static void messages_stay_apart_and_in_order(void **state)
{
    char text[VV_CONTROL_SIZE];
    int passed;

    (void)state;
    assert_true(vv_control_send(ends[1], -1, "listen %s", "127.0.0.1:80"));
    assert_true(vv_control_send(ends[1], -1, "%s", ""));
    assert_true(vv_control_send(ends[1], -1, "ready"));
    assert_int_equal(vv_control_receive(ends[0], true, text, &passed), VV_CONTROL_MESSAGE);
    assert_string_equal(text, "listen 127.0.0.1:80");
    assert_int_equal(passed, -1);
    assert_int_equal(vv_control_receive(ends[0], true, text, &passed), VV_CONTROL_MESSAGE);
    assert_string_equal(text, "");
    assert_int_equal(vv_control_receive(ends[0], false, text, &passed), VV_CONTROL_MESSAGE);
    assert_string_equal(text, "ready");
    assert_int_equal(vv_control_receive(ends[0], false, text, &passed), VV_CONTROL_NONE);
}

static void a_descriptor_travels_and_is_closed_on_exec(void **state)
{
    char text[VV_CONTROL_SIZE];
    int passed, pipes[2];
    char byte = 0;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    assert_true(vv_control_send(ends[1], pipes[0], "ok"));
    (void)close(pipes[0]);
    assert_int_equal(vv_control_receive(ends[0], true, text, &passed), VV_CONTROL_MESSAGE);
    assert_string_equal(text, "ok");
    assert_true(passed >= 0);
    assert_true((fcntl(passed, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(write(pipes[1], "x", 1), 1);
    assert_int_equal(read(passed, &byte, 1), 1);
    assert_int_equal(byte, 'x');
    (void)close(passed);
    (void)close(pipes[1]);
}

static void a_long_message_is_cut(void **state)
{
    char text[VV_CONTROL_SIZE];
    char *longest = vv_xcalloc(1, (size_t)VV_CONTROL_SIZE * 2);
    int passed;

    (void)state;
    memset(longest, 'a', (size_t)VV_CONTROL_SIZE * 2 - 1);
    assert_true(vv_control_send(ends[1], -1, "%s", longest));
    assert_int_equal(vv_control_receive(ends[0], true, text, &passed), VV_CONTROL_MESSAGE);
    assert_in_range(strlen(text), VV_CONTROL_SIZE - 2, VV_CONTROL_SIZE - 1);
    assert_int_equal(vv_control_receive(ends[0], false, text, &passed), VV_CONTROL_NONE);
    free(longest);
}

static void what_was_said_before_the_end_is_heard(void **state)
{
    char text[VV_CONTROL_SIZE];
    int passed;

    (void)state;
    assert_true(vv_control_send(ends[1], -1, "refused it is broken"));
    (void)close(ends[1]);
    ends[1] = -1;
    assert_int_equal(vv_control_receive(ends[0], true, text, &passed), VV_CONTROL_MESSAGE);
    assert_string_equal(text, "refused it is broken");
    assert_int_equal(vv_control_receive(ends[0], true, text, &passed), VV_CONTROL_CLOSED);
    assert_false(vv_control_send(ends[0], -1, "anybody there?"));
}

static void a_full_line_does_not_hold_the_sender(void **state)
{
    int sent = 0;

    (void)state;
    while (sent < 100000 && vv_control_send(ends[1], -1, "again"))
        sent++;
    assert_in_range(sent, 1, 99999);
}

static void numbers_are_read_strictly(void **state)
{
    int64_t numbers[3] = {0};

    (void)state;
    assert_int_equal(vv_control_numbers("1 -2 9000000000", numbers, 3), 3);
    assert_int_equal(numbers[1], -2);
    assert_true(numbers[2] == INT64_C(9000000000));
    assert_int_equal(vv_control_numbers("1 2 3 4", numbers, 3), 0);
    assert_int_equal(vv_control_numbers("1 two", numbers, 3), 0);
    assert_int_equal(vv_control_numbers("12x", numbers, 3), 0);
    assert_int_equal(vv_control_numbers("99999999999999999999", numbers, 3), 0);
    assert_int_equal(vv_control_numbers("", numbers, 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_stay_apart_and_in_order, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(a_descriptor_travels_and_is_closed_on_exec, open_pair,
                                        close_pair),
        cmocka_unit_test_setup_teardown(a_long_message_is_cut, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(what_was_said_before_the_end_is_heard, open_pair,
                                        close_pair),
        cmocka_unit_test_setup_teardown(a_full_line_does_not_hold_the_sender, open_pair,
                                        close_pair),
        cmocka_unit_test(numbers_are_read_strictly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
