/* Invariants, memory that is never NULL, clocks and randomness. */
#include "base.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

void vv_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "vvserver: %s:%d: this must hold, and does not: %s\n", file, line, condition);
    abort();
}

void *vv_xmalloc(size_t size)
{
    void *memory = malloc(size == 0 ? 1 : size);

    vv_assert(memory != NULL);
    return memory;
}

void *vv_xcalloc(size_t count, size_t size)
{
    void *memory = calloc(count == 0 ? 1 : count, size == 0 ? 1 : size);

    vv_assert(memory != NULL);
    return memory;
}

void *vv_xrealloc(void *old, size_t size)
{
    void *memory = realloc(old, size == 0 ? 1 : size);

    vv_assert(memory != NULL);
    return memory;
}

char *vv_xstrdup(const char *text)
{
    size_t length = strlen(text);

    return memcpy(vv_xmalloc(length + 1), text, length + 1);
}

char *vv_xprintf(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    int length;

    va_start(args, format);
    length = vasprintf(&text, format, args);
    va_end(args);
    vv_assert(length >= 0);
    return text;
}

static int64_t base_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t vv_clock_wall(void)
{
    return base_clock(CLOCK_REALTIME);
}

int64_t vv_clock_steady(void)
{
    return base_clock(CLOCK_MONOTONIC);
}

void vv_random_bytes(void *bytes, size_t length)
{
    uint8_t *at = bytes;

    while (length > 0) {
        ssize_t got = getrandom(at, length, 0);

        if (got < 0 && errno == EINTR)
            continue;
        vv_assert(got > 0);
        at += got;
        length -= (size_t)got;
    }
}

bool vv_equal_secret(const void *a, const void *b, size_t length)
{
    const volatile uint8_t *left = a, *right = b;
    uint8_t difference = 0;

    for (size_t i = 0; i < length; i++)
        difference |= (uint8_t)(left[i] ^ right[i]);
    return difference == 0;
}
