/* init refuses and does not say why. */
#include <vv/plugin.h>

static int init(struct vv_request *req)
{
    (void)req;
    return VV_EINVAL;
}

VV_PLUGIN(.name = "initsilent", .version = "1", .summary = "Refuses without a word", .init = init)
