/* A descriptor written by hand, with a stride that no compiler would have filled in. */
#include <vv/plugin.h>

static const struct vv_limit limits[] = {VV_LIMIT("stride", "1/m", "Never counted"), VV_END};

const struct vv_host *vv_host;
extern VV_EXPORT const struct vv_plugin vv_plugin;
const struct vv_plugin vv_plugin = {
    .size = sizeof(struct vv_plugin),
    .needs_minor = VV_SDK_MINOR,
    .strides.limit = 3,
    .host = &vv_host,
    .name = "stride",
    .version = "1",
    .summary = "Counts wrongly",
    .limits = limits,
};
