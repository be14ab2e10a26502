/* Reads Stripe's objects, of the API versions before and after the period moved to the items. */
#include "inbound.h"

#define OBJECT_TEXT_MAX 255 /* of any id or type; Stripe's are shorter */

static const char *object_text(const struct vv_value *value, const char *name)
{
    const char *text = vv_get_text(value, name);

    return text != NULL && text[0] != '\0' && strlen(text) <= OBJECT_TEXT_MAX ? text : NULL;
}

static const char *object_id(const struct vv_value *value, const char *name)
{
    const char *id = stripe_id_of(value, name);

    return id != NULL && stripe_id_ok(id) ? id : NULL;
}

int stripe_object_event(const struct vv_value *value, struct stripe_event *ret_event)
{
    const struct vv_value *object = vv_get(vv_get(value, "data"), "object");
    const char *kind = object_text(value, "object"), *what = object_text(object, "object");
    struct stripe_event event = {
        .id = object_id(value, "id"),
        .type = object_text(value, "type"),
        .object_id = object_text(object, "id"),
        .customer = object_id(object, "customer"),
        .created = stripe_time_of(value, "created"),
    };

    if (kind == NULL || strcmp(kind, "event") != 0 || event.id == NULL || event.type == NULL ||
        what == NULL || event.created <= 0)
        return VV_EINVAL;
    if (strcmp(what, "customer") == 0)
        event.customer = object_id(object, "id");
    *ret_event = event;
    return 0;
}

static const char *object_price(const struct vv_value *item)
{
    const char *price = object_id(item, "price");

    return price != NULL ? price : object_id(item, "plan");
}

int stripe_object_subscription(const struct vv_value *value, struct stripe_sub *ret_sub)
{
    const struct vv_value *item = vv_at(vv_get(vv_get(value, "items"), "data"), 0);
    struct stripe_sub sub = {
        .subscription = object_id(value, "id"),
        .customer = object_id(value, "customer"),
        .status = object_text(value, "status"),
        .price = object_price(item),
        .period_start = stripe_time_of(item, "current_period_start"),
        .period_end = stripe_time_of(item, "current_period_end"),
        .anchor = stripe_time_of(value, "start_date"),
        .cancel_at = stripe_time_of(value, "cancel_at"),
        .ended_at = stripe_time_of(value, "ended_at"),
        .trial_start = stripe_time_of(value, "trial_start"),
        .trial_end = stripe_time_of(value, "trial_end"),
        .created_at = stripe_time_of(value, "created"),
        .cancel_at_period_end = vv_get_bool(value, "cancel_at_period_end", false),
    };

    if (sub.subscription == NULL || sub.customer == NULL || sub.status == NULL ||
        sub.created_at <= 0)
        return VV_EINVAL;
    if (sub.period_end == 0) {
        sub.period_start = stripe_time_of(value, "current_period_start");
        sub.period_end = stripe_time_of(value, "current_period_end");
    }
    if (sub.price == NULL)
        sub.price = object_price(value); /* "plan", of the oldest versions */
    if (sub.anchor == 0)
        sub.anchor = sub.created_at;
    *ret_sub = sub;
    return 0;
}

bool stripe_object_older(const struct stripe_sub *a, const struct stripe_sub *b)
{
    return a->created_at != b->created_at ? a->created_at < b->created_at
                                          : strcmp(a->subscription, b->subscription) < 0;
}
