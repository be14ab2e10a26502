/* Loaded plugins: their tables in the core's own form, in the order in which they start. */
#ifndef VV_CORE_PLUGIN_H
#define VV_CORE_PLUGIN_H

#include "base.h"
#include <vv/plugin.h>

struct vv_config;

/* The sections of one family that the configuration has, in the order in which they were written.
 */
struct vv_family {
    const char **names; /* what stands behind the colon */
    void **confs;       /* NULL: the plugin is off */
    size_t count;
};

/* One plugin: <vv/base.h> calls it struct vv_self. Tables are copies, element by element, each
 * ended by a zeroed element; counts leave that out. */
struct vv_self {
    const char *name;
    const char *path;
    struct vv_plugin descriptor; /* a zeroed copy, as large as ours */
    struct vv_option *options;
    struct vv_route *routes;
    struct vv_hook *hooks;
    struct vv_job *jobs;
    struct vv_schedule *schedules;
    struct vv_command *commands;
    struct vv_check *checks;
    struct vv_metric *metrics;
    struct vv_limit *limits;
    struct vv_section *sections;
    struct vv_family *families; /* one for each of `sections` */
    size_t route_count, hook_count, job_count, schedule_count, command_count, check_count,
        metric_count, limit_count, section_count;
    void *conf;
    struct vv_request *init; /* what init allocates from: never ended */
    bool enabled;            /* its section says so */
    bool broken;             /* its file or descriptor is unfit: only name and path are set */
    uint32_t first_metric;   /* index of its first slot in the shared metrics */
    struct vv_host host;     /* its table */
    struct vv_plugins *plugins;
};

/* A hook in the frozen order of its event. */
struct vv_hook_entry {
    struct vv_self *plugin;
    vv_hook_function *function;
    int32_t priority;
};

struct vv_hook_event {
    const char *name;
    struct vv_hook_entry *entries;
    size_t count;
};

struct vv_service_entry {
    const char *name;
    struct vv_self *plugin;
    const struct vv_service *service;
};

struct vv_plugins {
    struct vv_self *
        *all; /* every .so found; enabled ones in the order in which they start, first */
    size_t count, enabled_count;
    struct vv_hook_event *events;
    size_t event_count;
    struct vv_service_entry *services;
    size_t service_count;
};

/* The plugins of this process; set by vv_plugins_load(). */
extern struct vv_plugins *vv_plugins;

/*
 * Reads every descriptor in plugin_dir, checks it, fills the structs of the enabled plugins from
 * the configuration, orders them by what they depend on, and freezes the hooks. Mistakes are
 * gathered in the configuration. Calls nothing of a plugin.
 */
struct vv_plugins *vv_plugins_load(struct vv_config *config);

/* Calls init of each, in order. False: one refused; the log says why. */
bool vv_plugins_init(struct vv_plugins *plugins);

/* Spawns the start fibers; later, calls stop in reverse order. */
void vv_plugins_start(struct vv_plugins *plugins);
void vv_plugins_stop(struct vv_plugins *plugins);

/* --show-hooks, --show-routes. */
void vv_plugins_print_hooks(const struct vv_plugins *plugins);
void vv_plugins_print_routes(const struct vv_plugins *plugins);

/* Whether somebody takes part in that event. */
bool vv_plugins_hooked(const char *event);

/* The host's functions of these names. */
const void *vv_plugin_conf(struct vv_self *self);
size_t vv_plugin_section_count(struct vv_self *self, const char *family);
const void *vv_plugin_section(struct vv_self *self, const char *family, size_t index,
                              const char **ret_name);
int vv_plugin_publish(struct vv_self *self, const char *name, const struct vv_service *service);
const struct vv_service *vv_plugin_service(struct vv_self *self, const char *name);
int vv_plugin_emit(struct vv_self *self, struct vv_request *req, struct vv_event *event);

/* Fills a plugin's host table: host.c. */
void vv_host_fill(struct vv_self *self);

#endif
