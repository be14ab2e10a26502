/*
 * The plugin SDK: include this, fill in VV_PLUGIN(), and link nothing.
 *
 * Log of versions (a plugin built for an older minor of the same major keeps loading from 1.0 on;
 * while the major is 0, the minors must be equal):
 *   0.1  the descriptor, options, routes, hooks, jobs, schedules, commands, checks, metrics,
 *        limits; requests, JSON, the database, batches, services
 *   0.2  families of sections ([plan:pro]); outgoing HTTP; batches that enqueue jobs
 *   0.3  rates in shared memory, limits per user, routes that identify their caller themselves;
 *        batches that wait for locks
 */
#ifndef VV_PLUGIN_H
#define VV_PLUGIN_H

#include <vv/db.h>
#include <vv/http.h>

VV_BEGIN_C

/* The size of one element of each table, as the plugin was compiled: how the core walks them. */
struct vv_strides {
    uint32_t option, field, route, hook, job, schedule, command, check, metric, limit, section;
    uint32_t later[5]; /* of tables to come: 0 */
};

/*
 * The descriptor: the one symbol, "vv_plugin", that a plugin exports. VV_PLUGIN() writes it, sizes
 * and versions included.
 */
struct vv_plugin {
    uint32_t size;
    uint16_t sdk_major, needs_minor;
    struct vv_strides strides;
    const struct vv_host **host;

    const char *name;     /* [a-z][a-z0-9_-]*: the section of the INI, sql/NAME, templates/NAME */
    const char *version;  /* the plugin's own */
    const char *summary;  /* one line */
    const char *depends;  /* services it uses: "auth/1, mail/1?" ('?': may be missing) */
    const char *provides; /* services it publishes in init: "notes/1" */

    uint32_t conf_size; /* of the struct that `options` describe */
    const struct vv_option *options;
    const struct vv_route *routes;
    const struct vv_hook *hooks;
    const struct vv_job *jobs;
    const struct vv_schedule *schedules;
    const struct vv_command *commands;
    const struct vv_check *checks;
    const struct vv_metric *metrics;
    const struct vv_limit *limits;
    const struct vv_section *sections;

    /*
     * Runs once in each generation, before the workers are forked: options are set, services of
     * earlier plugins are there. It checks what a table cannot, publishes services, and must not
     * start threads or open connections. With `req` it can allocate memory for ever, log and fail:
     * an error stops the start (or keeps the old generation) with the vv_fail() sentence.
     */
    int (*init)(struct vv_request *req);

    /* Runs in each worker on a fiber of its own, when the database's schema is ready; may wait and
     * may go on as long as the worker lives (vv_sleep() returns VV_ECANCELED at its end). */
    int (*start)(struct vv_request *req);

    /* Runs in each worker at its end; must not wait. */
    void (*stop)(void);
};

VV_END_C

/*
 * The last thing in a plugin's main file:
 *     VV_PLUGIN(.name = "guestbook", .version = "1.0.0", .summary = "...", .routes = routes)
 * (in C++: VV_PLUGIN(VV_SET(name, "guestbook"), ...)).
 */
#define VV_PLUGIN(...)                                                                           \
    VV_BEGIN_C                                                                                   \
    const struct vv_host *vv_host;                                                               \
    extern VV_EXPORT const struct vv_plugin vv_plugin;                                           \
    VV_END_C                                                                                     \
    const struct vv_plugin vv_plugin = VV_ELEMENT_(                                              \
        vv_plugin, VV_SET(size, (uint32_t)sizeof(struct vv_plugin)),                             \
        VV_SET(sdk_major, VV_SDK_MAJOR), VV_SET(needs_minor, VV_SDK_TARGET), VV_STRIDE_(option), \
        VV_STRIDE_(field), VV_STRIDE_(route), VV_STRIDE_(hook), VV_STRIDE_(job),                 \
        VV_STRIDE_(schedule), VV_STRIDE_(command), VV_STRIDE_(check), VV_STRIDE_(metric),        \
        VV_STRIDE_(limit), VV_STRIDE_(section), VV_SET(host, &vv_host), __VA_ARGS__);

#define VV_STRIDE_(table) VV_SET(strides.table, (uint32_t)sizeof(struct vv_##table))

#endif
