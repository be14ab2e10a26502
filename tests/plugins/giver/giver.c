/* Services: publishes "numbers/1" for others. */
#include <vv/plugin.h>

struct numbers_service {
    struct vv_service base;
    int64_t (*next)(void);
};

static int64_t number;

static int64_t next(void)
{
    return ++number;
}

static const struct numbers_service service = {
    .base = {.size = sizeof service, .major = 1, .minor = 0},
    .next = next,
};

static int init(struct vv_request *req)
{
    /* What nobody declared in `provides` cannot be published. */
    if (vv_publish("secrets/1", &service.base) >= 0)
        return vv_fail(req, 500, "published", "secrets/1 should not have been accepted");
    return vv_publish("numbers/1", &service.base);
}

VV_PLUGIN(.name = "giver", .version = "1", .summary = "Publishes a service",
          .provides = "numbers/1", .init = init)
