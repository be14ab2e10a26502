/* A limit that counts per something that no server knows. */
#include <vv/plugin.h>

static const struct vv_limit limits[] = {
    {.name = "perhaps", .value = "5/m", .help = "Per planet", .per = 9},
    VV_END,
};

VV_PLUGIN(.name = "perhaps", .version = "1", .summary = "A limit per planet", .limits = limits)
