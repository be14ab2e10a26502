/* Routes: which handler a path finds, with which parameters, and which tables are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "plugin.h"
#include "router.h"
#include <cmocka.h> /* last: it has a macro that is called fail */

static int handler(struct vv_request *req)
{
    (void)req;
    return 0;
}

#define ROUTE(method, pattern) VV_ROUTE(method, pattern, VV_ANYONE, handler, .summary = pattern)

static struct vv_route first_routes[] = {
    ROUTE(VV_GET, "/"),
    ROUTE(VV_GET, "/notes"),
    ROUTE(VV_POST, "/notes"),
    ROUTE(VV_GET, "/notes/{id}"),
    ROUTE(VV_DELETE, "/notes/{id}"),
    ROUTE(VV_GET, "/notes/new"),
    ROUTE(VV_GET, "/notes/{id}/parts/{part}"),
    ROUTE(VV_GET, "/a/b/c"),
    ROUTE(VV_GET, "/a/{x}/d"),
    VV_END,
};

static struct vv_self first = {.name = "first", .routes = first_routes, .route_count = 9};
static struct vv_self second = {.name = "second"};
static struct vv_self *both[] = {&first, &second};
static struct vv_plugins plugins = {.all = both, .count = 2, .enabled_count = 2};

static int set_up(void **state)
{
    const struct vv_config_source source = {.file = "/dev/null"};

    (void)state;
    vv_config_load(&source);
    vv_plugins = &plugins;
    assert_true(vv_router_build());
    return 0;
}

static void expect(uint32_t method, const char *path, const char *pattern, unsigned allow)
{
    struct vv_route_match match;

    vv_router_match(method, path, &match);
    if (pattern == NULL) {
        assert_null(match.entry);
        assert_int_equal(match.allow, allow);
    } else {
        assert_non_null(match.entry);
        assert_string_equal(match.entry->route->pattern, pattern);
        assert_int_equal(match.entry->route->method, method);
    }
}

static void finds(void **state)
{
    (void)state;
    expect(VV_GET, "/", "/", 0);
    expect(VV_GET, "/notes", "/notes", 0);
    expect(VV_POST, "/notes", "/notes", 0);
    expect(VV_GET, "/notes/17", "/notes/{id}", 0);
    expect(VV_GET, "/notes/new", "/notes/new", 0);
    expect(VV_DELETE, "/notes/new", "/notes/{id}", 0); /* the static one has no DELETE */
    expect(VV_GET, "/a/b/c", "/a/b/c", 0);
    expect(VV_GET, "/a/b/d", "/a/{x}/d", 0); /* back up from a static segment that leads nowhere */
    expect(VV_GET, "/health/live", "/health/live", 0);
}

static void finds_not(void **state)
{
    const unsigned get = 1U << VV_GET, post = 1U << VV_POST, del = 1U << VV_DELETE;

    (void)state;
    expect(VV_GET, "/Notes", NULL, 0);
    expect(VV_GET, "/notes/", NULL, 0);
    expect(VV_GET, "/notes/17/", NULL, 0);
    expect(VV_GET, "/notes/17/parts", NULL, 0);
    expect(VV_GET, "/notesx", NULL, 0);
    expect(VV_GET, "*", NULL, 0);
    expect(VV_PUT, "/notes", NULL, get | post);
    expect(VV_PATCH, "/notes/17", NULL, get | del);
    expect(0, "/", NULL, get);
}

static void parameters(void **state)
{
    struct vv_route_match match;

    (void)state;
    vv_router_match(VV_GET, "/notes/a b/parts/42", &match);
    assert_int_equal(match.param_count, 2);
    assert_memory_equal(match.params[0].name, "id", match.params[0].name_length);
    assert_int_equal(match.params[0].name_length, 2);
    assert_memory_equal(match.params[0].value, "a b", 3);
    assert_int_equal(match.params[0].length, 3);
    assert_int_equal(match.params[1].name_length, 4);
    assert_memory_equal(match.params[1].value, "42", 2);
    vv_router_match(VV_GET, "/a/b/c", &match);
    assert_int_equal(match.param_count, 0);
}

static void refuses(void **state)
{
    static struct vv_route bad[][2] = {
        {ROUTE(VV_POST, "/notes"), VV_END},
        {ROUTE(VV_GET, "/notes/{other}"), VV_END},
        {ROUTE(VV_GET, "/health"), VV_END},
        {ROUTE(VV_GET, "notes"), VV_END},
        {ROUTE(VV_GET, "/x/"), VV_END},
        {ROUTE(VV_GET, "/x//y"), VV_END},
        {ROUTE(VV_GET, "/x{y}"), VV_END},
        {ROUTE(VV_GET, "/{}"), VV_END},
        {ROUTE(VV_GET, "/{a}b"), VV_END},
        {ROUTE(9, "/x"), VV_END},
        {VV_ROUTE(VV_GET, "/x", VV_ANYONE, handler, .limit = "nobody's"), VV_END},
    };
    size_t i;

    (void)state;
    second.route_count = 1;
    for (i = 0; i < VV_ARRAY_SIZE(bad); i++) {
        second.routes = bad[i];
        if (vv_router_build())
            print_error("taken: %s\n", bad[i][0].pattern);
        second.routes = bad[i];
        assert_false(vv_router_build());
    }
    second.routes = NULL;
    second.route_count = 0;
    assert_true(vv_router_build());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds),
        cmocka_unit_test(finds_not),
        cmocka_unit_test(parameters),
        cmocka_unit_test(refuses),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
