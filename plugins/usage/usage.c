/* Entitlements and usage: the table of contents of this plugin, and its start. */
#include "usage.h"

#include <stdlib.h>
#include <vv/plugin.h>

struct usage_setup usage_setup;

static const struct vv_option options[] = {
    VV_OPTION_RATE(struct usage_conf, rate_limit, "600/m", 0,
                   "Validated and authorized calls of one user, exact over all machines"),
    VV_OPTION_TEXT(struct usage_conf, default_quota, "1000", 0,
                   "Calls in a month of every account where no plans are sold: a number, or "
                   "unlimited"),
    VV_OPTION_INT(struct usage_conf, retention_months, "13", 2, 1200, 0,
                  "How many months single calls are kept"),
    VV_END,
};

static const struct vv_hook hooks[] = {
    VV_HOOK("user.registered", VV_PRIORITY_NORMAL, usage_user_registered),
    VV_HOOK("user.verified", VV_PRIORITY_NORMAL, usage_user_verified),
    VV_HOOK("user.changed", VV_PRIORITY_NORMAL, usage_user_changed),
    VV_HOOK("user.disabled", VV_PRIORITY_NORMAL, usage_user_disabled),
    VV_HOOK("user.enabled", VV_PRIORITY_NORMAL, usage_user_enabled),
    VV_HOOK("user.deleted", VV_PRIORITY_FIRST, usage_user_deleted),
    VV_HOOK("subscription.changed", VV_PRIORITY_FIRST, usage_subscription_changed),
    VV_END,
};

static int usage_credentials(const struct vv_credential_source *source)
{
    if (usage_setup.credentials != NULL)
        return VV_EINVAL;
    usage_setup.credentials = source->sql;
    return 0;
}

static const struct vv_entitlements_service service = {
    .base = {.size = sizeof service, .major = 1, .minor = 0},
    .decide = usage_decide,
    .decide_in = usage_decide_in,
    .peek = usage_peek,
    .answer = usage_answer,
    .credentials = usage_credentials,
};

static int init_quota(struct vv_request *req)
{
    const char *text = usage_conf()->default_quota;

    if (strcmp(text, "unlimited") == 0) {
        usage_setup.default_quota = VV_UNLIMITED;
        return 0;
    }
    if (text[0] == '\0' || strlen(text) > 15 || strspn(text, "0123456789") != strlen(text))
        return vv_fail(req, 500, "bad_quota",
                       "[usage] default_quota must be a whole number, or unlimited");
    usage_setup.default_quota = strtoll(text, NULL, 10);
    return 0;
}

static int usage_init(struct vv_request *req)
{
    const struct vv_rate *rate = &usage_conf()->rate_limit;

    VV_TRY(init_quota(req));
    if (rate->count > 0) {
        usage_setup.rate_each = rate->period * 1000 / rate->count;
        if (usage_setup.rate_each == 0)
            usage_setup.rate_each = 1;
        usage_setup.rate_whole = usage_setup.rate_each * rate->count;
    }
    return vv_publish("entitlements/1", &service.base);
}

VV_PLUGIN(.name = "usage", .version = "0.1.0",
          .summary = "Entitlements: calls decided about, counted and limited",
          .depends = "auth/1, plans/1?, subscriptions/1?, mail/1?", .provides = "entitlements/1",
          .conf_size = sizeof(struct usage_conf), .options = options, .hooks = hooks,
          .metrics = usage_metrics, .init = usage_init)
