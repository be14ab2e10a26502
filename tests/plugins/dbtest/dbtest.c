/* Runs the SQL that tests send, through every way in which a plugin may reach the database. */
#include <vv/plugin.h>

#define MOST_PARAMS 16

/* What came of a call: its code, the SQLSTATE, its rows. */
static int answer(struct vv_request *req, int code, const struct vv_rows *rows)
{
    struct vv_json *json = vv_object(req);

    vv_put(json, "code", VV_INT(code));
    vv_put(json, "sqlstate", VV_TEXT(vv_sqlstate(req)));
    if (code >= 0) {
        vv_put_rows(json, "rows", rows);
        vv_put(json, "affected", VV_INT(vv_rows_affected(rows)));
    }
    return vv_reply(req, 200, json);
}

/* {"$time": 1}, {"$bytes": "text"} and {"$json": {...}} stand for what JSON has no values for. */
static struct vv_param param_of(struct vv_request *req, const struct vv_value *value)
{
    const char *text;

    if (vv_has(value, "$time"))
        return VV_TIME(vv_get_int(value, "$time", 0));
    if (vv_has(value, "$json"))
        return VV_JSON(vv_value_json(req, vv_get(value, "$json")));
    text = vv_get_text(value, "$bytes");
    if (text != NULL)
        return VV_BYTES(text, strlen(text));
    return vv_value_param(value);
}

static size_t params_of(struct vv_request *req, const struct vv_value *body,
                        struct vv_param *params)
{
    const struct vv_value *list = vv_get(body, "params");
    size_t count = vv_count(list);

    if (count > MOST_PARAMS)
        count = MOST_PARAMS;
    for (size_t i = 0; i < count; i++)
        params[i] = param_of(req, vv_at(list, i));
    return count;
}

static int body_of(struct vv_request *req, const struct vv_value **ret_body)
{
    size_t length;
    const void *bytes = vv_body_bytes(req, &length);

    return vv_parse(req, bytes, length, ret_body);
}

/* {lane, sql, params, bare}: with `bare` an error is answered as the server does it. */
static int run(struct vv_request *req)
{
    struct vv_param params[MOST_PARAMS];
    const struct vv_value *body;
    struct vv_rows *rows;
    size_t count;
    int rc;

    VV_TRY(body_of(req, &body));
    count = params_of(req, body, params);
    rc = vv_query_params(req, (uint32_t)vv_get_int(body, "lane", VV_LANE_READ), &rows,
                         vv_get_text(body, "sql"), params, count);
    if (rc < 0 && vv_get_bool(body, "bare", false))
        return rc;
    return answer(req, rc, rows);
}

/* {sql, names}: each row's columns by name, in the order and as often as the names say. */
static int named(struct vv_request *req)
{
    struct vv_json *json = vv_object(req);
    const struct vv_value *body, *names;
    struct vv_rows *rows;

    VV_TRY(body_of(req, &body));
    names = vv_get(body, "names");
    VV_TRY(vv_query_params(req, VV_LANE_READ, &rows, vv_get_text(body, "sql"), NULL, 0));
    vv_open_array(json, "values");
    for (size_t row = 0; row < vv_rows_count(rows); row++)
        for (size_t i = 0; i < vv_count(names); i++)
            vv_put(json, NULL, vv_row(rows, row, vv_value_param(vv_at(names, i)).data));
    return vv_reply(req, 200, json);
}

/* {steps: [{sql, params}], end: "commit" | "rollback" | "leave" | "sleep"}: one transaction. */
static int transact(struct vv_request *req)
{
    struct vv_param params[MOST_PARAMS];
    const struct vv_value *body, *steps;
    struct vv_rows *rows = NULL;
    struct vv_tx *tx;
    const char *end;
    int rc;

    VV_TRY(body_of(req, &body));
    steps = vv_get(body, "steps");
    end = vv_get_text(body, "end");
    rc = vv_begin(req, &tx);
    for (size_t i = 0; rc >= 0 && i < vv_count(steps); i++) {
        const struct vv_value *step = vv_at(steps, i);

        rc = vv_tx_query_params(tx, &rows, vv_get_text(step, "sql"), params,
                                params_of(req, step, params));
    }
    if (rc >= 0 && strcmp(end, "commit") == 0)
        rc = vv_commit(tx);
    else if (rc >= 0 && strcmp(end, "rollback") == 0)
        rc = vv_rollback(tx);
    else if (rc >= 0 && strcmp(end, "sleep") == 0)
        rc = vv_sleep(req, 10);
    else if (rc >= 0 && strcmp(end, "again") == 0)
        rc = vv_begin(req, &tx);
    return answer(req, rc, rows);
}

/* Every row of its number, newest first. */
static const struct vv_batch lookup =
    VV_BATCH("lookup", VV_BATCH_READ,
             "select n, s.id, s.who, s.what from unnest($1::bigint[]) with ordinality t (who, n)"
             " join seen s on s.who = t.who order by s.id desc");

static const struct vv_batch insert =
    VV_BATCH("insert", 0,
             "insert into seen (who, what, at, raw)"
             " select who, what, at, raw from unnest($1::bigint[], $2::text[], $3::timestamptz[],"
             "  $4::bytea[]) with ordinality t (who, what, at, raw, n)");

/* As slow for many as for one. */
static const struct vv_batch slow =
    VV_BATCH("slow", 0,
             "select n, pause is not null as slept, count(*) over () as together"
             " from unnest($1::bigint[]) with ordinality t (who, n),"
             " (select pg_sleep(0.1)::text as pause offset 0) s");

/* Waits for the locks of its rows, and says under which limits it does. */
static const struct vv_batch patient =
    VV_BATCH("patient", VV_BATCH_WAITS,
             "with given as (select * from unnest($1::bigint[], $2::text[])"
             "  with ordinality t (who, what, n)),"
             " changed as (update seen set what = given.what from given where seen.who = given.who"
             "  returning given.n, seen.what)"
             " select n, what, current_setting('lock_timeout') as lock,"
             "  current_setting('statement_timeout') as statement from changed");

/* {name, params, bare} */
static int gather(struct vv_request *req)
{
    static const struct vv_batch *const all[] = {&lookup, &insert, &slow, &patient};
    struct vv_param params[MOST_PARAMS];
    const struct vv_value *body;
    struct vv_rows *rows = NULL;
    const char *name;
    int rc;

    VV_TRY(body_of(req, &body));
    name = vv_get_text(body, "name");
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(all[i]->name, name) != 0)
            continue;
        rc = vv_batch_params(req, all[i], &rows, params, params_of(req, body, params));
        if (rc < 0 && vv_get_bool(body, "bare", false))
            return rc;
        return answer(req, rc, rows);
    }
    return vv_fail(req, 404, "no_such_batch", "There is no batch %s", name);
}

static const struct vv_route routes[] = {
    VV_ROUTE(VV_POST, "/dbtest/run", VV_ANYONE, run, .summary = "One statement"),
    VV_ROUTE(VV_POST, "/dbtest/brief", VV_ANYONE, run, .deadline = 500, .summary = "In 500 ms"),
    VV_ROUTE(VV_POST, "/dbtest/named", VV_ANYONE, named, .summary = "Columns by name"),
    VV_ROUTE(VV_POST, "/dbtest/tx", VV_ANYONE, transact, .summary = "One transaction"),
    VV_ROUTE(VV_POST, "/dbtest/brief-tx", VV_ANYONE, transact, .deadline = 500,
             .summary = "One transaction in 500 ms"),
    VV_ROUTE(VV_POST, "/dbtest/batch", VV_ANYONE, gather, .summary = "One row of a batch"),
    VV_ROUTE(VV_POST, "/dbtest/brief-batch", VV_ANYONE, gather, .deadline = 500,
             .summary = "One row of a batch in 500 ms"),
    VV_END,
};

VV_PLUGIN(.name = "dbtest", .version = "1.0.0", .summary = "The database, as tests reach it",
          .routes = routes)
