/* Routes: a tree of segments, built once, walked for every request without a copy. */
#include "router.h"

#include "config.h"
#include "plugin.h"

#define ROUTER_METHODS 6 /* enum vv_method begins with 1 */

struct router_node {
    const char *text; /* a static segment, in the pattern */
    size_t length;
    struct router_node *children, *next;
    struct router_node *wild; /* the {parameter} below */
    const struct vv_route_entry *routes[ROUTER_METHODS];
};

static struct router_node *router_root;
static struct vv_route_entry *router_entries;
static size_t router_count;

const char *vv_method_name(uint32_t method)
{
    static const char *const names[] = {"?", "GET", "POST", "PUT", "PATCH", "DELETE"};

    return method < VV_ARRAY_SIZE(names) ? names[method] : "?";
}

static struct router_node *router_child(struct router_node *node, const char *text, size_t length)
{
    struct router_node *child;

    if (text[0] == '{') {
        if (node->wild == NULL)
            node->wild = vv_xcalloc(1, sizeof *node);
        return node->wild;
    }
    for (child = node->children; child != NULL; child = child->next) {
        if (child->length == length && memcmp(child->text, text, length) == 0)
            return child;
    }
    child = vv_xcalloc(1, sizeof *child);
    child->text = text;
    child->length = length;
    child->next = node->children;
    node->children = child;
    return child;
}

static const char *router_owner(const struct vv_route_entry *entry)
{
    return entry->plugin == NULL ? "the core" : entry->plugin->name;
}

static bool router_pattern_valid(const char *pattern)
{
    size_t params = 0;

    if (pattern == NULL || pattern[0] != '/')
        return false;
    if (pattern[1] == '\0')
        return true;
    while (*pattern == '/') {
        size_t length = strcspn(pattern + 1, "/");
        size_t braces = strcspn(pattern + 1, "{}");

        if (length == 0)
            return false;
        if (braces < length) {
            if (pattern[1] != '{' || pattern[length] != '}' || length < 3 ||
                strcspn(pattern + 2, "{}") != length - 2)
                return false;
            params++;
        }
        pattern += length + 1;
    }
    return params <= VV_ROUTER_PARAMS;
}

static bool router_add(const struct vv_route_entry *entry)
{
    const struct vv_route *route = entry->route;
    struct router_node *node = router_root;
    const char *at = route->pattern;

    if (!router_pattern_valid(route->pattern) || route->method < VV_GET ||
        route->method > VV_DELETE || route->handler == NULL) {
        vv_config_problem(vv_config, NULL, "%s: the route '%s %s' is not a valid one",
                          router_owner(entry), vv_method_name(route->method),
                          route->pattern == NULL ? "" : route->pattern);
        return false;
    }
    while (*at == '/' && at[1] != '\0') {
        size_t length = strcspn(at + 1, "/");

        node = router_child(node, at + 1, length);
        at += length + 1;
    }
    if (node->routes[route->method] != NULL) {
        vv_config_problem(vv_config, NULL,
                          "'%s' and '%s' both have the route %s %s; enable only one of them",
                          router_owner(node->routes[route->method]), router_owner(entry),
                          vv_method_name(route->method), route->pattern);
        return false;
    }
    node->routes[route->method] = entry;
    return true;
}

/* What the route names, and for users, who may come from many addresses, a rate of their own. */
static bool router_limit(struct vv_route_entry *entry)
{
    const struct vv_route *route = entry->route;
    struct vv_config_limit limit;

    if (route->limit != NULL && !vv_config_limit(route->limit, &limit)) {
        vv_config_problem(vv_config, NULL, "%s: nobody declares the limit '%s' of %s %s",
                          router_owner(entry), route->limit, vv_method_name(route->method),
                          route->pattern);
        return false;
    }
    if (route->limit != NULL)
        entry->limits[limit.per] = limit;
    if (route->who == VV_USER && (route->flags & VV_SELF_IDENTIFIED) == 0 &&
        entry->limits[VV_PER_USER].name == NULL && vv_config_limit("user", &limit))
        entry->limits[VV_PER_USER] = limit;
    return true;
}

static size_t router_append(struct vv_self *plugin, const struct vv_route *routes)
{
    size_t count = 0;

    for (; routes != NULL && routes[count].method != 0; count++) {
        router_entries[router_count].plugin = plugin;
        router_entries[router_count++].route = &routes[count];
    }
    return count;
}

/* Patterns are at most as deep as they are long, so this is no deep recursion. */
static void router_free(struct router_node *node)
{
    struct router_node *next;

    for (; node != NULL; node = next) {
        next = node->next;
        router_free(node->children);
        router_free(node->wild);
        free(node);
    }
}

bool vv_router_build(void)
{
    size_t i, total = 0;
    bool fine = true;

    while (vv_builtin_routes[total].method != 0)
        total++;
    for (i = 0; i < vv_plugins->enabled_count; i++)
        total += vv_plugins->all[i]->route_count;
    free(router_entries);
    router_entries = vv_xcalloc(total + 1, sizeof *router_entries);
    router_count = 0;
    router_free(router_root);
    router_root = vv_xcalloc(1, sizeof *router_root);
    router_append(NULL, vv_builtin_routes);
    for (i = 0; i < vv_plugins->enabled_count; i++)
        router_append(vv_plugins->all[i], vv_plugins->all[i]->routes);
    for (i = 0; i < router_count; i++) {
        if (!router_add(&router_entries[i]) || !router_limit(&router_entries[i]))
            fine = false;
    }
    return fine;
}

static unsigned router_allow(const struct router_node *node)
{
    unsigned allow = 0, method;

    for (method = VV_GET; method < ROUTER_METHODS; method++) {
        if (node->routes[method] != NULL)
            allow |= 1U << method;
    }
    return allow;
}

/* Walks down, static segments first; comes back up where they lead nowhere. Bounded by the depth of
 * the patterns. */
static bool router_walk(const struct router_node *node, uint32_t method, const char *path,
                        struct vv_route_match *match)
{
    const struct router_node *child;
    size_t length, params = match->param_count;

    if (*path == '\0') {
        match->allow |= router_allow(node);
        match->entry = method < ROUTER_METHODS ? node->routes[method] : NULL;
        return match->entry != NULL;
    }
    length = strcspn(path + 1, "/");
    for (child = node->children; child != NULL; child = child->next) {
        if (child->length == length && memcmp(child->text, path + 1, length) == 0 &&
            router_walk(child, method, path + 1 + length, match))
            return true;
    }
    if (node->wild == NULL || length == 0 || params == VV_ROUTER_PARAMS)
        return false;
    match->params[params].value = path + 1;
    match->params[params].length = length;
    match->param_count = params + 1;
    if (router_walk(node->wild, method, path + 1 + length, match))
        return true;
    match->param_count = params;
    return false;
}

/* The names stand in the pattern, in the order in which the values were met. */
static void router_name_params(struct vv_route_match *match)
{
    const char *at = match->entry->route->pattern;
    size_t i;

    for (i = 0; i < match->param_count; i++) {
        at = strchr(at, '{') + 1;
        match->params[i].name = at;
        match->params[i].name_length = strcspn(at, "}");
    }
}

void vv_router_match(uint32_t method, const char *path, struct vv_route_match *ret_match)
{
    ret_match->entry = NULL;
    ret_match->allow = 0;
    ret_match->param_count = 0;
    if (path[0] != '/' || router_root == NULL)
        return;
    if (path[1] == '\0')
        path++;
    if (router_walk(router_root, method, path, ret_match))
        router_name_params(ret_match);
}

const struct vv_route_entry *vv_router_entries(size_t *ret_count)
{
    *ret_count = router_count;
    return router_entries;
}
