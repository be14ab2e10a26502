/* The decision as one statement, put together out of the plans, the rate and where keys come from.
 */
#include "usage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static FILE *statement_open(char **ret_text, size_t *ret_size)
{
    FILE *out = open_memstream(ret_text, ret_size);

    if (out == NULL)
        abort();
    return out;
}

static void statement_close(FILE *out)
{
    if (fclose(out) != 0)
        abort();
}

/* A name of the configuration as a literal of SQL. */
static void statement_literal(FILE *out, const char *text)
{
    fputs("E'", out);
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            fputc(*text, out);
        fputc(*text, out);
    }
    fputc('\'', out);
}

static void statement_number(FILE *out, int64_t calls)
{
    if (calls == VV_UNLIMITED)
        fputs("null", out);
    else
        fprintf(out, "%" PRId64, calls);
}

/* ---- who has access, and how much -------------------------------------------------------------
 */

/* Where nothing is sold, everybody has access. */
static bool statement_sells(void)
{
    return vv_subscriptions() != NULL && vv_plans() != NULL;
}

static char *statement_access(void)
{
    size_t size, i;
    char *text;
    FILE *out = statement_open(&text, &size);

    if (!statement_sells()) {
        fputs("true", out);
    } else if (vv_plans()->count() == 0) {
        fputs("false", out);
    } else {
        fputs("(e.access_until > statement_timestamp() and e.plan_id in (", out);
        for (i = 0; i < vv_plans()->count(); i++) {
            fputs(i == 0 ? "" : ", ", out);
            statement_literal(out, vv_plans()->at(i)->id);
        }
        fputs("))", out);
    }
    statement_close(out);
    return text;
}

char *usage_statement_limit(void)
{
    char *text, *access = statement_access();
    size_t size, i;
    FILE *out = statement_open(&text, &size);

    fprintf(out, "(case when not %s then 0", access);
    free(access);
    if (statement_sells()) {
        for (i = 0; i < vv_plans()->count(); i++) {
            fputs(" when e.plan_id = ", out);
            statement_literal(out, vv_plans()->at(i)->id);
            fputs(" then ", out);
            statement_number(out, vv_plans()->at(i)->api_calls);
        }
        fputs(" else 0", out);
    } else {
        fputs(" else ", out);
        statement_number(out, usage_setup.default_quota);
    }
    fputs(" end)::bigint", out);
    statement_close(out);
    return text;
}

/* ---- a user's row as it is now ----------------------------------------------------------------
 */

/*
 * The row's period is over when the clock says so; whoever reads it counts from the new one, and
 * who writes stores that. A row whose period begins later than our clock was written by somebody
 * who is ahead of us: it is as current.
 */
#define CURRENT "e.period_end > statement_timestamp()"

/* GCRA: `rate_time` is when all calls so far would have come at the even rate; never earlier than
 * now, and never later than a burst from now, which it might be after the rate was changed. */
static void statement_row(FILE *out)
{
    char *access = statement_access(), *limit = usage_statement_limit();

    fprintf(
        out,
        "e.user_id, e.email, e.plan_id, e.status, e.ends_at, e.notify,"
        " case when not e.verified or e.disabled then %d when not %s then %d else %d end as bar,"
        " %s as most, case when " CURRENT " then e.noticed else 0 end as noticed,"
        " case when " CURRENT " then e.period_start"
        "  else usage_period_start(e.anchor, statement_timestamp()) end as period_start,"
        " case when " CURRENT " then e.period_end"
        "  else usage_period_end(e.anchor, statement_timestamp()) end as period_end,"
        " case when " CURRENT " then e.used else 0 end as used,"
        " least(greatest(e.rate_time, statement_timestamp()),"
        "  statement_timestamp() + interval '%" PRId64 " us') as rate_time",
        VV_UNKNOWN_CALLER, access, VV_NO_ACCESS, VV_ALLOWED, limit, usage_setup.rate_whole);
    free(access);
    free(limit);
}

/* ---- the decision -----------------------------------------------------------------------------
 */

static void statement_asked(FILE *out, struct usage_mode mode)
{
    fprintf(out,
            "with asked as materialized (select t.n, t.endpoint, t.cost, %s as user_id,"
            " %s as credential_id from %s with ordinality"
            " as t (user_id, credential, endpoint, cost, n)",
            usage_setup.credentials == NULL ? "t.user_id" : "coalesce(t.user_id, c.user_id)",
            usage_setup.credentials == NULL ? "null::bigint" : "c.id",
            mode.single ? "unnest(array[$1::bigint], array[$2::bytea], array[$3::text],"
                          " array[$4::integer])"
                        : "unnest($1::bigint[], $2::bytea[], $3::text[], $4::integer[])");
    if (usage_setup.credentials != NULL)
        fprintf(out, " left join (%s) c on c.digest = t.credential", usage_setup.credentials);
    fputs("),", out);
}

/* Users are locked in order, so that no two statements wait for one another. */
static void statement_held(FILE *out, struct usage_mode mode)
{
    fputs(" held as materialized (select ", out);
    statement_row(out);
    fprintf(out,
            " from entitlements e where e.user_id = any (array(select a.user_id from asked a))"
            " order by e.user_id for no key update%s),",
            mode.waits ? "" : " skip locked");
}

/*
 * A user's calls in the order of their cost: those pass whose sum is within the remainder and whose
 * rank is within the rate. So a dear call does not keep a cheap one out that would fit. A user who
 * was asked for and is not held is somebody else's at the moment; or, where locks are waited for,
 * is not there. Only what is counted with travels on from here: the rest is joined at the end.
 */
static void statement_judged(FILE *out, struct usage_mode mode)
{
    fprintf(out,
            " judged as materialized (select r.*, case when r.user_id is null then"
            "  case when r.who is null then %d else %d end when bar <> %d then bar"
            "  when used + prefix > most then %d",
            VV_UNKNOWN_CALLER, mode.waits ? VV_UNKNOWN_CALLER : USAGE_LOCKED, VV_ALLOWED,
            VV_OVER_QUOTA);
    if (mode.rated && usage_setup.rate_each > 0)
        fprintf(out,
                " when rate_time + rank * interval '%" PRId64 " us'"
                "  > statement_timestamp() + interval '%" PRId64 " us' then %d",
                usage_setup.rate_each, usage_setup.rate_whole, VV_OVER_RATE);
    fprintf(out,
            " else %d end as outcome from (select a.n, a.endpoint, a.cost, a.credential_id,"
            "  a.user_id as who, h.user_id, h.bar, h.most, h.used, h.noticed, h.notify,"
            "  h.rate_time, h.period_start, h.period_end, sum(a.cost) over w as prefix,"
            "  row_number() over w as rank from asked a left join held h on h.user_id = a.user_id"
            "  window w as (partition by a.user_id order by a.cost, a.n rows unbounded preceding)"
            "  ) r),",
            VV_ALLOWED);
}

/* What becomes of each user's row. The quota is used up also where what is left is too little for a
 * call; but not when most is left, and the call is dear. */
static void statement_changes(FILE *out, struct usage_mode mode)
{
    fprintf(out,
            " changes as materialized (select s.*, case when most is null or most = 0"
            "   or used * 5 < most * 4 then 0 when refused or used >= most then 100 else 80 end"
            "  as level from (select user_id, min(used)"
            "   + coalesce(max(prefix) filter (where outcome = %d), 0) as used,"
            "  min(period_start) as period_start, min(period_end) as period_end,"
            "  min(rate_time) + count(*) filter (where outcome = %d) * interval '%" PRId64 " us'"
            "   as rate_time, min(noticed) as noticed, min(most) as most,"
            "  bool_and(notify) as notify, count(*) filter (where outcome = %d) as passed,"
            "  bool_or(outcome = %d) as refused"
            "  from judged where outcome in (%d, %d) group by user_id) s),",
            VV_ALLOWED, VV_ALLOWED, mode.rated ? usage_setup.rate_each : 0, VV_ALLOWED,
            VV_OVER_QUOTA, VV_ALLOWED, VV_OVER_QUOTA);
    fputs(" written as (update entitlements e set used = c.used, period_start = c.period_start,"
          "  period_end = c.period_end, rate_time = c.rate_time,"
          "  noticed = greatest(c.noticed, c.level) from changes c"
          "  where e.user_id = c.user_id and (c.passed > 0 or c.level > c.noticed)),",
          out);
}

/* The clock of the log never falls behind the period a call was counted in. */
static void statement_logged(FILE *out)
{
    fprintf(out,
            " logged as (insert into usage_logs (user_id, api_endpoint, timestamp, cost, key_id)"
            "  select user_id, endpoint, greatest(statement_timestamp(), period_start), cost,"
            "  credential_id from judged where outcome = %d)",
            VV_ALLOWED);
    if (vv_mail() != NULL)
        fputs(", told as (select vv_enqueue_jobs(array_agg('usage.notice'::text),"
              "  array_agg(jsonb_build_object('user', user_id, 'level', level)),"
              "  array_agg('usage.notice:' || user_id || ':' || level)) as jobs"
              "  from changes where level > noticed and notify having count(*) > 0)",
              out);
}

const char *usage_statement_decide(struct usage_mode mode)
{
    size_t size;
    char *text;
    FILE *out = statement_open(&text, &size);

    statement_asked(out, mode);
    statement_held(out, mode);
    statement_judged(out, mode);
    statement_changes(out, mode);
    statement_logged(out);
    fprintf(out,
            " select j.n, j.outcome, j.user_id, j.credential_id, h.email, h.plan_id, h.status,"
            "  h.ends_at, j.most, j.period_start, j.period_end,"
            "  case when j.outcome = %d then j.used + j.prefix else coalesce(c.used, j.used) end"
            "  as used, case when j.outcome = %d then j.rate_time + j.rank * interval '%" PRId64
            " us' else coalesce(c.rate_time, j.rate_time) end as rate_time,"
            " statement_timestamp() as now%s from judged j"
            "  left join held h on h.user_id = j.user_id"
            "  left join changes c on c.user_id = j.user_id",
            VV_ALLOWED, VV_ALLOWED, mode.rated ? usage_setup.rate_each : 0,
            vv_mail() == NULL ? "" : ", (select jobs from told) as jobs");
    statement_close(out);
    return text;
}

const char *usage_statement_peek(void)
{
    static char *text;
    size_t size;
    FILE *out;

    if (text != NULL)
        return text;
    out = statement_open(&text, &size);
    fputs("select ", out);
    statement_row(out);
    fputs(", null::bigint as credential_id, statement_timestamp() as now from entitlements e"
          " where e.user_id = $1",
          out);
    statement_close(out);
    return text;
}

char *usage_statement_used(void)
{
    char *text = strdup("case when " CURRENT " then coalesce(e.used, 0) else 0 end");

    if (text == NULL)
        abort();
    return text;
}
