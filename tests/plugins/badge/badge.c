/* Identifying: says who calls by a token "user-NUMBER", a key "key-NUMBER", or a service's word. */
#include <stdlib.h>
#include <vv/plugin.h>

static int identify(struct vv_request *req, struct vv_event *event)
{
    const struct vv_identify *asked = event->data;
    struct vv_caller caller = VV_CALLER(asked->who, 0);
    const char *credential = asked->who == VV_KEY ? asked->api_key : asked->authorization;

    if (credential == NULL)
        return VV_NEXT;
    if (asked->who == VV_USER && strncmp(credential, "Bearer user-", 12) == 0) {
        caller.user_id = strtoll(credential + 12, NULL, 10);
        caller.session_id = 77;
    } else if (asked->who == VV_KEY && strncmp(credential, "key-", 4) == 0) {
        caller.user_id = caller.key_id = strtoll(credential + 4, NULL, 10);
    } else if (asked->who == VV_SERVICE && strcmp(credential, "Bearer back-end") == 0) {
        caller.name = "back-end";
    } else {
        return vv_fail(req, 401, "bad_badge", "That badge is not one of ours");
    }
    return vv_set_caller(req, &caller);
}

static int whoami(struct vv_request *req)
{
    const struct vv_caller *caller = vv_caller(req);
    struct vv_json *json = vv_object(req);

    vv_put(json, "who", VV_INT(caller->who));
    vv_put(json, "user", VV_INT(vv_caller_id(req)));
    vv_put(json, "session", VV_INT(caller->session_id));
    vv_put(json, "key", VV_INT(caller->key_id));
    vv_put(json, "name", VV_TEXT(caller->name));
    return vv_reply(req, 200, json);
}

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "/badge/user", VV_USER, whoami, .summary = "For users"),
    VV_ROUTE(VV_GET, "/badge/key", VV_KEY, whoami, .summary = "For keys"),
    VV_ROUTE(VV_GET, "/badge/service", VV_SERVICE, whoami, .summary = "For services"),
    VV_END,
};

static const struct vv_hook hooks[] = {
    VV_HOOK("request.identify", VV_PRIORITY_NORMAL, identify),
    VV_END,
};

VV_PLUGIN(.name = "badge", .version = "1", .summary = "Says who calls", .routes = routes,
          .hooks = hooks)
