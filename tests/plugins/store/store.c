/* The database: statements in the lanes, transactions that end well or badly, errors told apart. */
#include <inttypes.h>
#include <vv/plugin.h>

static int list(struct vv_request *req)
{
    struct vv_rows *rows;

    VV_TRY(vv_query(req, &rows, "select id, name, price, tags, made, raw from things order by id"));
    return vv_reply_rows(req, 200, "things", rows);
}

static int add(struct vv_request *req)
{
    struct vv_rows *rows;
    int rc = vv_write(req, &rows,
                      "insert into things (name, price) values ($1, $2) returning id, name, price",
                      VV_TEXT(vv_body_text(req, "name")), VV_INT(vv_body_int(req, "price")));

    if (rc == VV_EUNIQUE)
        return vv_fail(req, 409, "taken", "There is a %s already", vv_body_text(req, "name"));
    if (rc < 0)
        return rc;
    return vv_reply_row(req, 201, rows, 0);
}

/* Moves a price between two things; with "fail" it returns in the middle of the transaction. */
static int move(struct vv_request *req)
{
    int64_t amount = vv_body_int(req, "price");
    struct vv_rows *rows;
    struct vv_tx *tx;

    VV_TRY(vv_begin(req, &tx));
    VV_TRY(vv_tx_exec(tx, "update things set price = price - $1 where id = 1", VV_INT(amount)));
    if (strcmp(vv_body_text(req, "name"), "fail") == 0)
        return vv_fail(req, 418, "failed", "As was asked");
    if (strcmp(vv_body_text(req, "name"), "sleep") == 0)
        return vv_sleep(req, 1);
    VV_TRY(vv_tx_query(tx, &rows, "update things set price = price + $1 where id = 2 returning id",
                       VV_INT(amount)));
    if (vv_rows_count(rows) == 0)
        return vv_fail(req, 404, "nobody", "There is no thing 2");
    VV_TRY(vv_commit(tx));
    return vv_reply_message(req, "moved");
}

static int wrong(struct vv_request *req)
{
    int rc = vv_exec(req, "select 1 / $1", VV_INT(0));

    if (rc == VV_ESQL)
        return vv_fail(req, 400, "sql", "SQLSTATE %s", vv_sqlstate(req));
    return rc;
}

static int slow(struct vv_request *req)
{
    struct vv_rows *rows;

    VV_TRY(vv_query_slow(req, &rows, "select pg_sleep(0.01), count(*) as n from things"));
    return vv_reply_message(req, vv_printf(req, "%" PRId64 " things", vv_row_int(rows, 0, "n")));
}

static const struct vv_field thing_fields[] = {
    VV_FIELD_TEXT("name", 1, 20, VV_REQUIRED, "What it is"),
    VV_FIELD_INT("price", 0, 1000, 0, "What it costs", .value = "0"),
    VV_END,
};

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "/store", VV_ANYONE, list, .summary = "All things"),
    VV_ROUTE(VV_POST, "/store", VV_ANYONE, add, .body = thing_fields, .summary = "Adds one"),
    VV_ROUTE(VV_POST, "/store/move", VV_ANYONE, move, .body = thing_fields, .summary = "Moves"),
    VV_ROUTE(VV_GET, "/store/wrong", VV_ANYONE, wrong, .summary = "Divides by zero"),
    VV_ROUTE(VV_GET, "/store/slow", VV_ANYONE, slow, .summary = "Counts slowly"),
    VV_END,
};

VV_PLUGIN(.name = "store", .version = "1", .summary = "Statements and transactions",
          .routes = routes)
