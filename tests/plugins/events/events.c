/* Hooks: emits "greeting.sent" and takes part in it itself, first and last. */
#include <vv/plugin.h>

/* What the event carries; its hooks write down that they were there. */
struct greeting {
    uint32_t size;
    const char *name;
};

static int first(struct vv_request *req, struct vv_event *event)
{
    (void)req;
    vv_put(event->reply, NULL, VV_TEXT("events first"));
    return VV_NEXT;
}

static int last(struct vv_request *req, struct vv_event *event)
{
    (void)req;
    vv_put(event->reply, NULL, VV_TEXT("events last"));
    return VV_NEXT;
}

static int greet(struct vv_request *req)
{
    const struct greeting greeting = {sizeof greeting, vv_param_text(req, "name")};
    struct vv_json *json = vv_object(req);
    struct vv_event event;
    int rc;

    vv_open_array(json, "asked");
    event = VV_EVENT("greeting.sent", NULL, &greeting, json);
    rc = vv_emit(req, &event);
    if (rc < 0)
        return rc;
    vv_close(json);
    vv_put(json, "verdict", VV_TEXT(rc == VV_DONE ? "done" : "next"));
    event = VV_EVENT("nobody.listens", NULL, NULL, NULL);
    VV_TRY(vv_emit(req, &event));
    return vv_reply(req, 200, json);
}

static const struct vv_field greet_query[] = {
    VV_FIELD_TEXT("name", 1, 20, VV_REQUIRED, "Who is greeted"),
    VV_END,
};

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "/events", VV_ANYONE, greet, .query = greet_query, .summary = "Emits"),
    VV_END,
};

static const struct vv_hook hooks[] = {
    VV_HOOK("greeting.sent", VV_PRIORITY_LAST, last),
    VV_HOOK("greeting.sent", VV_PRIORITY_FIRST, first),
    VV_END,
};

VV_PLUGIN(.name = "events", .version = "1", .summary = "Emits an event", .routes = routes,
          .hooks = hooks)
