/* Hooks: takes part in another plugin's event, waits in it, settles it, or refuses. */
#include <vv/plugin.h>

/* As the header of the events plugin would have it. */
struct greeting {
    uint32_t size;
    const char *name;
};

static int listen(struct vv_request *req, struct vv_event *event)
{
    const struct greeting *greeting = event->data;

    VV_TRY(vv_sleep(req, 1));
    vv_put(event->reply, NULL, VV_TEXT("listener"));
    vv_log(req, VV_LOG_INFO, "heard of %s", greeting->name);
    if (strcmp(greeting->name, "nobody") == 0)
        return vv_fail(req, 403, "not_greeted", "Nobody is not greeted");
    return strcmp(greeting->name, "enough") == 0 ? VV_DONE : VV_NEXT;
}

static const struct vv_hook hooks[] = {
    VV_HOOK("greeting.sent", VV_PRIORITY_NORMAL, listen),
    VV_END,
};

VV_PLUGIN(.name = "listener", .version = "1", .summary = "Takes part in another's event",
          .hooks = hooks)
