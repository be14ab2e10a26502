/* Wants the route that the hello example has. */
#include <vv/plugin.h>

static int handler(struct vv_request *req)
{
    return vv_reply_message(req, "never");
}

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "/hello", VV_ANYONE, handler, .summary = "The same route"),
    VV_END,
};

VV_PLUGIN(.name = "clash", .version = "1", .summary = "Wants another one's route", .routes = routes)
