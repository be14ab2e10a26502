/* A route with a limit that nobody declares. */
#include <vv/plugin.h>

static int handler(struct vv_request *req)
{
    return vv_reply_message(req, "never");
}

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "/limitless", VV_ANYONE, handler, .limit = "nobody", .summary = "Unlimited"),
    VV_END,
};

VV_PLUGIN(.name = "limitless", .version = "1", .summary = "A limit that nobody declares",
          .routes = routes)
