/* A table that lies outside of the plugin, where nothing may be read. */
#include <vv/plugin.h>

VV_PLUGIN(.name = "stray", .version = "1", .summary = "Points elsewhere",
          .routes = (const struct vv_route *)(uintptr_t)0x1000)
