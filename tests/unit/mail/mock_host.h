/* A host for unit tests of the mail plugin: memory, a log that is kept, and values that are pairs.
 */
#ifndef MOCK_HOST_H
#define MOCK_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vv/json.h>

/* What a test's JSON object is: names and values, ended by a NULL name. */
struct mock_pair {
    const char *name;
    struct vv_param value;
};

static char mock_log_text[8192];
static char mock_fail_text[1024];
static void *mock_memory[20000];
static size_t mock_memory_count;

static void *mock_alloc(struct vv_request *req, size_t size)
{
    void *memory = calloc(1, size == 0 ? 1 : size);

    (void)req;
    assert_non_null(memory);
    assert_true(mock_memory_count < sizeof mock_memory / sizeof mock_memory[0]);
    return mock_memory[mock_memory_count++] = memory;
}

static void mock_log(struct vv_self *self, struct vv_request *req, int level, const char *text)
{
    size_t length = strlen(mock_log_text);

    (void)self, (void)req, (void)level;
    snprintf(mock_log_text + length, sizeof mock_log_text - length, "%s\n", text);
}

static int mock_fail(struct vv_request *req, uint32_t status, const char *code, const char *detail)
{
    (void)req, (void)status, (void)code;
    snprintf(mock_fail_text, sizeof mock_fail_text, "%s", detail);
    return VV_EFAIL;
}

static const struct vv_value *mock_value_get(const struct vv_value *value, const char *name)
{
    const struct mock_pair *pair = (const void *)value;

    for (; pair->name != NULL; pair++) {
        if (strcmp(pair->name, name) == 0)
            return (const void *)pair;
    }
    return NULL;
}

static struct vv_param mock_value_param(const struct vv_value *value)
{
    return ((const struct mock_pair *)(const void *)value)->value;
}

static const struct vv_host mock_host = {
    .size = sizeof mock_host,
    .alloc = mock_alloc,
    .log = mock_log,
    .fail = mock_fail,
    .value_get = mock_value_get,
    .value_param = mock_value_param,
};

static int mock_setup(void **state)
{
    (void)state;
    vv_host = &mock_host;
    mock_log_text[0] = mock_fail_text[0] = '\0';
    return 0;
}

static int mock_teardown(void **state)
{
    (void)state;
    while (mock_memory_count > 0)
        free(mock_memory[--mock_memory_count]);
    return 0;
}

#endif
