/* In which order plugins start: each after those whose services it uses, equals by name. */
#include "plugin_parts.h"
#include <ctype.h>

bool vv_service_next(const char **at, char ret_name[VV_SERVICE_NAME], bool *ret_optional)
{
    const char *start = *at + strspn(*at, ", \t");
    size_t length = strcspn(start, ", \t");

    *at = start + length;
    if (length == 0)
        return false;
    *ret_optional = start[length - 1] == '?';
    if (*ret_optional)
        length--;
    length = VV_MIN(length, (size_t)VV_SERVICE_NAME - 1);
    memcpy(ret_name, start, length);
    ret_name[length] = '\0';
    return true;
}

bool vv_service_listed(const char *list, const char *name)
{
    char listed[VV_SERVICE_NAME];
    bool optional;

    while (list != NULL && vv_service_next(&list, listed, &optional))
        if (strcmp(listed, name) == 0)
            return true;
    return false;
}

/* The plugin among these that provides a service; NULL: none. */
static struct vv_self *order_provider(struct vv_self *const *plugins, size_t count,
                                      const char *service)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (vv_service_listed(plugins[i]->descriptor.provides, service))
            return plugins[i];
    return NULL;
}

static void order_check_services(struct vv_config *config, const struct vv_plugins *plugins,
                                 const struct vv_self *self)
{
    const char *list = self->descriptor.depends;
    char service[VV_SERVICE_NAME];
    bool optional;

    while (list != NULL && vv_service_next(&list, service, &optional)) {
        const struct vv_self *off;

        if (optional || order_provider(plugins->all, plugins->enabled_count, service) != NULL)
            continue;
        off = order_provider(plugins->all + plugins->enabled_count,
                             plugins->count - plugins->enabled_count, service);
        if (off != NULL)
            vv_config_problem(config, NULL,
                              "plugin '%s' needs service '%s', which no enabled plugin provides; "
                              "plugin '%s' does: set [%s] enabled = true",
                              self->name, service, off->name, off->name);
        else
            vv_config_problem(config, NULL,
                              "plugin '%s' needs service '%s', which no enabled plugin provides; "
                              "install a plugin that does, or set [%s] enabled = false",
                              self->name, service, self->name);
    }
    list = self->descriptor.provides;
    while (list != NULL && vv_service_next(&list, service, &optional)) {
        const struct vv_self *first = order_provider(plugins->all, plugins->enabled_count, service);

        if (first != self)
            vv_config_problem(config, NULL,
                              "plugins '%s' and '%s' both provide service '%s'; enable only one of "
                              "them",
                              first->name, self->name, service);
    }
}

/* The first service's provider that has not started yet; NULL: this plugin may start. */
static struct vv_self *order_missing(struct vv_self *const *waiting, size_t count,
                                     const struct vv_self *self)
{
    const char *list = self->descriptor.depends;
    char service[VV_SERVICE_NAME];
    bool optional;

    while (list != NULL && vv_service_next(&list, service, &optional)) {
        struct vv_self *provider = order_provider(waiting, count, service);

        if (provider != NULL)
            return provider;
    }
    return NULL;
}

/* All that wait, wait for one another: follow the needs until they come round. */
static void order_cycle(struct vv_config *config, struct vv_self *const *waiting, size_t count)
{
    struct vv_self *at = waiting[0];
    struct vv_self *first;
    struct vv_buffer names;
    size_t i;

    for (i = 0; i < count; i++)
        at = order_missing(waiting, count, at);
    /* After so many steps we are on the circle for certain; name it from its first name on. */
    first = at;
    for (i = 0; i < count; i++) {
        at = order_missing(waiting, count, at);
        if (strcmp(at->name, first->name) < 0)
            first = at;
    }
    vv_buffer_init(&names, config->arena);
    vv_buffer_text(&names, first->name);
    for (at = order_missing(waiting, count, first); at != first;
         at = order_missing(waiting, count, at))
        vv_buffer_printf(&names, " -> %s", at->name);
    vv_config_problem(config, NULL,
                      "plugins need one another in a circle: %s -> %s; set enabled = false for one "
                      "of them",
                      names.data, first->name);
}

static int order_by_name(const void *a, const void *b)
{
    const struct vv_self *const *one = a;
    const struct vv_self *const *other = b;

    if ((*one)->enabled != (*other)->enabled)
        return (*one)->enabled ? -1 : 1;
    return strcmp((*one)->name, (*other)->name);
}

void vv_plugin_order(struct vv_config *config, struct vv_plugins *plugins)
{
    struct vv_self **all = plugins->all;
    size_t started, i;

    if (plugins->count == 0)
        return;
    qsort(all, plugins->count, sizeof all[0], order_by_name);
    plugins->enabled_count = 0;
    while (plugins->enabled_count < plugins->count && all[plugins->enabled_count]->enabled)
        plugins->enabled_count++;
    for (i = 0; i < plugins->enabled_count; i++)
        order_check_services(config, plugins, all[i]);
    for (started = 0; started < plugins->enabled_count; started++) {
        size_t count = plugins->enabled_count - started;
        struct vv_self *next;

        for (i = started; i < plugins->enabled_count; i++)
            if (order_missing(all + started, count, all[i]) == NULL)
                break;
        if (i == plugins->enabled_count) {
            order_cycle(config, all + started, count);
            return;
        }
        next = all[i];
        memmove(&all[started + 1], &all[started], (i - started) * sizeof all[0]);
        all[started] = next;
    }
}

/* ---- names that two plugins claim -------------------------------------------------------------
 */

struct order_claim {
    const char *what, *name;
    const struct vv_self *plugin;
};

struct order_claims {
    struct vv_config *config;
    struct order_claim *list;
    size_t count;
};

static void order_claim(struct order_claims *claims, const char *what, const char *name,
                        const struct vv_self *plugin)
{
    size_t i;

    for (i = 0; i < claims->count; i++) {
        const struct order_claim *other = &claims->list[i];

        if (strcmp(other->what, what) != 0 || strcmp(other->name, name) != 0)
            continue;
        if (other->plugin == plugin)
            vv_config_problem(claims->config, NULL, "plugin '%s' has two %s '%s'; rename one",
                              plugin->name, what, name);
        else
            vv_config_problem(
                claims->config, NULL,
                "plugins '%s' and '%s' both have a %.*s '%s'; enable only one of them",
                other->plugin->name, plugin->name, (int)strlen(what) - 1, what, name);
        return;
    }
    claims->list = vv_xrealloc(claims->list, (claims->count + 1) * sizeof claims->list[0]);
    claims->list[claims->count++] = (struct order_claim){what, name, plugin};
}

static void order_check_limit(struct vv_config *config, const struct vv_self *self,
                              const struct vv_route *route)
{
    bool known =
        (route->who == VV_USER || route->who == VV_KEY) && (route->flags & VV_SELF_IDENTIFIED) == 0;
    struct vv_config_limit limit;

    if (route->limit == NULL)
        return;
    if (!vv_config_limit(route->limit, &limit))
        vv_config_problem(config, NULL,
                          "plugin '%s': route '%s' has the limit '%s', which nobody declares; add "
                          "it to the plugin's table of limits",
                          self->name, route->pattern, route->limit);
    else if (limit.per == VV_PER_USER && !known)
        vv_config_problem(config, NULL,
                          "plugin '%s': route '%s' has the limit '%s', which counts the calls of a "
                          "user, but who calls is not known before its handler runs; name one per "
                          "address",
                          self->name, route->pattern, route->limit);
}

void vv_plugin_check_clashes(struct vv_config *config, const struct vv_plugins *plugins)
{
    struct order_claims claims = {.config = config};
    size_t p, i;

    for (p = 0; p < plugins->enabled_count; p++) {
        const struct vv_self *self = plugins->all[p];

        for (i = 0; i < self->job_count; i++)
            order_claim(&claims, "jobs", self->jobs[i].kind, self);
        for (i = 0; i < self->schedule_count; i++)
            order_claim(&claims, "schedules", self->schedules[i].name, self);
        for (i = 0; i < self->command_count; i++)
            order_claim(&claims, "commands", self->commands[i].name, self);
        for (i = 0; i < self->section_count; i++)
            order_claim(&claims, "sections",
                        vv_arena_printf(config->arena, "[%s:...]", self->sections[i].name), self);
        for (i = 0; i < self->check_count; i++)
            order_claim(&claims, "checks", self->checks[i].name, self);
        for (i = 0; i < self->metric_count; i++)
            order_claim(
                &claims, "metrics",
                vv_arena_printf(config->arena, "%s{%s}", self->metrics[i].name,
                                self->metrics[i].labels == NULL ? "" : self->metrics[i].labels),
                self);
        for (i = 0; i < self->route_count; i++)
            order_check_limit(config, self, &self->routes[i]);
    }
    free(claims.list);
}
