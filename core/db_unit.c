/* Statements and what became of them: made, failed, classified by SQLSTATE, ended. */
#include "db_unit.h"

#include "db_lane.h"

#include <stdio.h>

#define STATEMENT_BUCKETS 1024

static struct vv_db_statement *statement_buckets[STATEMENT_BUCKETS];
static uint32_t statement_count;

/* FNV-1a. */
static uint64_t statement_hash(const char *sql)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *sql != '\0'; sql++)
        hash = (hash ^ (unsigned char)*sql) * UINT64_C(1099511628211);
    return hash;
}

struct vv_db_statement *vv_db_statement_find(const char *sql)
{
    uint64_t hash = statement_hash(sql);
    struct vv_db_statement **bucket = &statement_buckets[hash % STATEMENT_BUCKETS];
    struct vv_db_statement *found;

    for (found = *bucket; found != NULL; found = found->next) {
        if (found->hash == hash && strcmp(found->sql, sql) == 0)
            return found;
    }
    if (statement_count >= VV_DB_STATEMENTS)
        return NULL;
    found = vv_xcalloc(1, sizeof *found);
    found->index = statement_count++;
    found->hash = hash;
    found->sql = vv_xstrdup(sql);
    snprintf(found->name, sizeof found->name, "vv%016llx", (unsigned long long)hash);
    found->next = *bucket;
    *bucket = found;
    return found;
}

struct vv_db_unit *vv_db_unit_new(const char *sql, const struct vv_param *params, size_t count)
{
    struct vv_db_unit *unit = vv_xcalloc(1, sizeof *unit);

    if (vv_db_params_encode(&unit->params, params, count) < 0) {
        free(unit);
        return NULL;
    }
    vv_list_init(&unit->link);
    unit->sql = sql;
    unit->timeout = -1;
    unit->before = UINT32_MAX;
    return unit;
}

void vv_db_unit_free(struct vv_db_unit *unit)
{
    vv_list_remove(&unit->link);
    PQclear(unit->result);
    vv_db_params_free(&unit->params);
    free(unit->message);
    free(unit);
}

void vv_db_unit_finish(struct vv_db_unit *unit)
{
    if (unit->abandoned)
        vv_db_unit_free(unit);
    else
        unit->done(unit);
}

void vv_db_unit_reset(struct vv_db_unit *unit)
{
    PQclear(unit->result);
    unit->result = NULL;
    free(unit->message);
    unit->message = NULL;
    unit->code = 0;
    unit->sqlstate[0] = '\0';
    unit->answered = 0;
    unit->before = UINT32_MAX;
}

void vv_db_unit_abandon(struct vv_db_unit *unit)
{
    unit->abandoned = true;
    if (unit->lane == NULL)
        return;
    vv_db_lane_forget(unit);
    vv_db_unit_free(unit);
}

bool vv_db_is_conflict(const char *sqlstate)
{
    return strcmp(sqlstate, "40001") == 0 || strcmp(sqlstate, "40P01") == 0;
}

int vv_db_code(const char *sqlstate)
{
    if (strcmp(sqlstate, "23505") == 0)
        return VV_EUNIQUE;
    if (strcmp(sqlstate, "55P03") == 0 || strcmp(sqlstate, "57014") == 0 ||
        vv_db_is_conflict(sqlstate))
        return VV_ETIMEOUT;
    /* 25006: connected to a server that has become a standby. */
    if (strncmp(sqlstate, "53", 2) == 0 || strncmp(sqlstate, "08", 2) == 0 ||
        strncmp(sqlstate, "57P", 3) == 0 || strcmp(sqlstate, "25006") == 0)
        return VV_EUNAVAILABLE;
    return VV_ESQL;
}

void vv_db_unit_fail(struct vv_db_unit *unit, int code)
{
    if (unit->code != 0)
        return;
    unit->code = code;
    PQclear(unit->result);
    unit->result = NULL;
}

void vv_db_unit_error(struct vv_db_unit *unit, const PGresult *error)
{
    const char *state = PQresultErrorField(error, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(error, PG_DIAG_MESSAGE_PRIMARY);

    if (unit->code != 0)
        return;
    /* An error without a state is libpq's own: the connection broke. */
    vv_db_unit_fail(unit, state == NULL ? VV_EUNAVAILABLE : vv_db_code(state));
    snprintf(unit->sqlstate, sizeof unit->sqlstate, "%s", state == NULL ? "" : state);
    unit->message = vv_xstrdup(message == NULL ? PQresultErrorMessage(error) : message);
    /* Class 22 quotes the value that it could not read, which is nobody's business. */
    if (strncmp(unit->sqlstate, "22", 2) == 0)
        unit->message[strcspn(unit->message, "\"")] = '\0';
    unit->message[strcspn(unit->message, "\n")] = '\0';
}
