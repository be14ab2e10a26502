/* Looks at a plugin's copied tables for sense: what would surprise its author is refused by name.
 */
#include "options.h"
#include "plugin_parts.h"
#include "router.h"
#include <ctype.h>
#include <stdio.h>

#define TABLES_CONF (1u << 20) /* bytes of the struct that options describe */

struct tables {
    struct vv_config *config;
    struct vv_self *self;
    const char *table;
    size_t index;
    bool failed;
};

VV_PRINTF(2, 3)
static void tables_fail(struct tables *tables, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    vv_plugin_problem(tables->config, tables->self, "%s[%zu]: %s", tables->table, tables->index,
                      text);
    tables->failed = true;
}

/* [a-z] and then those, digits and what is in `more`. */
static bool tables_name(const char *name, const char *more)
{
    size_t i;

    if (name == NULL || !islower((unsigned char)name[0]))
        return false;
    for (i = 1; name[i] != '\0'; i++)
        if (!islower((unsigned char)name[i]) && !isdigit((unsigned char)name[i]) &&
            strchr(more, name[i]) == NULL)
            return false;
    return true;
}

/* An option of a table, for a struct of `conf_size` bytes; `set` says how to make that right. */
static void tables_option(struct tables *tables, const struct vv_option *options,
                          const struct vv_option *option, uint32_t conf_size, const char *set)
{
    const struct vv_option *other;
    const char *why;
    union {
        const char *text;
        int64_t number;
        struct vv_rate rate;
    } member;
    size_t size = vv_option_size(option->type);

    if (!tables_name(option->key, "_") || strcmp(option->key, "enabled") == 0) {
        tables_fail(tables, "'%s' is no name for a key; use a-z, 0-9 and '_', and not 'enabled'",
                    option->key == NULL ? "" : option->key);
        return;
    }
    if (size == 0) {
        tables_fail(tables, "'%s' has type %u, which does not exist; use a macro VV_OPTION_...",
                    option->key, option->type);
        return;
    }
    if (option->size != size)
        tables_fail(tables,
                    "'%s' needs a member of %zu bytes, and the struct's has %u; see the type "
                    "of that member in <vv/option.h>",
                    option->key, size, option->size);
    else if ((uint64_t)option->offset + size > conf_size)
        tables_fail(tables, "'%s' lies outside of the struct's %u bytes; %s", option->key,
                    conf_size, set);
    else if (option->offset % (size < sizeof(void *) ? size : sizeof(void *)) != 0)
        tables_fail(tables, "'%s' is not aligned in its struct; do not pack that", option->key);
    for (other = options; other < option; other++)
        if (other->key != NULL && strcmp(other->key, option->key) == 0)
            tables_fail(tables, "'%s' is in the table twice; take one out", option->key);
    if (option->type == VV_OPTION_TYPE_ENUM && option->choices == NULL)
        tables_fail(tables, "'%s' has no choices; write them as \"a|b|c\"", option->key);
    else if (option->value != NULL &&
             (why = vv_option_parse(tables->config->arena, option, option->value, &member)) != NULL)
        tables_fail(tables, "the default of '%s' %s, not '%.100s'", option->key, why,
                    option->value);
}

/* What can be said of a family of sections before its options are looked at. */
static bool tables_section(struct tables *tables, const struct vv_section *section)
{
    tables->table = "sections";
    if (!tables_name(section->name, "_-"))
        tables_fail(tables, "'%s' is no name for a family of sections; use a-z, 0-9, '_' and '-'",
                    section->name);
    else if (section->conf_size == 0 || section->conf_size > TABLES_CONF)
        tables_fail(tables, "'%s' has a struct of %u bytes; write it with VV_SECTION(...)",
                    section->name, section->conf_size);
    else if (section->options == NULL)
        tables_fail(tables, "'%s' has no options; give it a table of them", section->name);
    else
        return true;
    return false;
}

static void tables_sections(struct tables *tables)
{
    const struct vv_self *self = tables->self;
    size_t section, *i = &tables->index;

    for (section = 0; section < self->section_count; section++) {
        const struct vv_section *family = &self->sections[section];

        *i = section;
        if (!tables_section(tables, family))
            continue;
        tables->table = vv_arena_printf(tables->config->arena, "options of [%s:...]", family->name);
        for (*i = 0; family->options[*i].type != VV_OPTION_TYPE_END; ++*i)
            tables_option(tables, family->options, &family->options[*i], family->conf_size,
                          "write the section with VV_SECTION(...)");
    }
}

static void tables_fields(struct tables *tables, const char *of, const struct vv_field *fields)
{
    const struct vv_field *field, *other;

    for (field = fields; field != NULL && field->type != VV_FIELD_TYPE_END; field++) {
        if (field->name == NULL || field->name[0] == '\0') {
            tables_fail(tables, "a field of its %s has no name; give it one", of);
            continue;
        }
        if (field->type > VV_FIELD_TYPE_ARRAY)
            tables_fail(tables,
                        "field '%s' of its %s has type %u, which does not exist; use a macro "
                        "VV_FIELD_...",
                        field->name, of, field->type);
        if (field->type == VV_FIELD_TYPE_ENUM && field->choices == NULL)
            tables_fail(tables, "field '%s' of its %s has no choices; write them as \"a|b|c\"",
                        field->name, of);
        if (field->type == VV_FIELD_TYPE_OBJECT && field->fields == NULL)
            tables_fail(tables, "field '%s' of its %s is an object without fields; list them",
                        field->name, of);
        if (field->min > field->max && field->max != 0)
            tables_fail(tables, "field '%s' of its %s has a minimum above its maximum", field->name,
                        of);
        for (other = fields; other < field; other++)
            if (other->name != NULL && strcmp(other->name, field->name) == 0)
                tables_fail(tables, "field '%s' is in its %s twice; take one out", field->name, of);
        tables_fields(tables, of, field->fields);
    }
}

/* "/notes/{id}": NULL, or what is wrong with it. */
static const char *tables_pattern(const char *pattern)
{
    unsigned params = 0;
    const char *p = pattern;

    if (pattern == NULL || pattern[0] != '/')
        return "must begin with '/'";
    if (strcmp(pattern, "/") == 0)
        return NULL;
    while (*p == '/') {
        size_t length = strcspn(++p, "/");
        size_t i;

        if (length == 0)
            return "must not have an empty segment, nor end with '/'";
        if (*p == '{') {
            if (p[length - 1] != '}' || length < 3)
                return "must have a {name} as a whole segment";
            for (i = 1; i < length - 1; i++)
                if (!islower((unsigned char)p[i]) && p[i] != '_' &&
                    (i == 1 || !isdigit((unsigned char)p[i])))
                    return "must have names of a-z, 0-9 and '_' in {}";
            if (++params > VV_ROUTER_PARAMS)
                return "must not have more than 8 {names}";
        } else {
            for (i = 0; i < length; i++)
                if (!isalnum((unsigned char)p[i]) && strchr("-._~!$&'()*+,;=:@", p[i]) == NULL)
                    return "must be of letters, digits and '-._~', with {name} for what varies";
        }
        p += length;
    }
    return NULL;
}

static void tables_route(struct tables *tables, const struct vv_route *route)
{
    const char *why = tables_pattern(route->pattern);

    if (why != NULL)
        tables_fail(tables, "the pattern '%s' %s", route->pattern == NULL ? "" : route->pattern,
                    why);
    if (route->method > VV_DELETE)
        tables_fail(tables, "method %u of '%s' does not exist; see enum vv_method", route->method,
                    route->pattern);
    if (route->who > VV_SERVICE)
        tables_fail(tables, "caller %u of '%s' does not exist; see enum vv_who", route->who,
                    route->pattern);
    if ((route->flags &
         ~(uint32_t)(VV_RAW_BODY | VV_OPTIONAL_BODY | VV_HIDDEN_ROUTE | VV_SELF_IDENTIFIED)) != 0)
        tables_fail(tables, "flags %#x of '%s' do not exist; see enum vv_route_flag", route->flags,
                    route->pattern);
    if (route->handler == NULL)
        tables_fail(tables, "'%s' has no handler; give it a function", route->pattern);
    tables_fields(tables, "query", route->query);
    tables_fields(tables, "body", route->body);
    tables_fields(tables, "reply", route->reply);
}

static void tables_metric(struct tables *tables, const struct vv_metric *metric)
{
    size_t i, length = metric->name == NULL ? 0 : strlen(metric->name);

    if (metric->type > VV_METRIC_TYPE_GAUGE)
        tables_fail(tables, "type %u does not exist; use VV_COUNTER or VV_GAUGE", metric->type);
    for (i = 0; i < length; i++)
        if (!isalpha((unsigned char)metric->name[i]) && metric->name[i] != '_' &&
            (i == 0 || !isdigit((unsigned char)metric->name[i])))
            length = 0;
    if (length == 0)
        tables_fail(tables, "'%s' is no name for a metric; use letters, digits and '_'",
                    metric->name == NULL ? "" : metric->name);
}

static void tables_limit(struct tables *tables, const struct vv_limit *limit)
{
    struct vv_rate rate;

    if (!tables_name(limit->name, "_"))
        tables_fail(tables, "'%s' is no name for a limit; use a-z, 0-9 and '_'", limit->name);
    if (limit->value == NULL || !vv_rate_parse(limit->value, &rate))
        tables_fail(tables, "'%s' must have a rate such as 20/s, 600/m or 5/h, or off, not '%s'",
                    limit->name, limit->value == NULL ? "" : limit->value);
    if (limit->per > VV_PER_USER)
        tables_fail(tables, "'%s' is counted per something that this server does not know",
                    limit->name);
}

/* A table whose elements have but a name and a function. */
static void tables_function(struct tables *tables, const char *name, bool there)
{
    if (name[0] == '\0')
        tables_fail(tables, "the name is empty; give it one");
    if (!there)
        tables_fail(tables, "'%s' has no function; give it one", name);
}

static void tables_work(struct tables *tables)
{
    const struct vv_self *self = tables->self;
    size_t *i = &tables->index;

    tables->table = "hooks";
    for (*i = 0; *i < self->hook_count; ++*i)
        tables_function(tables, self->hooks[*i].event, self->hooks[*i].function != NULL);
    tables->table = "jobs";
    for (*i = 0; *i < self->job_count; ++*i)
        tables_function(tables, self->jobs[*i].kind, self->jobs[*i].function != NULL);
    tables->table = "schedules";
    for (*i = 0; *i < self->schedule_count; ++*i) {
        tables_function(tables, self->schedules[*i].name, self->schedules[*i].function != NULL);
        if (self->schedules[*i].every <= 0)
            tables_fail(tables, "'%s' has no period; give it in milliseconds",
                        self->schedules[*i].name);
    }
    tables->table = "commands";
    for (*i = 0; *i < self->command_count; ++*i)
        tables_function(tables, self->commands[*i].name, self->commands[*i].function != NULL);
    tables->table = "checks";
    for (*i = 0; *i < self->check_count; ++*i)
        tables_function(tables, self->checks[*i].name, self->checks[*i].function != NULL);
}

static bool tables_services(struct tables *tables, const char *what, const char *list,
                            bool may_be_optional)
{
    char name[VV_SERVICE_NAME];
    bool optional;

    while (list != NULL && vv_service_next(&list, name, &optional)) {
        const char *slash = strchr(name, '/');

        if (slash != NULL && slash > name && slash[1] != '\0' &&
            strspn(slash + 1, "0123456789") == strlen(slash + 1) && (may_be_optional || !optional))
            continue;
        vv_plugin_problem(tables->config, tables->self,
                          "'%s' in its .%s is no service; write name/major, as in \"notes/1\"",
                          name, what);
        tables->failed = true;
    }
    return !tables->failed;
}

bool vv_plugin_check_tables(struct vv_config *config, struct vv_self *self)
{
    struct tables tables = {.config = config, .self = self};
    size_t *i = &tables.index;

    if (self->descriptor.conf_size > TABLES_CONF) {
        vv_plugin_problem(config, self, "its .conf_size is %u, and at most %u can be meant",
                          self->descriptor.conf_size, TABLES_CONF);
        return false;
    }
    tables.table = "options";
    for (*i = 0; self->options != NULL && self->options[*i].type != VV_OPTION_TYPE_END; ++*i)
        tables_option(&tables, self->options, &self->options[*i], self->descriptor.conf_size,
                      "set .conf_size to the struct's size");
    tables_sections(&tables);
    tables.table = "routes";
    for (*i = 0; *i < self->route_count; ++*i)
        tables_route(&tables, &self->routes[*i]);
    tables.table = "metrics";
    for (*i = 0; *i < self->metric_count; ++*i)
        tables_metric(&tables, &self->metrics[*i]);
    tables.table = "limits";
    for (*i = 0; *i < self->limit_count; ++*i)
        tables_limit(&tables, &self->limits[*i]);
    tables_work(&tables);
    tables_services(&tables, "depends", self->descriptor.depends, true);
    tables_services(&tables, "provides", self->descriptor.provides, false);
    return !tables.failed;
}
