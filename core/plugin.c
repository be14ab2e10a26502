/* Plugins: finding them in their folder, their services, their start and their end. */
#include "plugin.h"
#include "log.h"
#include "options.h"
#include "plugin_parts.h"
#include "request.h"
#include "router.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>

struct vv_plugins *vv_plugins;

void vv_plugin_problem(struct vv_config *config, const struct vv_self *self, const char *format,
                       ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (self->enabled)
        vv_config_problem(config, NULL, "plugin '%s': %s", self->name, text);
    else
        vv_config_warn(config, NULL, "plugin '%s': %s", self->name, text);
}

/* ---- loading --------------------------------------------------------------------------------- */

static bool plugin_enabled(struct vv_config *config, const char *name)
{
    static const struct vv_option option = {.type = VV_OPTION_TYPE_BOOL};
    const struct vv_setting *setting = vv_config_find(config, name, "enabled");
    bool enabled = false;
    const char *why;

    if (setting == NULL)
        return false;
    why = vv_option_parse(config->arena, &option, setting->value, &enabled);
    if (why != NULL)
        vv_config_problem(config, setting->source, "[%s] 'enabled' %s, not '%.100s'", name, why,
                          setting->value);
    return enabled;
}

/* Why a file's name cannot be a plugin's, or NULL. */
static const char *plugin_check_name(const char *name)
{
    const struct vv_config_section *section;
    const char *p;

    for (p = name; *p != '\0'; p++)
        if (!islower((unsigned char)*p) &&
            (p == name || (!isdigit((unsigned char)*p) && *p != '_' && *p != '-')))
            return "its name must be of a-z, 0-9, '_' and '-', beginning with a letter; rename it";
    for (section = vv_config_core_sections(); section->name != NULL; section++)
        if (strcmp(section->name, name) == 0)
            return "a section of the core has its name; rename it";
    if (p == name || strcmp(name, "limits") == 0 || strcmp(name, "core") == 0)
        return "the core has its name; rename it";
    return NULL;
}

static struct vv_self *plugin_load_file(struct vv_config *config, const char *file)
{
    struct vv_self *self = vv_arena_alloc(config->arena, sizeof *self);
    const struct vv_plugin *descriptor = NULL;
    const char *why;
    size_t size = 0;

    self->name = vv_arena_strndup(config->arena, file, strlen(file) - 3);
    self->path = vv_arena_printf(config->arena, "%s/%s", config->server.plugin_dir, file);
    self->enabled = plugin_enabled(config, self->name);
    why = plugin_check_name(self->name);
    if (why == NULL)
        why = vv_image_open(config->arena, self->path, &descriptor, &size);
    if (why != NULL)
        vv_plugin_problem(config, self, "%s", why);
    self->broken = why != NULL || !vv_plugin_check(config, self, descriptor, size);
    if (self->broken) {
        self->enabled = false;
        return self;
    }
    /* At least a byte, so that vv_conf() is never NULL. */
    self->conf = vv_arena_alloc(config->arena, self->descriptor.conf_size + 1);
    if (self->options != NULL && self->enabled)
        vv_config_fill(config, self->name, self->options, self->conf);
    else if (self->options != NULL)
        vv_config_check_section(config, self->name, self->options);
    return self;
}

static int plugin_is_file(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return length > 3 && entry->d_name[0] != '.' && strcmp(entry->d_name + length - 3, ".so") == 0;
}

struct vv_plugins *vv_plugins_load(struct vv_config *config)
{
    struct vv_plugins *plugins = vv_arena_alloc(config->arena, sizeof *plugins);
    struct dirent **files = NULL;
    int count = scandir(config->server.plugin_dir, &files, plugin_is_file, alphasort);
    size_t i;

    vv_plugins = plugins;
    plugins->count = count < 0 ? 0 : (size_t)count;
    plugins->all = vv_arena_alloc(config->arena, (plugins->count + 1) * sizeof plugins->all[0]);
    for (i = 0; i < plugins->count; i++) {
        plugins->all[i] = plugin_load_file(config, files[i]->d_name);
        plugins->all[i]->plugins = plugins;
        free(files[i]);
    }
    free(files);
    vv_config_fill_limits(config, plugins);
    vv_config_fill_families(config, plugins);
    vv_plugin_order(config, plugins);
    vv_plugin_check_clashes(config, plugins);
    vv_hooks_freeze(plugins);
    return plugins;
}

/* ---- services -------------------------------------------------------------------------------- */

static struct vv_service_entry *plugin_find_service(const struct vv_plugins *plugins,
                                                    const char *name)
{
    size_t i;

    for (i = 0; i < plugins->service_count; i++)
        if (strcmp(plugins->services[i].name, name) == 0)
            return &plugins->services[i];
    return NULL;
}

const void *vv_plugin_conf(struct vv_self *self)
{
    return self->conf;
}

static const struct vv_family *plugin_find_family(struct vv_self *self, const char *name)
{
    size_t i;

    for (i = 0; name != NULL && i < self->section_count; i++)
        if (strcmp(self->sections[i].name, name) == 0)
            return &self->families[i];
    vv_log_line(VV_LOG_ERROR, self, NULL,
                "vv_section(\"%s\"): name it in .sections of VV_PLUGIN(...)",
                name == NULL ? "" : name);
    return NULL;
}

size_t vv_plugin_section_count(struct vv_self *self, const char *family)
{
    const struct vv_family *found = plugin_find_family(self, family);

    return found == NULL ? 0 : found->count;
}

const void *vv_plugin_section(struct vv_self *self, const char *family, size_t index,
                              const char **ret_name)
{
    const struct vv_family *found = plugin_find_family(self, family);

    if (ret_name != NULL)
        *ret_name = NULL;
    if (found == NULL || index >= found->count)
        return NULL;
    if (ret_name != NULL)
        *ret_name = found->names[index];
    return found->confs[index];
}

int vv_plugin_publish(struct vv_self *self, const char *name, const struct vv_service *service)
{
    struct vv_plugins *plugins = self->plugins;
    const char *slash = name == NULL ? NULL : strchr(name, '/');

    if (slash == NULL || !vv_service_listed(self->descriptor.provides, name)) {
        vv_log_line(VV_LOG_ERROR, self, NULL,
                    "vv_publish(\"%s\"): name it in .provides of VV_PLUGIN(...)",
                    name == NULL ? "" : name);
        return VV_EINVAL;
    }
    if (service == NULL || service->size < sizeof *service ||
        service->major != strtoul(slash + 1, NULL, 10)) {
        vv_log_line(VV_LOG_ERROR, self, NULL,
                    "vv_publish(\"%s\"): the struct must begin with its size and that major", name);
        return VV_EINVAL;
    }
    if (plugin_find_service(plugins, name) != NULL) {
        vv_log_line(VV_LOG_ERROR, self, NULL, "vv_publish(\"%s\"): it is published already", name);
        return VV_EINVAL;
    }
    plugins->services =
        vv_xrealloc(plugins->services, (plugins->service_count + 1) * sizeof plugins->services[0]);
    plugins->services[plugins->service_count++] =
        (struct vv_service_entry){vv_xstrdup(name), self, service};
    return 0;
}

const struct vv_service *vv_plugin_service(struct vv_self *self, const char *name)
{
    const struct vv_service_entry *entry;

    if (name == NULL || !vv_service_listed(self->descriptor.depends, name)) {
        vv_log_line(VV_LOG_ERROR, self, NULL,
                    "vv_service(\"%s\"): name it in .depends of VV_PLUGIN(...)",
                    name == NULL ? "" : name);
        return NULL;
    }
    entry = plugin_find_service(self->plugins, name);
    return entry == NULL ? NULL : entry->service;
}

/* ---- start and end --------------------------------------------------------------------------- */

/* Whether all services it cannot do without were published: else their providers' refusal was
 * reported, and this one would only add to the noise. */
static bool plugin_can_init(const struct vv_self *self)
{
    const char *list = self->descriptor.depends;
    char service[VV_SERVICE_NAME];
    bool optional;

    while (list != NULL && vv_service_next(&list, service, &optional))
        if (!optional && plugin_find_service(self->plugins, service) == NULL)
            return false;
    return true;
}

/* Its own sentence where it gave one. */
static const char *plugin_reason(struct vv_request *req, int rc)
{
    if (req->problem.status != 0 && req->problem.detail != NULL)
        return req->problem.detail;
    return vv_arena_printf(req->arena,
                           "init() of plugin '%s' returned %d without saying why; it should end "
                           "with vv_fail()",
                           req->plugin->name, rc);
}

static bool plugin_init(struct vv_self *self)
{
    const char *list = self->descriptor.provides;
    char service[VV_SERVICE_NAME];
    bool optional;

    if (self->descriptor.init != NULL) {
        int rc;

        self->init = vv_request_new(VV_UNIT_INIT, self, "init", 0);
        rc = self->descriptor.init(self->init);
        if (rc < 0) {
            vv_config_problem(vv_config, NULL, "[%s] %s", self->name,
                              plugin_reason(self->init, rc));
            return false;
        }
    }
    while (list != NULL && vv_service_next(&list, service, &optional)) {
        if (plugin_find_service(self->plugins, service) != NULL)
            continue;
        vv_config_problem(vv_config, NULL,
                          "plugin '%s': it provides '%s' but did not publish it; call vv_publish() "
                          "in init",
                          self->name, service);
        return false;
    }
    return true;
}

bool vv_plugins_init(struct vv_plugins *plugins)
{
    bool fine = true;
    size_t i;

    for (i = 0; i < plugins->enabled_count; i++) {
        vv_host_fill(plugins->all[i]);
        *plugins->all[i]->descriptor.host = &plugins->all[i]->host;
    }
    /* Those that come after one that refuses are asked as well: all mistakes at once. */
    for (i = 0; i < plugins->enabled_count; i++)
        if (!plugin_can_init(plugins->all[i]) || !plugin_init(plugins->all[i]))
            fine = false;
    return fine;
}

static struct vv_fiber **plugin_starts; /* fibers of start functions that have not ended */

static void plugin_start_done(struct vv_request *req, void *arg, int result)
{
    struct vv_fiber **slot = arg;

    if (result < 0 && result != VV_ECANCELED)
        vv_log_line(VV_LOG_ERROR, req->plugin, req, "start() failed: %s",
                    plugin_reason(req, result));
    *slot = NULL;
    vv_request_end(req);
}

static int plugin_begin_start(struct vv_request *req, void *arg)
{
    struct vv_fiber **slot = arg;

    *slot = vv_fiber_current();
    return req->plugin->descriptor.start(req);
}

void vv_plugins_start(struct vv_plugins *plugins)
{
    size_t i;

    if (plugin_starts == NULL)
        plugin_starts = vv_xcalloc(plugins->enabled_count + 1, sizeof(struct vv_fiber *));
    for (i = 0; i < plugins->enabled_count; i++) {
        struct vv_self *self = plugins->all[i];
        struct vv_request *req;

        if (self->descriptor.start == NULL)
            continue;
        req = vv_request_new(VV_UNIT_START, self, "start", 0);
        if (vv_request_spawn(req, plugin_begin_start, plugin_start_done, &plugin_starts[i]) < 0) {
            vv_log_line(VV_LOG_ERROR, self, req, "no fiber is left for start()");
            vv_request_end(req);
        }
    }
}

void vv_plugins_stop(struct vv_plugins *plugins)
{
    size_t i;

    for (i = plugins->enabled_count; i-- > 0;) {
        struct vv_self *self = plugins->all[i];

        if (plugin_starts != NULL && plugin_starts[i] != NULL)
            vv_fiber_cancel(plugin_starts[i]);
        if (self->descriptor.stop != NULL)
            self->descriptor.stop();
    }
}

/* ---- telling about them ---------------------------------------------------------------------- */

static const char *plugin_who(uint32_t who)
{
    static const char *const names[] = {"anyone", "user", "key", "service"};

    return who < VV_ARRAY_SIZE(names) ? names[who] : "?";
}

/* "auth", "user", "auth,user" or "-". */
static const char *plugin_limits(const struct vv_route_entry *entry, char text[64])
{
    const char *address = entry->limits[VV_PER_ADDRESS].name;
    const char *user = entry->limits[VV_PER_USER].name;

    if (address == NULL || user == NULL)
        return address != NULL ? address : user != NULL ? user : "-";
    snprintf(text, 64, "%s,%s", address, user);
    return text;
}

void vv_plugins_print_routes(const struct vv_plugins *plugins)
{
    size_t count, i;
    const struct vv_route_entry *entries = vv_router_entries(&count);
    int width = (int)strlen("path");

    (void)plugins;
    for (i = 0; i < count; i++)
        width = VV_MAX(width, (int)strlen(entries[i].route->pattern));
    printf("%-6s  %-*s  %-7s  %-10s  %-10s  %s\n", "method", width, "path", "who", "limit",
           "plugin", "summary");
    for (i = 0; i < count; i++) {
        const struct vv_route *route = entries[i].route;
        char limits[64];

        printf("%-6s  %-*s  %-7s  %-10s  %-10s  %s\n", vv_method_name(route->method), width,
               route->pattern, plugin_who(route->who), plugin_limits(&entries[i], limits),
               entries[i].plugin == NULL ? "core" : entries[i].plugin->name,
               route->summary == NULL ? "" : route->summary);
    }
}
