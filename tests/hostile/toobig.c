/* A descriptor that claims more bytes than the file has for it. */
#include <vv/base.h>

struct hand_written {
    uint32_t size;
    uint16_t sdk_major, needs_minor;
    uint32_t rest[2];
};

extern VV_EXPORT const struct hand_written vv_plugin;
const struct hand_written vv_plugin = {.size = 1000000, .needs_minor = VV_SDK_MINOR};
