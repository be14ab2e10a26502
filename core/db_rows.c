/* Rows: counted, found by name, decoded when they are asked for. */
#include "db_rows.h"

#include "db.h"
#include "db_value.h"
#include "log.h"

#define ROWS_REMEMBERED 64 /* columns */

struct vv_db_result {
    PGresult *pg;
    unsigned shares;
    size_t last;    /* the column that was found last: names are asked for in their order */
    uint64_t first; /* bit n: column n is known to be the first of its name */
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
    struct vv_db_result *result = vv_xcalloc(1, sizeof *result);

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

static size_t rows_width(const struct vv_rows *rows)
{
    size_t fields = rows == NULL ? 0 : (size_t)PQnfields(rows->result->pg);

    return fields == 0 ? 0 : fields - rows->first;
}

static bool rows_named(const struct vv_rows *rows, size_t column, const char *name)
{
    return strcmp(PQfname(rows->result->pg, (int)(rows->first + column)), name) == 0;
}

const char *vv_db_rows_name(const struct vv_rows *rows, size_t column)
{
    return column < rows_width(rows) ? PQfname(rows->result->pg, (int)(rows->first + column))
                                     : NULL;
}

/* The column found last, or the one behind it, when that is what a search would find. */
static bool rows_guess(const struct vv_rows *rows, size_t width, const char *name, size_t *ret)
{
    struct vv_db_result *result = rows->result;

    for (size_t at = result->last; at < VV_MIN(result->last + 2, width); at++) {
        if (at < ROWS_REMEMBERED && (result->first >> at & 1) != 0 && rows_named(rows, at, name)) {
            result->last = *ret = at;
            return true;
        }
    }
    return false;
}

int vv_db_rows_column(const struct vv_rows *rows, const char *name)
{
    size_t width = rows_width(rows), column = 0;

    if (rows == NULL)
        return -1;
    if (rows_guess(rows, width, name, &column))
        return (int)column;
    while (column < width && !rows_named(rows, column, name))
        column++;
    if (column == width) {
        vv_log_line(VV_LOG_WARNING, NULL, rows->req, "a result has no column '%s'", name);
        return -1;
    }
    rows->result->last = column;
    if (column < ROWS_REMEMBERED)
        rows->result->first |= UINT64_C(1) << column;
    return (int)column;
}

struct vv_param vv_db_rows_value(const struct vv_rows *rows, size_t row, size_t column)
{
    struct vv_param value = VV_NULL();
    PGresult *pg;
    int at, field;

    if (column >= rows_width(rows) || row >= rows->count)
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
                    PQfname(pg, field), PQftype(pg, field), PQfname(pg, field));
        return VV_NULL();
    }
    return value;
}
