/* A table without VV_END, as long as memory. */
#include <vv/plugin.h>

static int hook(struct vv_request *req, struct vv_event *event)
{
    (void)req;
    (void)event;
    return VV_NEXT;
}

#define HOOK       VV_HOOK("x.y", 0, hook)
#define EIGHT(x)   x, x, x, x, x, x, x, x
#define HOOKS_4096 EIGHT(EIGHT(EIGHT(EIGHT(HOOK))))

static const struct vv_hook hooks[] = {HOOKS_4096, HOOK, VV_END};

VV_PLUGIN(.name = "endless", .version = "1", .summary = "More hooks than anybody", .hooks = hooks)
