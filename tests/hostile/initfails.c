/* init refuses, with a sentence. */
#include <vv/plugin.h>

static int init(struct vv_request *req)
{
    return vv_fail(req, 500, "no_moon", "moon is not full; wait for the %dth", 14);
}

VV_PLUGIN(.name = "initfails", .version = "1", .summary = "Refuses to start", .init = init)
