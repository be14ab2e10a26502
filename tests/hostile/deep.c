/* Fields that have themselves as fields. */
#include <vv/plugin.h>

static int handler(struct vv_request *req)
{
    return vv_reply_message(req, "never");
}

static const struct vv_field fields[];
static const struct vv_field fields[] = {
    VV_FIELD_OBJECT("child", fields, 0, "And so on"),
    VV_END,
};

static const struct vv_route routes[] = {
    VV_ROUTE(VV_POST, "/deep", VV_ANYONE, handler, .body = fields, .summary = "Bottomless"),
    VV_END,
};

VV_PLUGIN(.name = "deep", .version = "1", .summary = "Fields without a bottom", .routes = routes)
