/* A descriptor without a size, as one written by hand has it. */
#include <vv/base.h>

struct hand_written {
    uint32_t size;
    uint16_t sdk_major, needs_minor;
    const char *name;
};

extern VV_EXPORT const struct hand_written vv_plugin;
const struct hand_written vv_plugin = {.size = 0, .needs_minor = VV_SDK_MINOR, .name = "size0"};
