/* A plugin's source against a host of the test's own: how authors test theirs without a server. */
#include "../../sdk/examples/hello/hello.c" /* NOLINT(bugprone-suspicious-include) */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* What the mock remembers of one request. */
struct vv_request {
    const char *name; /* the query string's */
    char reply[256];
    uint32_t status;
};

static struct conf mock_options = {.greeting = "Salve"};
static char mock_memory[1024];
static char mock_message[256];

static const void *mock_conf(struct vv_self *self)
{
    (void)self;
    return &mock_options;
}

static void *mock_alloc(struct vv_request *req, size_t size)
{
    (void)req;
    assert_true(size <= sizeof mock_memory);
    return mock_memory;
}

/* The arguments are the request itself, and so is each of their members: there is but one. */
static const struct vv_value *mock_args(struct vv_request *req)
{
    return (const struct vv_value *)(const void *)req;
}

static const struct vv_value *mock_value_get(const struct vv_value *value, const char *name)
{
    assert_string_equal(name, "name");
    return value;
}

static struct vv_param mock_value_param(const struct vv_value *value)
{
    return VV_TEXT(((const struct vv_request *)(const void *)value)->name);
}

static struct vv_json *mock_json_new(struct vv_request *req, uint32_t kind)
{
    assert_int_equal(kind, VV_JSON_OBJECT);
    return (struct vv_json *)(void *)req;
}

static void mock_json_put(struct vv_json *json, const char *name, struct vv_param value)
{
    (void)json;
    assert_string_equal(name, "message");
    snprintf(mock_message, sizeof mock_message, "%.*s", (int)value.length,
             (const char *)value.data);
}

static int mock_reply(struct vv_request *req, uint32_t status, struct vv_json *json)
{
    assert_ptr_equal(json, req);
    req->status = status;
    snprintf(req->reply, sizeof req->reply, "%s", mock_message);
    return VV_DONE;
}

static const struct vv_host mock_host = {
    .size = sizeof mock_host,
    .conf = mock_conf,
    .alloc = mock_alloc,
    .args = mock_args,
    .value_get = mock_value_get,
    .value_param = mock_value_param,
    .json_new = mock_json_new,
    .json_put = mock_json_put,
    .reply = mock_reply,
};

static void handler_runs_without_a_server(void **state)
{
    struct vv_request req = {.name = "Ada"};

    (void)state;
    *vv_plugin.host = &mock_host;
    assert_int_equal(vv_plugin.routes[0].handler(&req), VV_DONE);
    assert_int_equal(req.status, 200);
    assert_string_equal(req.reply, "Salve, Ada!");
}

static void macros_fill_the_descriptor_in(void **state)
{
    (void)state;
    assert_int_equal(vv_plugin.size, sizeof(struct vv_plugin));
    assert_int_equal(vv_plugin.sdk_major, VV_SDK_MAJOR);
    assert_int_equal(vv_plugin.needs_minor, VV_SDK_TARGET);
    assert_int_equal(vv_plugin.strides.option, sizeof(struct vv_option));
    assert_int_equal(vv_plugin.strides.field, sizeof(struct vv_field));
    assert_int_equal(vv_plugin.strides.route, sizeof(struct vv_route));
    assert_int_equal(vv_plugin.strides.limit, sizeof(struct vv_limit));
    assert_ptr_equal(vv_plugin.host, &vv_host);
    assert_string_equal(vv_plugin.options[0].key, "greeting");
    assert_int_equal(vv_plugin.options[1].type, VV_OPTION_TYPE_END);
}

static void an_older_host_lacks_what_is_newer(void **state)
{
    const struct vv_host older = {.size = offsetof(struct vv_host, enqueue)};

    (void)state;
    *vv_plugin.host = &older;
    assert_true(VV_HAS(sqlstate));
    assert_false(VV_HAS(enqueue));
    *vv_plugin.host = &mock_host;
    assert_true(VV_HAS(enqueue));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handler_runs_without_a_server),
        cmocka_unit_test(macros_fill_the_descriptor_in),
        cmocka_unit_test(an_older_host_lacks_what_is_newer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
