/* Limits of users where nobody knows the user yet, and a name that means something else. */
#include <vv/plugin.h>

static int handler(struct vv_request *req)
{
    return vv_reply_message(req, "never");
}

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "/counted", VV_ANYONE, handler, .limit = "counted", .summary = "Nobody"),
    VV_ROUTE(VV_GET, "/counted/self", VV_KEY, handler, .limit = "counted",
             .flags = VV_SELF_IDENTIFIED, .summary = "Somebody, later"),
    VV_ROUTE(VV_GET, "/counted/key", VV_KEY, handler, .limit = "counted", .summary = "Somebody"),
    VV_END,
};

static const struct vv_limit limits[] = {
    VV_USER_LIMIT("counted", "5/m", "Calls of one user"),
    VV_LIMIT("user", "5/m", "Calls of an address"),
    VV_END,
};

VV_PLUGIN(.name = "counted", .version = "1", .summary = "Limits of nobody", .routes = routes,
          .limits = limits)
