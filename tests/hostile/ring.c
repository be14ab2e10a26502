/* One of three plugins that need one another in a circle. */
#include <vv/plugin.h>

VV_PLUGIN(.name = RING_NAME, .version = "1", .summary = "Needs the next of its ring",
          .depends = RING_NEEDS, .provides = RING_GIVES)
