/* Rows: counted, found by name, decoded when they are asked for. */
#include "db_rows.h"

#include "db.h"
#include "db_value.h"
#include "log.h"

struct vv_db_result {
    PGresult *pg;
    unsigned shares;
};

struct vv_rows {
    struct vv_request *req;
    struct vv_db_result *result;
    const uint32_t *index; /* which rows of the result; NULL = all */
    size_t count;
    size_t first; /* column; those before it are the batch's own */
    int64_t affected;
};

struct vv_db_result *vv_db_result_new(PGresult *pg)
{
    struct vv_db_result *result = vv_xmalloc(sizeof *result);

    result->pg = pg;
    result->shares = 1;
    return result;
}

void vv_db_result_release(struct vv_db_result *result)
{
    if (--result->shares > 0)
        return;
    PQclear(result->pg);
    free(result);
}

static void rows_release(void *arg)
{
    vv_db_result_release(arg);
}

static struct vv_rows *rows_make(struct vv_request *req, struct vv_db_result *result)
{
    struct vv_rows *rows = vv_arena_alloc(req->arena, sizeof *rows);

    rows->req = req;
    rows->result = result;
    (void)vv_request_defer(req, rows_release, result);
    return rows;
}

struct vv_rows *vv_db_rows_new(struct vv_request *req, PGresult *pg)
{
    struct vv_rows *rows = rows_make(req, vv_db_result_new(pg));

    rows->count = (size_t)PQntuples(pg);
    rows->affected = strtoll(PQcmdTuples(pg), NULL, 10);
    return rows;
}

struct vv_rows *vv_db_rows_share(struct vv_request *req, struct vv_db_result *result,
                                 const uint32_t *index, size_t count)
{
    struct vv_rows *rows = rows_make(req, result);
    uint32_t *copy = vv_arena_alloc(req->arena, VV_MAX(count, 1u) * sizeof *copy);

    result->shares++;
    if (count > 0)
        memcpy(copy, index, count * sizeof *copy);
    rows->index = copy;
    rows->count = count;
    rows->affected = (int64_t)count;
    rows->first = 1;
    return rows;
}

size_t vv_db_rows_count(const struct vv_rows *rows)
{
    return rows == NULL ? 0 : rows->count;
}

int64_t vv_db_rows_affected(const struct vv_rows *rows)
{
    return rows == NULL ? 0 : rows->affected;
}

const char *vv_db_rows_name(const struct vv_rows *rows, size_t column)
{
    if (rows == NULL || column >= (size_t)PQnfields(rows->result->pg) - rows->first ||
        PQnfields(rows->result->pg) == 0)
        return NULL;
    return PQfname(rows->result->pg, (int)(rows->first + column));
}

int vv_db_rows_column(const struct vv_rows *rows, const char *name)
{
    const char *found;

    if (rows == NULL)
        return -1;
    for (size_t column = 0; (found = vv_db_rows_name(rows, column)) != NULL; column++) {
        if (strcmp(found, name) == 0)
            return (int)column;
    }
    vv_log_line(VV_LOG_WARNING, NULL, rows->req, "a result has no column '%s'", name);
    return -1;
}

struct vv_param vv_db_rows_value(const struct vv_rows *rows, size_t row, size_t column)
{
    struct vv_param value = VV_NULL();
    const char *name = vv_db_rows_name(rows, column);
    PGresult *pg;
    int at, field;

    if (name == NULL || row >= rows->count)
        return VV_NULL();
    pg = rows->result->pg;
    at = (int)(rows->index == NULL ? row : rows->index[row]);
    field = (int)(rows->first + column);
    if (PQgetisnull(pg, at, field))
        return VV_NULL();
    if (!vv_db_value_decode(rows->req->arena, PQftype(pg, field), PQgetvalue(pg, at, field),
                            (size_t)PQgetlength(pg, at, field), &value)) {
        vv_log_line(VV_LOG_ERROR, NULL, rows->req,
                    "column '%s' has a type (oid %u) that is not read: write %s::text in the "
                    "statement",
                    name, PQftype(pg, field), name);
        return VV_NULL();
    }
    return value;
}
