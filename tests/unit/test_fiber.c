/* Fibers: order, waiting, waking, cancelling, deadlines, the limit, many at once. */
#include "fiber.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <event2/event.h>

static struct event_base *base;
static char trace[64];

static int set_up(void **state)
{
    (void)state;
    base = event_base_new();
    vv_fibers_init(base, 2000);
    trace[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(vv_fibers_alive(), 0);
    event_base_free(base);
    return 0;
}

static void note(const char *what)
{
    size_t at = strlen(trace);

    snprintf(trace + at, sizeof trace - at, "%s", what);
}

static void run_loop(void)
{
    event_base_dispatch(base);
}

static void child(void *arg)
{
    (void)arg;
    note("c");
}

static void parent(void *arg)
{
    (void)arg;
    note("1");
    assert_int_equal(vv_fiber_spawn(child, NULL), 0);
    note("2");
    assert_int_equal(vv_fiber_sleep(1000), 0);
    note("3");
}

static void a_fiber_runs_at_once_and_its_children_later(void **state)
{
    (void)state;
    assert_int_equal(vv_fiber_spawn(parent, NULL), 0);
    assert_string_equal(trace, "12");
    run_loop();
    assert_string_equal(trace, "12c3");
    assert_null(vv_fiber_current());
}

static struct vv_wait shared;
static struct vv_fiber *waiter_fiber;
static int waiter_result, cancels;

static void forget(struct vv_wait *wait)
{
    assert_ptr_equal(wait, &shared);
    cancels++;
}

static void waiter(void *arg)
{
    vv_wait_init(&shared, arg == NULL ? NULL : forget);
    waiter_fiber = vv_fiber_current();
    waiter_result = vv_fiber_wait(&shared);
}

static void a_wake_gives_its_result(void **state)
{
    (void)state;
    assert_int_equal(vv_fiber_spawn(waiter, &base), 0);
    vv_fiber_wake(&shared, 17);
    run_loop();
    assert_int_equal(waiter_result, 17);
}

static void a_cancelled_wait_is_forgotten(void **state)
{
    (void)state;
    cancels = 0;
    assert_int_equal(vv_fiber_spawn(waiter, &base), 0);
    vv_fiber_cancel(waiter_fiber);
    run_loop();
    assert_int_equal(waiter_result, VV_ECANCELED);
    assert_int_equal(cancels, 1);
}

static void some_waits_cannot_be_cancelled(void **state)
{
    (void)state;
    assert_int_equal(vv_fiber_spawn(waiter, NULL), 0);
    vv_fiber_cancel(waiter_fiber);
    run_loop();
    assert_int_equal(vv_fibers_alive(), 1);
    vv_fiber_wake(&shared, 3);
    run_loop();
    assert_int_equal(waiter_result, 3);
}

static void late_sleeper(void *arg)
{
    int *results = arg;

    vv_fiber_deadline(vv_fiber_current(), vv_clock_steady() + 10000);
    results[0] = vv_fiber_sleep(60 * 1000000LL);
    results[1] = vv_fiber_sleep(60 * 1000000LL);
}

static void a_deadline_ends_this_wait_and_the_next(void **state)
{
    int results[2] = {0, 0};
    int64_t began = vv_clock_steady();

    (void)state;
    assert_int_equal(vv_fiber_spawn(late_sleeper, results), 0);
    run_loop();
    assert_int_equal(results[0], VV_ECANCELED);
    assert_int_equal(results[1], VV_ECANCELED);
    assert_true(vv_clock_steady() - began < 30 * 1000000LL);
}

static int deep(int depth)
{
    volatile char frame[512];

    frame[0] = (char)depth;
    frame[511] = frame[0];
    if (depth == 0)
        return frame[511];
    return deep(depth - 1) + (frame[0] == frame[511]);
}

static void worker(void *arg)
{
    int *sum = arg;

    for (int i = 0; i < 3; i++) {
        assert_true(deep(100) >= 100);
        assert_int_equal(vv_fiber_sleep(i * 100), 0);
    }
    (*sum)++;
}

static void many_fibers_keep_their_stacks(void **state)
{
    int sum = 0;

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1500; i++)
            assert_int_equal(vv_fiber_spawn(worker, &sum), 0);
        run_loop();
    }
    assert_int_equal(sum, 4500);
}

static void the_limit_is_kept(void **state)
{
    int sum = 0, refused = 0;

    (void)state;
    for (int i = 0; i < 2100; i++)
        refused += vv_fiber_spawn(worker, &sum) == VV_EBUSY;
    run_loop();
    assert_int_equal(refused, 100);
    assert_int_equal(sum, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_fiber_runs_at_once_and_its_children_later, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_wake_gives_its_result, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cancelled_wait_is_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(some_waits_cannot_be_cancelled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_deadline_ends_this_wait_and_the_next, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_fibers_keep_their_stacks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_limit_is_kept, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
