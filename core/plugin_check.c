/* Copies a plugin's descriptor and tables into our own structs, and trusts nothing on the way. */
#include "plugin_parts.h"
#include <stdio.h>

#define CHECK_ELEMENTS 4096  /* of one table; more means that VV_END is missing */
#define CHECK_STRIDE   4096  /* bytes of one element */
#define CHECK_TEXT     16384 /* bytes of one text */
#define CHECK_DEPTH    8     /* of fields in fields */

/* The descriptor of version 0.2: it never gets smaller. */
#define CHECK_DESCRIPTOR (offsetof(struct vv_plugin, stop) + sizeof(void (*)(void)))

struct check {
    struct vv_config *config;
    struct vv_self *self;
    struct vv_image image;
    uint32_t field_stride;
    bool failed;
};

/* Where the texts of an element are, so that each can be looked at: offsets, ended by 0. The first
 * text of an element may be at offset 0 too, hence the count. */
struct check_texts {
    size_t count;
    size_t offsets[8];
};

/* A table: its name, the element in our form, the member whose zero ends it, and its texts. */
struct check_shape {
    const char *name;
    size_t element, key_offset, key_size;
    struct check_texts texts;
};

#define CHECK_KEY(type, member) \
    sizeof(struct type), offsetof(struct type, member), sizeof(((struct type *)NULL)->member)

static const struct check_shape check_options = {
    "options",
    CHECK_KEY(vv_option, type),
    {4,
     {offsetof(struct vv_option, key), offsetof(struct vv_option, value),
      offsetof(struct vv_option, choices), offsetof(struct vv_option, help)}}};
static const struct check_shape check_fields = {
    "fields",
    CHECK_KEY(vv_field, type),
    {4,
     {offsetof(struct vv_field, name), offsetof(struct vv_field, value),
      offsetof(struct vv_field, choices), offsetof(struct vv_field, help)}}};
static const struct check_shape check_routes = {
    "routes",
    CHECK_KEY(vv_route, method),
    {3,
     {offsetof(struct vv_route, pattern), offsetof(struct vv_route, limit),
      offsetof(struct vv_route, summary)}}};
static const struct check_shape check_hooks = {
    "hooks", CHECK_KEY(vv_hook, event), {1, {offsetof(struct vv_hook, event)}}};
static const struct check_shape check_jobs = {
    "jobs", CHECK_KEY(vv_job, kind), {1, {offsetof(struct vv_job, kind)}}};
static const struct check_shape check_schedules = {
    "schedules", CHECK_KEY(vv_schedule, name), {1, {offsetof(struct vv_schedule, name)}}};
static const struct check_shape check_commands = {
    "commands",
    CHECK_KEY(vv_command, name),
    {3,
     {offsetof(struct vv_command, name), offsetof(struct vv_command, usage),
      offsetof(struct vv_command, help)}}};
static const struct check_shape check_checks = {
    "checks",
    CHECK_KEY(vv_check, name),
    {2, {offsetof(struct vv_check, name), offsetof(struct vv_check, help)}}};
static const struct check_shape check_metrics = {
    "metrics",
    CHECK_KEY(vv_metric, type),
    {3,
     {offsetof(struct vv_metric, name), offsetof(struct vv_metric, labels),
      offsetof(struct vv_metric, help)}}};
static const struct check_shape check_limits = {
    "limits",
    CHECK_KEY(vv_limit, name),
    {3,
     {offsetof(struct vv_limit, name), offsetof(struct vv_limit, value),
      offsetof(struct vv_limit, help)}}};

static const struct check_shape check_sections = {
    "sections",
    CHECK_KEY(vv_section, name),
    {2, {offsetof(struct vv_section, name), offsetof(struct vv_section, help)}}};

VV_PRINTF(2, 3)
static void check_fail(struct check *check, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    vv_plugin_problem(check->config, check->self, "%s", text);
    check->failed = true;
}

/* NULL is a text too: of what is optional. */
static bool check_text(const struct check *check, const char *text)
{
    size_t room = vv_image_room(&check->image, text);

    return text == NULL || (room > 0 && memchr(text, '\0', VV_MIN(room, CHECK_TEXT)) != NULL);
}

static bool check_zero(const void *bytes, size_t length)
{
    const unsigned char *byte = bytes;

    while (length-- > 0)
        if (*byte++ != 0)
            return false;
    return true;
}

static bool check_stride(struct check *check, const struct check_shape *shape, uint32_t stride)
{
    if (stride >= shape->key_offset + shape->key_size && stride <= CHECK_STRIDE &&
        stride % sizeof(uint32_t) == 0)
        return true;
    check_fail(
        check,
        "it says that an element of its %s has %u bytes, which cannot be; let VV_PLUGIN(...) "
        "fill that in",
        shape->name, stride);
    return false;
}

/* Copies a table, by the plugin's own stride, into elements of ours; what it does not have is zero.
 * NULL: there is none, or it was refused. */
static void *check_copy(struct check *check, const struct check_shape *shape, const void *table,
                        uint32_t stride, size_t *ret_count)
{
    size_t known = VV_MIN(shape->element, stride);
    const char *source = table;
    char *copy;
    size_t count, i, t;

    *ret_count = 0;
    if (table == NULL || !check_stride(check, shape, stride))
        return NULL;
    for (count = 0;; count++) {
        const char *element = source + count * stride;

        if (count == 0 && vv_image_room(&check->image, element) < stride) {
            check_fail(check,
                       "its table of %s is not in the plugin's own memory; make it a static "
                       "array",
                       shape->name);
            return NULL;
        }
        if (count > CHECK_ELEMENTS || vv_image_room(&check->image, element) < stride) {
            check_fail(check, "its table of %s does not end; its last element must be VV_END",
                       shape->name);
            return NULL;
        }
        if (check_zero(element + shape->key_offset, shape->key_size))
            break;
    }
    copy = vv_arena_alloc(check->config->arena, (count + 1) * shape->element);
    for (i = 0; i < count; i++) {
        memcpy(copy + i * shape->element, source + i * stride, known);
        for (t = 0; t < shape->texts.count; t++) {
            const char *text;

            memcpy(&text, copy + i * shape->element + shape->texts.offsets[t], sizeof text);
            if (check_text(check, text))
                continue;
            check_fail(check,
                       "%s[%zu]: a text of it is not in the plugin's own memory; write the "
                       "table with static texts",
                       shape->name, i);
            return NULL;
        }
    }
    *ret_count = count;
    return copy;
}

static const struct vv_field *check_copy_fields(struct check *check, const struct vv_field *table,
                                                unsigned depth)
{
    struct vv_field *fields;
    size_t count, i;

    if (depth > CHECK_DEPTH) {
        check_fail(check, "its fields have fields more than %d levels deep; flatten them",
                   CHECK_DEPTH);
        return NULL;
    }
    fields = check_copy(check, &check_fields, table, check->field_stride, &count);
    for (i = 0; i < count && !check->failed; i++)
        if (fields[i].fields != NULL)
            fields[i].fields = check_copy_fields(check, fields[i].fields, depth + 1);
    return fields;
}

static void check_copy_tables(struct check *check)
{
    struct vv_self *self = check->self;
    const struct vv_plugin *from = &self->descriptor;
    const struct vv_strides *strides = &from->strides;
    size_t options, i;

    check->field_stride = strides->field;
    self->options = check_copy(check, &check_options, from->options, strides->option, &options);
    self->routes =
        check_copy(check, &check_routes, from->routes, strides->route, &self->route_count);
    self->hooks = check_copy(check, &check_hooks, from->hooks, strides->hook, &self->hook_count);
    self->jobs = check_copy(check, &check_jobs, from->jobs, strides->job, &self->job_count);
    self->schedules = check_copy(check, &check_schedules, from->schedules, strides->schedule,
                                 &self->schedule_count);
    self->commands =
        check_copy(check, &check_commands, from->commands, strides->command, &self->command_count);
    self->checks =
        check_copy(check, &check_checks, from->checks, strides->check, &self->check_count);
    self->metrics =
        check_copy(check, &check_metrics, from->metrics, strides->metric, &self->metric_count);
    self->limits =
        check_copy(check, &check_limits, from->limits, strides->limit, &self->limit_count);
    self->sections =
        check_copy(check, &check_sections, from->sections, strides->section, &self->section_count);
    for (i = 0; i < self->section_count && !check->failed; i++)
        self->sections[i].options =
            check_copy(check, &check_options, self->sections[i].options, strides->option, &options);
    for (i = 0; i < self->route_count && !check->failed; i++) {
        struct vv_route *route = &self->routes[i];

        route->query = check_copy_fields(check, route->query, 1);
        route->body = check_copy_fields(check, route->body, 1);
        route->reply = check_copy_fields(check, route->reply, 1);
    }
}

/* Size and versions: all that may be read before they are known to fit. */
static bool check_version(struct check *check, const struct vv_plugin *descriptor, size_t size)
{
    unsigned major, minor;

    if (size < offsetof(struct vv_plugin, strides) ||
        descriptor->size < offsetof(struct vv_plugin, strides) || descriptor->size > size) {
        check_fail(check,
                   "its descriptor says it has %u bytes, and the file has %zu; let VV_PLUGIN(...) "
                   "fill that in",
                   size < sizeof descriptor->size ? 0 : descriptor->size, size);
        return false;
    }
    major = descriptor->sdk_major;
    minor = descriptor->needs_minor;
    if (major != VV_SDK_MAJOR || minor > VV_SDK_MINOR ||
        (VV_SDK_MAJOR == 0 && minor != VV_SDK_MINOR)) {
        check_fail(check,
                   "it is built for version %u.%u of the SDK, and this server has %d.%d; build it "
                   "with the headers of this server",
                   major, minor, VV_SDK_MAJOR, VV_SDK_MINOR);
        return false;
    }
    if (descriptor->size < CHECK_DESCRIPTOR) {
        check_fail(
            check,
            "its descriptor has %u bytes, and version %u.%u has %zu; let VV_PLUGIN(...) fill "
            "that in",
            descriptor->size, major, minor, CHECK_DESCRIPTOR);
        return false;
    }
    return true;
}

static void check_names(struct check *check)
{
    const struct vv_plugin *from = &check->self->descriptor;
    const char *texts[] = {from->name, from->version, from->summary, from->depends, from->provides};
    size_t i;

    for (i = 0; i < VV_ARRAY_SIZE(texts); i++) {
        if (!check_text(check, texts[i])) {
            check_fail(check, "a text of its descriptor is not in the plugin's own memory; write "
                              "VV_PLUGIN(...) with static texts");
            return;
        }
    }
    if (from->host == NULL || vv_image_room(&check->image, from->host) < sizeof *from->host)
        check_fail(check,
                   "its descriptor does not say where its vv_host is; let VV_PLUGIN(...) do it");
    if (from->name == NULL || strcmp(from->name, check->self->name) != 0)
        check_fail(check, "its descriptor calls it '%s'; name the file %s.so, or the plugin '%s'",
                   from->name == NULL ? "" : from->name, from->name == NULL ? "NAME" : from->name,
                   check->self->name);
}

bool vv_plugin_check(struct vv_config *config, struct vv_self *self,
                     const struct vv_plugin *descriptor, size_t size)
{
    struct check check = {.config = config, .self = self};

    if (!vv_image_find(descriptor, &check.image)) {
        check_fail(&check, "its descriptor lies outside of its file; let VV_PLUGIN(...) define it");
        return false;
    }
    if (!check_version(&check, descriptor, size))
        return false;
    memcpy(&self->descriptor, descriptor, VV_MIN(descriptor->size, sizeof self->descriptor));
    check_names(&check);
    if (!check.failed)
        check_copy_tables(&check);
    return !check.failed && vv_plugin_check_tables(config, self);
}
