/* A table without VV_END, as long as memory. */
#include <vv/plugin.h>

static int hook(struct vv_request *req, struct vv_event *event)
{
    (void)req;
    (void)event;
    return VV_NEXT;
}

/* 4097 of them: one more than the loader looks at. */
#define HOOK VV_HOOK("x.y", 0, hook)
#define A    HOOK, HOOK, HOOK, HOOK, HOOK, HOOK, HOOK, HOOK
#define B    A, A, A, A, A, A, A, A
#define C    B, B, B, B, B, B, B, B
#define D    C, C, C, C, C, C, C, C

static const struct vv_hook hooks[] = {D, HOOK, VV_END};

VV_PLUGIN(.name = "endless", .version = "1", .summary = "More hooks than anybody", .hooks = hooks)
