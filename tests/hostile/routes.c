/* Routes that cannot be: patterns, a method, a missing handler, a limit nobody declares. */
#include <vv/plugin.h>

static int handler(struct vv_request *req)
{
    return vv_reply_message(req, "never");
}

static const struct vv_field fields[] = {
    VV_FIELD_ENUM("mood", NULL, 0, "Without choices"),
    VV_FIELD_TEXT("word", 9, 3, 0, "Upside down"),
    VV_FIELD_TEXT("word", 0, 0, 0, "Again"),
    VV_END,
};

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "notes", VV_ANYONE, handler, .summary = "Without its slash"),
    VV_ROUTE(VV_GET, "/notes/", VV_ANYONE, handler, .summary = "With one too many"),
    VV_ROUTE(VV_GET, "/notes/a{id}", VV_ANYONE, handler, .summary = "Half a parameter"),
    VV_ROUTE(VV_GET, "/notes/{Id}", VV_ANYONE, handler, .summary = "A capital letter"),
    VV_ROUTE(VV_GET, "/no tes", VV_ANYONE, handler, .summary = "A space"),
    VV_ROUTE(99, "/method", VV_ANYONE, handler, .summary = "A method nobody knows"),
    VV_ROUTE(VV_GET, "/caller", 99, handler, .summary = "A caller nobody knows"),
    VV_ROUTE(VV_GET, "/handler", VV_ANYONE, NULL, .summary = "Nobody answers"),
    VV_ROUTE(VV_POST, "/fields", VV_ANYONE, handler, .body = fields, .summary = "Bad fields"),
    VV_END,
};

VV_PLUGIN(.name = "routes", .version = "1", .summary = "Routes that cannot be", .routes = routes)
