/* Provides a service, it says, and never publishes it. */
#include <vv/plugin.h>

VV_PLUGIN(.name = "promises", .version = "1", .summary = "Promises and does not keep",
          .provides = "stars/1")
