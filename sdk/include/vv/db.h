/* The database: statements, transactions, batches, jobs in a transaction, and reading rows. */
#ifndef VV_DB_H
#define VV_DB_H

#include <vv/json.h>

/*
 * Every function here that runs a statement may wait, and returns:
 *   VV_EUNAVAILABLE  the database is away, or the statement's fate is unknown (503 is prepared)
 *   VV_ETIMEOUT      lock_timeout or statement_timeout passed (503)
 *   VV_EBUSY         too many wait for a connection (503)
 *   VV_ECANCELED     the request's deadline passed
 *   VV_EUNIQUE       a row with that key exists (SQLSTATE 23505)
 *   VV_ESQL          another error; the log has it, vv_sqlstate() its code (500)
 * Parameters are $1, $2, ...; their SQL type is what the statement makes of them. Text is UTF-8.
 * Statements are prepared once per connection and must be static texts.
 */

VV_BEGIN_C

/* The same with the parameters as an array: what the macros below call. */
VV_MUST_CHECK static inline int vv_query_params(struct vv_request *req, uint32_t lane,
                                                struct vv_rows **ret_rows, const char *sql,
                                                const struct vv_param *params, size_t count)
{
    return vv_host->query(vv_host->self, req, lane, sql, params, count, ret_rows);
}

VV_MUST_CHECK static inline int vv_tx_query_params(struct vv_tx *tx, struct vv_rows **ret_rows,
                                                   const char *sql, const struct vv_param *params,
                                                   size_t count)
{
    return vv_host->tx_query(vv_host->self, tx, sql, params, count, ret_rows);
}

VV_MUST_CHECK static inline int vv_batch_params(struct vv_request *req,
                                                const struct vv_batch *batch,
                                                struct vv_rows **ret_rows,
                                                const struct vv_param *params, size_t count)
{
    return vv_host->batch(vv_host->self, req, batch, params, count, ret_rows);
}

/* Begins a transaction on a connection of its own. It is rolled back when the handler returns
 * without vv_commit(). While it is open, this request may not sleep, offload or call out. */
VV_MUST_CHECK static inline int vv_begin(struct vv_request *req, struct vv_tx **ret_tx)
{
    return vv_host->begin(vv_host->self, req, ret_tx);
}

/* Commits. 0 means that it is durable. VV_EUNAVAILABLE: it may or may not have happened. */
VV_MUST_CHECK static inline int vv_commit(struct vv_tx *tx)
{
    return vv_host->commit(tx);
}

static inline int vv_rollback(struct vv_tx *tx)
{
    return vv_host->rollback(tx);
}

/* The request that holds the transaction, for functions that are handed the transaction alone. */
static inline struct vv_request *vv_tx_request(struct vv_tx *tx)
{
    return vv_host->tx_request(tx);
}

/* The SQLSTATE of this request's last error, "" when there was none. Request. */
static inline const char *vv_sqlstate(struct vv_request *req)
{
    return vv_host->sqlstate(req);
}

/* Enqueues a job in the transaction: it exists if and only if that commits. Returns 0 also when a
 * pending job of the same `unique` name makes it unnecessary. */
VV_MUST_CHECK static inline int vv_enqueue(struct vv_tx *tx, const struct vv_enqueue *job)
{
    return vv_host->enqueue(vv_host->self, tx, job);
}

static inline struct vv_enqueue vv_enqueue_make_(const char *kind, const char *payload)
{
    struct vv_enqueue job;

    memset(&job, 0, sizeof job);
    job.size = (uint32_t)sizeof job;
    job.kind = kind;
    job.payload = payload;
    return job;
}
#define VV_ENQUEUE(kind, payload) vv_enqueue_make_((kind), (payload))

/* ---- reading rows -----------------------------------------------------------------------------
 */

/* How many rows; 0 for NULL. */
static inline size_t vv_rows_count(const struct vv_rows *rows)
{
    return rows == NULL ? 0 : vv_host->rows_count(rows);
}

/* How many rows an insert, update or delete touched. */
static inline int64_t vv_rows_affected(const struct vv_rows *rows)
{
    return vv_host->rows_affected(rows);
}

/* A column of a row by its name, as a typed value; NULL type also when there is no such column (the
 * log says so). Text is NUL-terminated. Borrowed from the rows. */
static inline struct vv_param vv_row(const struct vv_rows *rows, size_t row, const char *column)
{
    int index = vv_host->rows_column(rows, column);

    return index < 0 ? VV_NULL() : vv_host->rows_value(rows, row, (size_t)index);
}

static inline bool vv_row_null(const struct vv_rows *rows, size_t row, const char *column)
{
    return vv_row(rows, row, column).type == VV_TYPE_NULL;
}

/* NULL stays NULL. */
static inline const char *vv_row_text(const struct vv_rows *rows, size_t row, const char *column)
{
    struct vv_param value = vv_row(rows, row, column);

    return value.type == VV_TYPE_TEXT || value.type == VV_TYPE_JSON ? (const char *)value.data
                                                                    : NULL;
}

/* NULL is 0; also for BOOL and TIME. */
static inline int64_t vv_row_int(const struct vv_rows *rows, size_t row, const char *column)
{
    return vv_row(rows, row, column).integer;
}

static inline bool vv_row_bool(const struct vv_rows *rows, size_t row, const char *column)
{
    return vv_row(rows, row, column).integer != 0;
}

/* Adds every column of a row to the open object, under its name. */
static inline void vv_put_row(struct vv_json *json, const struct vv_rows *rows, size_t row)
{
    const char *name;
    size_t column;

    for (column = 0; (name = vv_host->rows_name(rows, column)) != NULL; column++)
        vv_put(json, name, vv_host->rows_value(rows, row, column));
}

/* Adds an array of objects, one for each row. */
static inline void vv_put_rows(struct vv_json *json, const char *name, const struct vv_rows *rows)
{
    size_t row;

    vv_open_array(json, name);
    for (row = 0; row < vv_rows_count(rows); row++) {
        vv_open_object(json, NULL);
        vv_put_row(json, rows, row);
        vv_close(json);
    }
    vv_close(json);
}

/* Replies {name: [rows]}. */
static inline int vv_reply_rows(struct vv_request *req, uint32_t status, const char *name,
                                const struct vv_rows *rows)
{
    struct vv_json *json = vv_object(req);

    vv_put_rows(json, name, rows);
    return vv_reply(req, status, json);
}

/* Replies one row as an object. */
static inline int vv_reply_row(struct vv_request *req, uint32_t status, const struct vv_rows *rows,
                               size_t row)
{
    struct vv_json *json = vv_object(req);

    vv_put_row(json, rows, row);
    return vv_reply(req, status, json);
}

VV_END_C

/*
 * int vv_query(req, &rows, "select ... $1", VV_INT(id))
 *     Reads, in the read lane, pipelined with what others read. One statement is one transaction.
 * int vv_write(req, &rows, "insert ... returning id", VV_TEXT(name))
 *     Changes, in the write lane; durable when it returns 0.
 * int vv_exec(req, "delete ...", VV_INT(id))
 *     vv_write() without rows.
 * int vv_query_slow(req, &rows, "select count(*) ...")
 *     A statement that may take longer than statement_timeout: a connection of its own, no time
 *     limit but the request's deadline.
 * int vv_tx_query(tx, &rows, sql, ...), int vv_tx_exec(tx, sql, ...)
 *     The same inside a transaction. After an error only vv_rollback() is possible.
 * int vv_batch_query(req, &batch, &rows, VV_INT(user), VV_TEXT(endpoint))
 *     Joins a batch: the statement gets each parameter as an array ($1::bigint[], $2::text[]) with
 * an element for each waiting request, and returns rows whose first column, "n", is the ordinal of
 *     the request that the row is for:
 *         insert into seen (who, what)
 *         select who, what from unnest($1::bigint[], $2::text[]) with ordinality t (who, what, n)
 *     One batch is in flight; what arrives meanwhile goes with the next. A row that fails (classes
 * 22, 23) fails alone. With the flag VV_BATCH_WAITS the statement may wait up to 1 s for a lock,
 * and keeps no other statement waiting meanwhile.
 *
 * Jobs inside a statement, for batches (with the flag VV_BATCH_ENQUEUES, so that the job worker is
 * woken after it) and other statements that do many things at once:
 *     vv_enqueue_jobs(kinds text[], payloads jsonb[], unique_names text[], mutexes text[])
 * is a function of SQL that enqueues a job for each element, as vv_enqueue() does, and returns how
 * many those are. The last two may be left out, and any element of theirs may be NULL; a NULL
 * payload is {}. Of those with one unique name the first counts. The kinds are not looked at: name
 * none that no plugin runs. Like any function it runs only if its result is used:
 *     with stored as (
 *         insert into events (id, customer) select id, customer from unnest($1::text[], $2::text[])
 *         as t (id, customer) on conflict do nothing returning id, customer),
 *     enqueued as (
 *         select vv_enqueue_jobs(array_agg('shop.event'::text),
 *                                array_agg(jsonb_build_object('id', id)),
 *                                array_agg(id), array_agg(customer)) from stored)
 *     select n, id from enqueued, unnest($1::text[]) with ordinality as t (id, n)
 */
#ifdef __cplusplus
template <typename... P>
VV_HIDDEN int vv_query_in_(uint32_t lane, vv_request *req, vv_rows **rows, const char *sql,
                           P... params)
{
    const vv_param list[sizeof...(P) + 1] = {params..., VV_NULL()};

    return vv_query_params(req, lane, rows, sql, list, sizeof...(P));
}

template <typename... P>
VV_HIDDEN int vv_tx_query_in_(vv_tx *tx, vv_rows **rows, const char *sql, P... params)
{
    const vv_param list[sizeof...(P) + 1] = {params..., VV_NULL()};

    return vv_tx_query_params(tx, rows, sql, list, sizeof...(P));
}

template <typename... P>
VV_HIDDEN int vv_batch_in_(vv_request *req, const vv_batch *batch, vv_rows **rows, P... params)
{
    const vv_param list[sizeof...(P) + 1] = {params..., VV_NULL()};

    return vv_batch_params(req, batch, rows, list, sizeof...(P));
}
#define vv_query(req, rows, ...)              vv_query_in_(VV_LANE_READ, (req), (rows), __VA_ARGS__)
#define vv_write(req, rows, ...)              vv_query_in_(VV_LANE_WRITE, (req), (rows), __VA_ARGS__)
#define vv_exec(req, ...)                     vv_query_in_(VV_LANE_WRITE, (req), nullptr, __VA_ARGS__)
#define vv_query_slow(req, rows, ...)         vv_query_in_(VV_LANE_SLOW, (req), (rows), __VA_ARGS__)
#define vv_tx_query(tx, rows, ...)            vv_tx_query_in_((tx), (rows), __VA_ARGS__)
#define vv_tx_exec(tx, ...)                   vv_tx_query_in_((tx), nullptr, __VA_ARGS__)
#define vv_batch_query(req, batch, rows, ...) vv_batch_in_((req), (batch), (rows), __VA_ARGS__)
#else
#define vv_query(req, rows, ...) vv_query_params((req), VV_LANE_READ, (rows), VV_ARGS_(__VA_ARGS__))
#define vv_write(req, rows, ...) \
    vv_query_params((req), VV_LANE_WRITE, (rows), VV_ARGS_(__VA_ARGS__))
#define vv_exec(req, ...) vv_query_params((req), VV_LANE_WRITE, NULL, VV_ARGS_(__VA_ARGS__))
#define vv_query_slow(req, rows, ...) \
    vv_query_params((req), VV_LANE_SLOW, (rows), VV_ARGS_(__VA_ARGS__))
#define vv_tx_query(tx, rows, ...) vv_tx_query_params((tx), (rows), VV_ARGS_(__VA_ARGS__))
#define vv_tx_exec(tx, ...)        vv_tx_query_params((tx), NULL, VV_ARGS_(__VA_ARGS__))
#define vv_batch_query(req, batch, rows, ...)                                       \
    vv_batch_params((req), (batch), (rows), (const struct vv_param[]){__VA_ARGS__}, \
                    sizeof((const struct vv_param[]){__VA_ARGS__}) / sizeof(struct vv_param))
#endif

/* static const struct vv_batch seen = VV_BATCH("seen", 0, "insert ..."); */
#define VV_BATCH(label, bits, text)                                                             \
    VV_ELEMENT_(vv_batch, VV_SET(size, (uint32_t)sizeof(struct vv_batch)), VV_SET(flags, bits), \
                VV_SET(name, label), VV_SET(sql, text))

#endif
