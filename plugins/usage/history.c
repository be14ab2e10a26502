/* GET /usage/history: calls by the hour, day or month, of any window. */
#include "usage.h"

#define HISTORY_ROWS 10000

/* How long a window may be, and how long it is when it has no beginning. */
static const struct history_step {
    const char *name, *whole;
    int64_t days;
} history_steps[] = {
    {"hour", "day", 100},
    {"day", "month", 1500},
    {"month", "year", 40000},
};

static const struct history_step *history_step(const char *name)
{
    size_t at = 0;

    while (at + 1 < sizeof history_steps / sizeof history_steps[0] &&
           strcmp(history_steps[at].name, name) != 0)
        at++;
    return &history_steps[at];
}

/* What is not said is today (or this month, this year), as far as the other end lets it. */
static int history_window(struct vv_request *req, const struct history_step *step,
                          struct vv_param *ret_begins, struct vv_param *ret_ends)
{
    struct vv_rows *rows;

    VV_TRY(vv_query(req, &rows,
                    "select begins, ends, begins > ends as backwards,"
                    " ends - begins > $4::bigint * interval '1 day' as long from (select"
                    "  coalesce($1::timestamptz, date_trunc($3::text, coalesce($2::timestamptz"
                    "   - interval '1 microsecond', statement_timestamp()), 'UTC')) as begins,"
                    "  coalesce($2::timestamptz, date_trunc('day', statement_timestamp(), 'UTC')"
                    "   + interval '24 hours') as ends) w",
                    VV_TEXT(vv_param_text(req, "from")), VV_TEXT(vv_param_text(req, "to")),
                    VV_TEXT(step->whole), VV_INT(step->days)));
    *ret_begins = vv_row(rows, 0, "begins");
    *ret_ends = vv_row(rows, 0, "ends");
    if (vv_row_bool(rows, 0, "backwards"))
        return vv_fail_field(req, "from", "This must not be after the end of the window");
    if (vv_row_bool(rows, 0, "long"))
        return vv_fail_field(req, "from",
                             vv_printf(req,
                                       "The window may have %lld days at this granularity; take a "
                                       "coarser one",
                                       (long long)step->days));
    return 0;
}

/*
 * Whole hours come out of the roll-ups; the rest of the window at either end, and what is newer
 * than they are, out of the log. Where the log is gone, the window is made of whole hours.
 */
static const char history_sql[] =
    "with kept as materialized (select until,"
    "  case when $2::timestamptz < since then date_trunc('hour', $2, 'UTC') else $2 end as begins,"
    "  case when $3::timestamptz < since"
    "   then date_trunc('hour', $3 + interval '3599.999999 s', 'UTC') else $3 end as ends"
    "  from usage_rollup),"
    " w as materialized (select until, begins, ends, first,"
    "  greatest(first, date_trunc('hour', ends, 'UTC')) as last from (select *,"
    "   date_trunc('hour', begins + interval '3599.999999 s', 'UTC') as first from kept) k),"
    " counted as ("
    "  select hour as at, endpoint, calls, cost from usage_hours where user_id = $1"
    "   and hour >= (select first from w) and hour < (select last from w)"
    "  union all select timestamp, coalesce(api_endpoint, ''), 1, cost from usage_logs"
    "   where user_id = $1 and timestamp >= (select greatest(first, until) from w)"
    "   and timestamp < (select last from w)"
    "  union all select timestamp, coalesce(api_endpoint, ''), 1, cost from usage_logs"
    "   where user_id = $1 and timestamp >= (select begins from w)"
    "   and timestamp < (select least(first, ends) from w)"
    "  union all select timestamp, coalesce(api_endpoint, ''), 1, cost from usage_logs"
    "   where user_id = $1 and timestamp >= (select last from w)"
    "   and timestamp < (select ends from w))"
    " select date_trunc($4::text, at, 'UTC') as start, nullif(endpoint, '') as endpoint,"
    "  sum(calls)::bigint as calls, sum(cost)::bigint as cost from counted"
    "  where $5::text is null or endpoint = $5 group by 1, counted.endpoint"
    "  order by 1, counted.endpoint limit $6";

int usage_history_get(struct vv_request *req)
{
    const struct history_step *step = history_step(vv_param_text(req, "granularity"));
    struct vv_param begins, ends;
    struct vv_rows *rows;

    VV_TRY(history_window(req, step, &begins, &ends));
    VV_TRY(vv_query(req, &rows, history_sql, VV_INT(vv_caller_id(req)), begins, ends,
                    VV_TEXT(step->name), VV_TEXT(vv_param_text(req, "endpoint")),
                    VV_INT(HISTORY_ROWS + 1)));
    if (vv_rows_count(rows) > HISTORY_ROWS)
        return vv_fail(req, 422, "too_much",
                       "That is more than %d rows: take a shorter window, a coarser granularity or "
                       "one endpoint",
                       HISTORY_ROWS);
    return vv_reply_rows(req, 200, "series", rows);
}
