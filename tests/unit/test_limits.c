/* Rates in shared memory: exact over processes, bounded, and not stopped by a process that dies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "rate_limits.h"

static const struct vv_rate hourly = {.count = 100, .period = 3600000};

static int fresh(void **state)
{
    int fd = vv_limits_create();

    (void)state;
    assert_true(fd >= 0);
    vv_limits_attach(fd);
    close(fd);
    return 0;
}

static void reference_vector(void **state)
{
    /* SipHash's own: key 00 01 .. 0f, message 00 01 .. 0e. */
    const uint64_t secret[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    uint8_t message[15];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)i;
    assert_true(vv_limits_hash(secret, message, sizeof message) == UINT64_C(0xa129ca6149be45e5));
    assert_true(vv_limits_hash(secret, message, 0) == UINT64_C(0x726fdb47dd0e0e31));
}

static void one_client(void **state)
{
    struct vv_limit_answer answer;
    int i;

    (void)state;
    for (i = 0; i < 100; i++) {
        answer = vv_limits_take(1, "192.0.2.1", hourly, 1);
        assert_true(answer.allowed);
        assert_int_equal(answer.remaining, 99 - i);
    }
    answer = vv_limits_take(1, "192.0.2.1", hourly, 1);
    assert_false(answer.allowed);
    assert_int_equal(answer.remaining, 0);
    assert_true(answer.retry_after > 30000000 && answer.retry_after <= 36000000);
    assert_true(answer.reset > 3590000000 && answer.reset <= 3600000000);
    assert_true(vv_limits_take(1, "192.0.2.2", hourly, 1).allowed); /* another client */
    assert_true(vv_limits_take(2, "192.0.2.1", hourly, 1).allowed); /* another class */
    assert_true(vv_limits_take(1, "192.0.2.1", (struct vv_rate){0, 0}, 1).allowed);
}

/* Several at once pass together or not at all; none at all is a look. */
static void amounts(void **state)
{
    struct vv_limit_answer answer;

    (void)state;
    answer = vv_limits_take(7, "a", hourly, 0);
    assert_true(answer.allowed);
    assert_int_equal(answer.remaining, 100);
    assert_int_equal(answer.reset, 0);
    answer = vv_limits_take(7, "a", hourly, 60);
    assert_true(answer.allowed);
    assert_int_equal(answer.remaining, 40);
    answer = vv_limits_take(7, "a", hourly, 41);
    assert_false(answer.allowed);
    assert_int_equal(answer.remaining, 40);
    assert_true(answer.retry_after > 0 && answer.retry_after <= 36000000);
    assert_true(vv_limits_take(7, "a", hourly, 40).allowed);
    answer = vv_limits_take(7, "a", hourly, 0);
    assert_false(answer.allowed);
    assert_int_equal(answer.remaining, 0);
    assert_true(answer.retry_after > 30000000 && answer.retry_after <= 36000000);
    assert_false(vv_limits_take(7, "b", hourly, 101).allowed); /* more than ever passes */
    assert_false(vv_limits_take(7, "b", hourly, UINT32_MAX).allowed);
    assert_int_equal(vv_limits_take(7, "b", hourly, 100).remaining, 0);
    assert_true(vv_limits_take(7, "c", (struct vv_rate){0, 0}, UINT32_MAX).allowed);
}

/* Keys of any length are told apart to their last byte. */
static void long_keys(void **state)
{
    char one[400], two[400];

    (void)state;
    memset(one, 'x', sizeof one);
    one[sizeof one - 1] = '\0';
    memcpy(two, one, sizeof two);
    two[sizeof two - 2] = 'y';
    assert_true(vv_limits_take(8, one, hourly, 100).allowed);
    assert_false(vv_limits_take(8, one, hourly, 1).allowed);
    assert_true(vv_limits_take(8, two, hourly, 1).allowed);
    assert_true(vv_limits_take(8, NULL, hourly, 1).allowed);
}

static void comes_back(void **state)
{
    const struct vv_rate fast = {.count = 2, .period = 200};
    struct vv_limit_answer answer;
    int64_t began = vv_clock_steady();

    (void)state;
    assert_true(vv_limits_take(3, "a", fast, 1).allowed);
    assert_true(vv_limits_take(3, "a", fast, 1).allowed);
    answer = vv_limits_take(3, "a", fast, 1);
    assert_false(answer.allowed);
    while (!(answer = vv_limits_take(3, "a", fast, 1)).allowed)
        usleep((useconds_t)answer.retry_after);
    assert_true(vv_clock_steady() - began >= 100000);
}

static void many_processes(void **state)
{
    unsigned *passed = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned total = 0;
    int i, k;

    (void)state;
    for (i = 0; i < 6; i++) {
        if (fork() == 0) {
            for (k = 0; k < 2000; k++)
                passed[i] += vv_limits_take(4, "shared", hourly, 1).allowed;
            _exit(0);
        }
    }
    while (wait(NULL) > 0 || errno == EINTR)
        ;
    for (i = 0; i < 6; i++)
        total += passed[i];
    assert_int_equal(total, 100);
    munmap(passed, 4096);
}

/* Processes are killed at any moment, also while they hold a set; the others go on. */
static void killed_processes(void **state)
{
    pid_t pids[4];
    int round, i;

    (void)state;
    for (round = 0; round < 40; round++) {
        for (i = 0; i < 4; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                for (;;)
                    (void)vv_limits_take(5, "victim", hourly, 1);
            }
        }
        usleep(3000);
        for (i = 0; i < 4; i++)
            kill(pids[i], SIGKILL);
        for (i = 0; i < 4; i++)
            waitpid(pids[i], NULL, 0);
        assert_false(vv_limits_take(5, "victim", hourly, 1).allowed);
    }
}

/* A flood of addresses neither grows memory nor pushes out a client that is being held back. */
static void flood(void **state)
{
    char key[32];
    int i, held = 0;

    (void)state;
    for (i = 0; i < 100; i++)
        (void)vv_limits_take(6, "attacker", hourly, 1);
    for (i = 0; i < 300000; i++) {
        snprintf(key, sizeof key, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        assert_true(vv_limits_take(6, key, hourly, 1).allowed);
        if (i % 1000 == 0)
            held += !vv_limits_take(6, "attacker", hourly, 1).allowed;
    }
    assert_int_equal(held, 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_vector),
        cmocka_unit_test_setup(one_client, fresh),
        cmocka_unit_test_setup(amounts, fresh),
        cmocka_unit_test_setup(long_keys, fresh),
        cmocka_unit_test_setup(comes_back, fresh),
        cmocka_unit_test_setup(many_processes, fresh),
        cmocka_unit_test_setup(killed_processes, fresh),
        cmocka_unit_test_setup(flood, fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
