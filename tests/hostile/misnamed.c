/* Calls itself by the name of another plugin. */
#include <vv/plugin.h>

VV_PLUGIN(.name = "hello", .version = "1", .summary = "Not the hello it says it is")
