/* Services: uses "numbers/1" where there is one, and does without it where there is none. */
#include <vv/plugin.h>

/* As the giver's header would have it, with its accessor. */
struct numbers_service {
    struct vv_service base;
    int64_t (*next)(void);
};

static inline const struct numbers_service *numbers(void)
{
    return (const struct numbers_service *)(const void *)vv_service("numbers/1");
}

static int take(struct vv_request *req)
{
    struct vv_json *json = vv_object(req);

    vv_put(json, "number", numbers() == NULL ? VV_NULL() : VV_INT(numbers()->next()));
    vv_put(json, "undeclared", VV_BOOL(vv_service("other/1") != NULL));
    return vv_reply(req, 200, json);
}

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "/taker", VV_ANYONE, take, .summary = "Takes a number"),
    VV_END,
};

VV_PLUGIN(.name = "taker", .version = "1", .summary = "Uses a service", .depends = "numbers/1?",
          .routes = routes)
