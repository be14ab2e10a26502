/* The order of plugins: needs before what needs them, and each way in which there is none. */
#include "plugin_parts.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct plan {
    const char *name, *depends, *provides;
    bool off;
};

static struct vv_config *config;

/* The names in their order, or the mistake that was found, as it would be printed. */
static const char *order(const struct plan *plans)
{
    static char told[2048];
    struct vv_plugins plugins = {0};
    struct vv_self selves[8] = {0};
    struct vv_self *all[8];
    struct vv_config_source source = {.file = "/dev/null", .plain_log = true};
    int saved = dup(STDERR_FILENO), pipes[2];
    ssize_t length;
    size_t i;

    config = vv_config_load(&source);
    for (; plans->name != NULL; plans++) {
        struct vv_self *self = &selves[plugins.count];

        self->name = plans->name;
        self->descriptor.depends = plans->depends;
        self->descriptor.provides = plans->provides;
        self->enabled = !plans->off;
        all[plugins.count++] = self;
    }
    plugins.all = all;
    vv_plugin_order(config, &plugins);

    assert_int_equal(pipe(pipes), 0);
    fflush(stderr);
    dup2(pipes[1], STDERR_FILENO);
    vv_config_report(config);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipes[1]);
    length = read(pipes[0], told, sizeof told - 1);
    close(pipes[0]);
    told[VV_MAX(length, 0)] = '\0';
    if (length <= 0)
        for (i = 0; i < plugins.enabled_count; i++)
            snprintf(told + strlen(told), sizeof told - strlen(told), "%s%s", i == 0 ? "" : " ",
                     plugins.all[i]->name);
    vv_config_free(config);
    return told;
}

static void needs_come_first(void **state)
{
    const struct plan plans[] = {
        {"zeta", NULL, "z/1", false},         {"apikeys", "entitlements/1", NULL, false},
        {"auth", "mail/1?", "auth/1", false}, {"mail", NULL, "mail/1", false},
        {"off", "auth/1", "off/1", true},     {"usage", "auth/1, z/1", "entitlements/1", false},
        {"alone", "nobody/1?", NULL, false},  {NULL, NULL, NULL, false},
    };

    (void)state;
    assert_string_equal(order(plans), "alone mail auth zeta usage apikeys");
}

static void needs_nobody_fills(void **state)
{
    const struct plan off[] = {
        {"a", "b/1", NULL, false}, {"b", NULL, "b/1", true}, {NULL, NULL, NULL, false}};
    const struct plan none[] = {{"a", "b/1", NULL, false}, {NULL, NULL, NULL, false}};

    (void)state;
    assert_string_equal(order(off), "plugin 'a' needs service 'b/1', which no enabled plugin "
                                    "provides; plugin 'b' does: set [b] enabled = true\n");
    assert_string_equal(order(none),
                        "plugin 'a' needs service 'b/1', which no enabled plugin provides; install "
                        "a plugin that does, or set [a] enabled = false\n");
}

static void circles(void **state)
{
    const struct plan plans[] = {{"entry", "c/1", NULL, false}, {"c", "b/1", "c/1", false},
                                 {"b", "a/1", "b/1", false},    {"a", "c/1", "a/1", false},
                                 {"free", NULL, NULL, false},   {NULL, NULL, NULL, false}};

    (void)state;
    assert_string_equal(order(plans), "plugins need one another in a circle: a -> c -> b -> a; set "
                                      "enabled = false for one of them\n");
}

static void two_providers(void **state)
{
    const struct plan plans[] = {
        {"b", NULL, "x/1", false}, {"a", NULL, "x/1", false}, {NULL, NULL, NULL, false}};

    (void)state;
    assert_string_equal(
        order(plans), "plugins 'a' and 'b' both provide service 'x/1'; enable only one of them\n");
}

static void service_lists(void **state)
{
    const char *list = "auth/1, mail/2?,x/3 ";
    char name[VV_SERVICE_NAME];
    bool optional;

    (void)state;
    assert_true(vv_service_next(&list, name, &optional));
    assert_string_equal(name, "auth/1");
    assert_false(optional);
    assert_true(vv_service_next(&list, name, &optional));
    assert_string_equal(name, "mail/2");
    assert_true(optional);
    assert_true(vv_service_next(&list, name, &optional));
    assert_string_equal(name, "x/3");
    assert_false(vv_service_next(&list, name, &optional));
    assert_true(vv_service_listed("a/1, b/1?", "b/1"));
    assert_false(vv_service_listed("a/1, b/1?", "b/2"));
    assert_false(vv_service_listed(NULL, "b/2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(needs_come_first), cmocka_unit_test(needs_nobody_fills),
        cmocka_unit_test(circles),          cmocka_unit_test(two_providers),
        cmocka_unit_test(service_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
