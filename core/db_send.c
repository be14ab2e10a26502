/* Writes units into libpq's pipeline: settings, prepared statements, Sync. */
#include "db_send.h"

#include "log.h"

#include <stdio.h>

/*
 * Where the settings stand. They are set once per connection, for the session. Behind a pooler that
 * hands out server connections by the transaction that would reach whoever gets the connection next
 * and not ourselves, so there they go before each unit, for its transaction alone. Neither needs
 * rights or changes the role for people with psql, as `alter role ... set` would. A pooler shows
 * itself by the process id: it gave us another one at the start than the server has.
 *
 * Plans: statements are prepared and used for a long time with whatever parameters come; planning
 * them anew for each would cost more than running them.
 */
#define SETTINGS(local)                                                \
    "set_config('statement_timeout', $1::text, " local "), "           \
    "set_config('lock_timeout', $2::text, " local "), "                \
    "set_config('TimeZone', 'UTC', " local "), "                       \
    "set_config('client_min_messages', 'warning', " local "), "        \
    "set_config('plan_cache_mode', 'force_generic_plan', " local "), " \
    "set_config('jit', 'off', " local ")"

static const char setup_sql[] =
    "select pg_backend_pid(), case when pg_backend_pid() = $3::int4 then concat(" SETTINGS(
        "false") ") end";
static const char local_sql[] = "select " SETTINGS("true");
static const char timeout_sql[] = "select set_config('statement_timeout', $1::text, true)";

/* Set when a pooler turns out not to keep prepared statements apart. */
static bool send_unprepared;

struct vv_db_unit *vv_db_setup_unit(struct vv_db_conn *conn)
{
    char statement[24], lock[24];
    struct vv_param params[3];

    snprintf(statement, sizeof statement, "%lld", (long long)conn->statement_timeout);
    snprintf(lock, sizeof lock, "%lld", (long long)conn->lock_timeout);
    params[0] = VV_TEXT(statement);
    params[1] = VV_TEXT(lock);
    params[2] = VV_INT(PQbackendPID(conn->pg));
    return vv_db_unit_new(setup_sql, params, VV_ARRAY_SIZE(params));
}

bool vv_db_setup_pooled(struct vv_db_conn *conn, const struct vv_db_unit *unit)
{
    const unsigned char *pid;

    if (unit->result == NULL || PQntuples(unit->result) != 1 ||
        PQgetlength(unit->result, 0, 0) != 4)
        return true;
    pid = (const unsigned char *)PQgetvalue(unit->result, 0, 0);
    return ((uint32_t)pid[0] << 24 | (uint32_t)pid[1] << 16 | (uint32_t)pid[2] << 8 | pid[3]) !=
           (uint32_t)PQbackendPID(conn->pg);
}

static bool send_params(PGconn *pg, const char *sql, const struct vv_db_params *params)
{
    return PQsendQueryParams(pg, sql, (int)params->count, NULL, params->values, params->lengths,
                             params->formats, 1) == 1;
}

static bool send_sync(PGconn *pg)
{
#ifdef LIBPQ_HAS_SEND_PIPELINE_SYNC
    return PQsendPipelineSync(pg) == 1; /* one write for all of a turn: the loop flushes */
#else
    return PQpipelineSync(pg) == 1;
#endif
}

bool vv_db_send_setup(struct vv_db_conn *conn, struct vv_db_unit *unit)
{
    return send_params(conn->pg, unit->sql, &unit->params) && send_sync(conn->pg);
}

static bool send_timeouts(struct vv_db_conn *conn, const struct vv_db_unit *unit, bool settings)
{
    char statement[24], lock[24];
    const char *values[] = {statement, lock};
    int64_t timeout = unit->timeout >= 0 ? unit->timeout : conn->statement_timeout;

    snprintf(statement, sizeof statement, "%lld", (long long)timeout);
    snprintf(lock, sizeof lock, "%lld", (long long)conn->lock_timeout);
    return PQsendQueryParams(conn->pg, settings ? local_sql : timeout_sql, settings ? 2 : 1, NULL,
                             values, NULL, NULL, 0) == 1;
}

static bool send_statement(struct vv_db_conn *conn, struct vv_db_unit *unit, unsigned before)
{
    struct vv_db_statement *statement = unit->statement;
    const struct vv_db_params *params = &unit->params;
    uint32_t *plan;
    char name[40];

    if (statement == NULL || (unit->flags & VV_DB_UNNAMED) != 0 || send_unprepared)
        return send_params(conn->pg, unit->sql, params);
    plan = &conn->plans[statement->index];
    unit->generation = *plan >> 1;
    snprintf(name, sizeof name, "%s_%u", statement->name, unit->generation);
    if ((*plan & 1) == 0) {
        if (PQsendPrepare(conn->pg, name, statement->sql, 0, NULL) != 1)
            return false;
        unit->before = before;
        *plan |= 1;
    }
    return PQsendQueryPrepared(conn->pg, name, (int)params->count, params->values, params->lengths,
                               params->formats, 1) == 1;
}

bool vv_db_send_unit(struct vv_db_conn *conn, struct vv_db_unit *unit)
{
    bool settings = conn->pooled && (unit->flags & VV_DB_SETTINGS) != 0;
    unsigned before = 0;

    if ((unit->flags & VV_DB_BEGIN) != 0) {
        if (PQsendQueryParams(conn->pg, "begin", 0, NULL, NULL, NULL, NULL, 0) != 1)
            return false;
        before++;
    }
    if (settings || unit->timeout >= 0) {
        if (!send_timeouts(conn, unit, settings))
            return false;
        before++;
    }
    return send_statement(conn, unit, before) && send_sync(conn->pg);
}

bool vv_db_is_stale_plan(const char *sqlstate)
{
    /* Unknown statement; changed result type (among other things); a name that is taken. */
    return strcmp(sqlstate, "26000") == 0 || strcmp(sqlstate, "0A000") == 0 ||
           strcmp(sqlstate, "42P05") == 0;
}

void vv_db_send_learn(struct vv_db_conn *conn, struct vv_db_unit *unit)
{
    bool stale = vv_db_is_stale_plan(unit->sqlstate);
    uint32_t *plan;

    if (unit->code == 0 || unit->statement == NULL || (unit->flags & VV_DB_UNNAMED) != 0)
        return;
    if (stale && conn->pooled && strcmp(unit->sqlstate, "0A000") != 0 && !send_unprepared) {
        send_unprepared = true;
        vv_warning("the pooler in front of PostgreSQL does not keep prepared statements apart (as "
                   "PgBouncer before 1.21): going on without them; set [database] prepared = off, "
                   "or max_prepared_statements in a newer PgBouncer");
    }
    plan = &conn->plans[unit->statement->index];
    /* What was prepared stays so when only the execution failed. A new generation gets a new name:
     * the old one may still be taken. */
    if (*plan >> 1 == unit->generation && (stale || unit->answered <= unit->before) &&
        (stale || unit->before != UINT32_MAX))
        *plan = (unit->generation + 1) << 1;
}
