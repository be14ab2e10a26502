/* The services "subscriptions/1" and "plans/1", and the event of a changed subscription. */
#ifndef VV_SUBSCRIPTIONS_H
#define VV_SUBSCRIPTIONS_H

#include <vv/db.h>

VV_BEGIN_C

#define VV_UNLIMITED (-1)

/* A plan as it is sold now. Static: plans change with the configuration only. */
struct vv_plan {
    uint32_t size;
    const char *id;    /* the section's name: "pro" */
    const char *name;  /* "Pro" */
    int64_t api_calls; /* a month; VV_UNLIMITED */
};

/*
 * What a subscription gives, by the one table of states (which grant access, and until when). All
 * times are microseconds since 1970, by the database's clock when compared.
 */
struct vv_access {
    uint32_t size;
    uint32_t granted; /* 1: it gives access (until `until`) */
    int64_t user_id;
    const char *plan_id; /* "" when no plan knows the price */
    const char *status;  /* Stripe's; "none" without a subscription */
    int64_t until;       /* access ends then; INT64_MAX: not by itself */
    int64_t anchor;      /* when the subscription began: quota months are counted from it */
    int64_t ends_at;     /* it ends then for good (cancelled at period end); 0 = it renews */
};

/*
 * "subscription.changed": inside the transaction that changes the row, for whatever change of it.
 * Data: struct vv_access of the user's subscription that counts now.
 */
static inline const struct vv_access *vv_event_access(const struct vv_event *event)
{
    return (const struct vv_access *)event->data;
}

struct vv_subscriptions_service {
    struct vv_service base;

    /* The subscription of a user that counts now. May wait. VV_ENOTFOUND: there never was one. */
    int (*access)(struct vv_request *req, int64_t user_id, struct vv_access *ret_access);

    /* Calls function() with the access of every user who has a subscription, in a job or a start
     * function: for plugins that were off for a while. May wait. */
    int (*each)(struct vv_request *req,
                int (*function)(struct vv_request *req, const struct vv_access *access, void *arg),
                void *arg);
};

struct vv_plans_service {
    struct vv_service base;
    size_t (*count)(void);
    const struct vv_plan *(*at)(size_t index);
    const struct vv_plan *(*find)(const char *id); /* NULL: no such plan */
};

/* The services, for plugins that name them in `depends`; NULL for an optional one that is off. */
static inline const struct vv_subscriptions_service *vv_subscriptions(void)
{
    return (const struct vv_subscriptions_service *)(const void *)vv_service("subscriptions/1");
}

static inline const struct vv_plans_service *vv_plans(void)
{
    return (const struct vv_plans_service *)(const void *)vv_service("plans/1");
}

VV_END_C

#endif
