/* Built for an SDK of the far future. */
#include <vv/base.h>
#undef VV_SDK_MAJOR
#define VV_SDK_MAJOR 99
#include <vv/plugin.h>

VV_PLUGIN(.name = "major99", .version = "1", .summary = "From the future")
