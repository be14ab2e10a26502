/* Entitlements and usage: the table of contents of this plugin, and its start. */
#include "usage.h"

#include <stdlib.h>
#include <vv/plugin.h>

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)

struct usage_setup usage_setup;

static const struct vv_option options[] = {
    VV_OPTION_RATE(struct usage_conf, rate_limit, "600/m", 0,
                   "Validated and authorized calls of one user, exact over all machines"),
    VV_OPTION_TEXT(struct usage_conf, default_quota, "1000", 0,
                   "Calls in a month of every account where no plans are sold: a number, or "
                   "unlimited"),
    VV_OPTION_INT(struct usage_conf, retention_months, "13", 2, 1200, 0,
                  "How many months single calls are kept"),
    VV_OPTION_INT(struct usage_conf, rollup_retention_months, "36", 2, 1200, 0,
                  "How many months the history goes back; never less than single calls are kept"),
    VV_END,
};

static const struct vv_field forecast_reply[] = {
    VV_FIELD_INT("used_at_period_end", 0, 0, VV_REQUIRED, "At the pace of this period so far"),
    VV_FIELD_TIME("limit_reached_at", VV_REQUIRED | VV_NULLABLE,
                  "At that pace; null: not in this period, or it is reached"),
    VV_END,
};

static const struct vv_field usage_reply[] = {
    VV_FIELD_INT("total_requests", 0, 0, VV_REQUIRED, "Calls, ever"),
    VV_FIELD_INT("requests_today", 0, 0, VV_REQUIRED, "Calls of this day, in UTC"),
    VV_FIELD_INT("requests_this_week", 0, 0, VV_REQUIRED, "Calls since Monday"),
    VV_FIELD_INT("requests_this_month", 0, 0, VV_REQUIRED, "Calls of this calendar month"),
    VV_FIELD_INT("used", 0, 0, VV_REQUIRED, "What the calls of this period cost"),
    VV_FIELD_INT("limit", 0, 0, VV_REQUIRED | VV_NULLABLE, "In a period; null: unlimited"),
    VV_FIELD_INT("remaining", 0, 0, VV_REQUIRED | VV_NULLABLE, "Of it; null: unlimited"),
    VV_FIELD_TIME("period_start", VV_REQUIRED, "Of the quota"),
    VV_FIELD_TIME("period_end", VV_REQUIRED, "Of the quota"),
    VV_FIELD_BOOL("notify", VV_REQUIRED, "Whether mails tell of a quota that is used up"),
    VV_FIELD_OBJECT("forecast", forecast_reply, VV_REQUIRED | VV_NULLABLE,
                    "How it goes on; null while it is too early to tell"),
    VV_END,
};

static const struct vv_field usage_body[] = {
    VV_FIELD_BOOL("notify", VV_REQUIRED, "Whether mails tell of a quota that is used up"),
    VV_END,
};

static const struct vv_field history_args[] = {
    VV_FIELD_TIME("from", 0,
                  "Included; without it: this day, by days this month, by months this year"),
    VV_FIELD_TIME("to", 0, "Not included; without it: the end of this day"),
    VV_FIELD_ENUM("granularity", "hour|day|month", 0, "How long each part is, in UTC",
                  .value = "hour"),
    VV_FIELD_TEXT("endpoint", 0, VV_ENDPOINT_MAX, 0, "Only calls of it; empty: those of none"),
    VV_END,
};

static const struct vv_field series_reply[] = {
    VV_FIELD_TIME("start", VV_REQUIRED, "Of the hour, day or month"),
    VV_FIELD_TEXT("endpoint", 0, 0, VV_REQUIRED | VV_NULLABLE, "What was called"),
    VV_FIELD_INT("calls", 0, 0, VV_REQUIRED, "How many"),
    VV_FIELD_INT("cost", 0, 0, VV_REQUIRED, "What they cost together"),
    VV_END,
};

static const struct vv_field history_reply[] = {
    VV_FIELD_ARRAY("series", series_reply, VV_REQUIRED,
                   "By time; where nothing was called, nothing"),
    VV_END,
};

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "/usage", VV_USER, usage_report_get, .reply = usage_reply,
             .summary = "What the caller has used, and what is left"),
    VV_ROUTE(VV_GET, "/aws/usage", VV_USER, usage_report_get, .flags = VV_HIDDEN_ROUTE,
             .reply = usage_reply, .summary = "The same as /usage"),
    VV_ROUTE(VV_PATCH, "/usage", VV_USER, usage_report_change, .body = usage_body,
             .reply = usage_reply, .summary = "Turns mails about the quota on or off"),
    VV_ROUTE(VV_GET, "/usage/history", VV_USER, usage_history_get, .query = history_args,
             .reply = history_reply, .summary = "The caller's calls by time and endpoint"),
    VV_END,
};

/* Deletions may be of millions of rows; what is left when time is up is for the next run. */
static const struct vv_job jobs[] = {
    VV_JOB("usage.forget", usage_forget_job, .timeout = HOUR, .concurrency = 2),
    VV_JOB("usage.notice", usage_notice_job, .attempts = 20),
    VV_JOB("usage.rebuild", usage_rebuild_job, .timeout = HOUR, .concurrency = 1),
    VV_END,
};

static const struct vv_schedule schedules[] = {
    VV_SCHEDULE("usage.rollup", MINUTE, usage_upkeep_roll_up),
    VV_SCHEDULE("usage.partitions", HOUR, usage_upkeep_partitions),
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
    VV_TRY(usage_report_profile());
    return vv_publish("entitlements/1", &service.base);
}

VV_PLUGIN(.name = "usage", .version = "0.1.0",
          .summary = "Entitlements: calls decided about, counted and limited",
          .depends = "auth/1, plans/1?, subscriptions/1?, mail/1?", .provides = "entitlements/1",
          .conf_size = sizeof(struct usage_conf), .options = options, .routes = routes,
          .hooks = hooks, .jobs = jobs, .schedules = schedules, .commands = usage_commands,
          .checks = usage_checks, .metrics = usage_metrics, .init = usage_init,
          .start = usage_rebuild_start)
