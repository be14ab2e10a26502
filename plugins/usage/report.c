/* GET and PATCH /usage, and the profile's part of it: what was used, what is left, how it goes on.
 */
#include "usage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define HOUR_US INT64_C(3600000000)

/* What the roll-ups have, and what is newer out of the log; all of it in one snapshot. */
#define REPORT_SUMS                                                                         \
    " days as materialized (select date_trunc('day', statement_timestamp(), 'UTC') as day," \
    "  date_trunc('week', statement_timestamp(), 'UTC') as week,"                           \
    "  date_trunc('month', statement_timestamp(), 'UTC') as month),"                        \
    " counted as (select hour as at, calls, false as raw from usage_hours"                  \
    "   where user_id = $1 and hour >= (select least(week, month) from days)"               \
    "  union all select timestamp, 1, true from usage_logs"                                 \
    "   where user_id = $1 and timestamp >= (select until from usage_rollup)),"             \
    " sums as (select coalesce(sum(calls) filter (where raw), 0)"                           \
    "   + coalesce((select calls from usage_totals where user_id = $1), 0) as total,"       \
    "  coalesce(sum(calls) filter (where at >= day), 0) as today,"                          \
    "  coalesce(sum(calls) filter (where at >= week), 0) as this_week,"                     \
    "  coalesce(sum(calls) filter (where at >= month), 0) as this_month"                    \
    "  from days left join counted on true)"

static const char *report_statement(void)
{
    static char *text;
    size_t size;
    FILE *out;

    if (text != NULL)
        return text;
    out = open_memstream(&text, &size);
    if (out == NULL)
        abort();
    fprintf(out,
            "with own as materialized (%s)," REPORT_SUMS
            " select s.total::bigint, s.today::bigint, s.this_week::bigint, s.this_month::bigint,"
            "  o.used, o.most, o.period_start, o.period_end, o.notify, o.now"
            "  from own o cross join sums s",
            usage_statement_peek());
    if (fclose(out) != 0)
        abort();
    return text;
}

/* An account from before the plugin was on may not have been looked at yet. */
static int report_load(struct vv_request *req, struct vv_rows **ret_rows)
{
    const struct vv_param user = VV_INT(vv_caller_id(req));

    VV_TRY(vv_query(req, ret_rows, report_statement(), user));
    if (vv_rows_count(*ret_rows) > 0)
        return 0;
    VV_TRY(usage_entitlements_add(req, vv_caller_id(req)));
    VV_TRY(vv_query(req, ret_rows, report_statement(), user));
    if (vv_rows_count(*ret_rows) == 0)
        return vv_fail(req, 401, "invalid_token", "This account has been deleted");
    return 0;
}

/* At the pace of this period so far, once that says something. */
static void report_forecast(struct vv_json *json, const struct vv_rows *rows, int64_t limit)
{
    int64_t used = vv_row_int(rows, 0, "used"), start = vv_row_int(rows, 0, "period_start");
    int64_t end = vv_row_int(rows, 0, "period_end"), passed = vv_row_int(rows, 0, "now") - start;
    double each = used > 0 ? (double)passed / (double)used : 0;

    if (passed < HOUR_US || used == 0) {
        vv_put(json, "forecast", VV_NULL());
        return;
    }
    vv_open_object(json, "forecast");
    vv_put(json, "used_at_period_end", VV_INT((int64_t)((double)(end - start) / each + 0.5)));
    if (limit == VV_UNLIMITED || used >= limit || each * (double)limit > (double)(end - start))
        vv_put(json, "limit_reached_at", VV_NULL());
    else
        vv_put(json, "limit_reached_at", VV_TIME(start + (int64_t)(each * (double)limit)));
    vv_close(json);
}

static int report_reply(struct vv_request *req)
{
    struct vv_json *json = vv_object(req);
    struct vv_rows *rows;
    int64_t used, limit;

    VV_TRY(report_load(req, &rows));
    used = vv_row_int(rows, 0, "used");
    limit = vv_row_null(rows, 0, "most") ? VV_UNLIMITED : vv_row_int(rows, 0, "most");
    vv_put(json, "total_requests", vv_row(rows, 0, "total"));
    vv_put(json, "requests_today", vv_row(rows, 0, "today"));
    vv_put(json, "requests_this_week", vv_row(rows, 0, "this_week"));
    vv_put(json, "requests_this_month", vv_row(rows, 0, "this_month"));
    vv_put(json, "used", VV_INT(used));
    vv_put(json, "limit", limit == VV_UNLIMITED ? VV_NULL() : VV_INT(limit));
    vv_put(json, "remaining",
           limit == VV_UNLIMITED ? VV_NULL() : VV_INT(used < limit ? limit - used : 0));
    vv_put(json, "period_start", vv_row(rows, 0, "period_start"));
    vv_put(json, "period_end", vv_row(rows, 0, "period_end"));
    vv_put(json, "notify", VV_BOOL(vv_row_bool(rows, 0, "notify")));
    report_forecast(json, rows, limit);
    return vv_reply(req, 200, json);
}

int usage_report_get(struct vv_request *req)
{
    return report_reply(req);
}

int usage_report_change(struct vv_request *req)
{
    struct vv_rows *rows;

    VV_TRY(report_load(req, &rows));
    VV_TRY(vv_exec(req, "update entitlements set notify = $2 where user_id = $1 and notify <> $2",
                   VV_INT(vv_caller_id(req)), VV_BOOL(vv_body_bool(req, "notify"))));
    return report_reply(req);
}

int usage_report_profile(void)
{
    static const char join[] = "left join entitlements e on e.user_id = u.id";
    const struct vv_profile_field fields[] = {
        {sizeof fields[0], "api_calls_used", usage_statement_used(), join},
        {sizeof fields[0], "api_calls_limit", usage_statement_limit(), join},
    };

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        VV_TRY(vv_auth()->profile_field(&fields[i]));
    return 0;
}
