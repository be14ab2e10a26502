/* Built for a newer minor of the SDK than the server has. */
#define VV_SDK_TARGET 99
#include <vv/plugin.h>

VV_PLUGIN(.name = "minor99", .version = "1", .summary = "From next year")
