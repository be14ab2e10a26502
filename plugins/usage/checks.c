/* vvctl doctor: whether the log has its partitions, and roll-ups and entitlements keep up. */
#include "usage.h"

#define CHECKS_AHEAD 2 /* months that must have a partition */

static int checks_partitions(struct vv_request *req)
{
    struct vv_rows *rows;
    const char *missing;

    VV_TRY(vv_query_slow(
        req, &rows,
        "select (select count(*) from usage_logs_default) as strays,"
        " (select string_agg(name, ', ' order by name) from (select 'usage_logs_' || to_char("
        "   usage_month(date_trunc('month', now(), 'UTC'), n) at time zone 'UTC', 'YYYYMM') as name"
        "   from generate_series(0, $1) n) m where to_regclass(name) is null) as missing",
        VV_INT(CHECKS_AHEAD)));
    missing = vv_row_text(rows, 0, "missing");
    if (missing != NULL)
        return vv_fail(req, 503, "missing_partition",
                       "There is no %s: the job worker makes partitions within the hour; is it "
                       "running, and may its role create tables?",
                       missing);
    if (vv_row_int(rows, 0, "strays") > 0)
        return vv_fail(req, 503, "default_partition",
                       "%lld calls lie in usage_logs_default, because their month has no "
                       "partition: the job worker moves them within the hour",
                       (long long)vv_row_int(rows, 0, "strays"));
    return 0;
}

static int checks_rollups(struct vv_request *req)
{
    struct vv_rows *rows;

    VV_TRY(vv_query(req, &rows,
                    "select (extract(epoch from now() - until) / 60)::bigint as minutes"
                    " from usage_rollup"));
    if (vv_rows_count(rows) == 0)
        return vv_fail(req, 503, "no_rollups", "The row of usage_rollup is missing");
    if (vv_row_int(rows, 0, "minutes") > 60)
        return vv_fail(req, 503, "rollups_behind",
                       "Roll-ups are %lld minutes behind: is the job worker running, or a "
                       "transaction open since then?",
                       (long long)vv_row_int(rows, 0, "minutes"));
    return 0;
}

static int checks_entitlements(struct vv_request *req)
{
    struct vv_rows *rows;

    VV_TRY(vv_query_slow(req, &rows,
                         "select count(*) as missing from users u where not exists"
                         " (select from entitlements e where e.user_id = u.id)"));
    if (vv_row_int(rows, 0, "missing") > 0)
        return vv_fail(req, 503, "missing_entitlements",
                       "%lld accounts have no entitlements, so their calls are refused; `vvctl "
                       "usage rebuild` makes them",
                       (long long)vv_row_int(rows, 0, "missing"));
    return 0;
}

const struct vv_check usage_checks[] = {
    VV_CHECK("usage-partitions", 0, "Every month's calls have a place", checks_partitions),
    VV_CHECK("usage-rollups", 0, "Roll-ups keep up with the calls", checks_rollups),
    VV_CHECK("usage-entitlements", 0, "Every account has entitlements", checks_entitlements),
    VV_END,
};
