/* Routes: from method and path to the handler, its plugin and its parameters. */
#ifndef VV_CORE_ROUTER_H
#define VV_CORE_ROUTER_H

#include "config.h"
#include <vv/route.h>

#define VV_ROUTER_PARAMS 8

struct vv_self;

struct vv_route_entry {
    const struct vv_route *route;
    struct vv_self *plugin;                         /* NULL: the core's own */
    struct vv_config_limit limits[VV_PER_USER + 1]; /* by enum vv_limit_per; name NULL = none */
};

struct vv_route_match {
    const struct vv_route_entry *entry; /* NULL: see `allow` */
    unsigned allow; /* bits 1 << enum vv_method of the path's methods; 0 = 404 */
    size_t param_count;
    struct {
        const char *name;  /* points into the pattern */
        const char *value; /* points into the path */
        size_t name_length, length;
    } params[VV_ROUTER_PARAMS];
};

/* Builds the table from the core's routes and those of all enabled plugins. False: two clash; the
 * configuration's problems name both plugins. */
bool vv_router_build(void);

/* Looks a decoded path up. Static segments win over {parameters}. */
void vv_router_match(uint32_t method, const char *path, struct vv_route_match *ret_match);

/* Every entry, for --show-routes and the OpenAPI document. */
const struct vv_route_entry *vv_router_entries(size_t *ret_count);

/* The core's own routes: health, metrics, OpenAPI. Ends with VV_END. builtin.c */
extern const struct vv_route vv_builtin_routes[];

const char *vv_method_name(uint32_t method);

#endif
