/* Needs a service that nobody has. */
#include <vv/plugin.h>

VV_PLUGIN(.name = "needy", .version = "1", .summary = "Needs the moon", .depends = "moon/1, sun/1?")
