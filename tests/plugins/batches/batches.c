/* Batches: many requests, one statement; a bad row fails alone. */
#include <vv/plugin.h>

/* The first column says whose row it is; `who` is unique. */
static const struct vv_batch visit =
    VV_BATCH("visit", 0,
             "with given as (select * from unnest($1::text[], $2::bigint[]) "
             "with ordinality t (who, share, n)), "
             "added as (insert into visits (who, share) select who, 100 / share from given "
             "returning who, share) "
             "select n, added.share from added join given using (who)");

static const struct vv_batch look =
    VV_BATCH("look", VV_BATCH_READ,
             "select n, length(who) as length from unnest($1::text[]) with ordinality t (who, n)");

static int measure(struct vv_request *req)
{
    struct vv_rows *rows;

    VV_TRY(vv_batch_query(req, &look, &rows, VV_TEXT(vv_param_text(req, "who"))));
    return vv_reply_row(req, 200, rows, 0);
}

static int add(struct vv_request *req)
{
    struct vv_rows *rows;

    VV_TRY(vv_batch_query(req, &visit, &rows, VV_TEXT(vv_param_text(req, "who")),
                          VV_INT(vv_param_int(req, "share"))));
    return vv_reply_row(req, 200, rows, 0);
}

static const struct vv_field query[] = {
    VV_FIELD_TEXT("who", 1, 50, VV_REQUIRED, "Whose row"),
    VV_FIELD_INT("share", 0, 100, 0, "What its row is divided by", .value = "1"),
    VV_END,
};

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "/batches/{who}", VV_ANYONE, measure, .query = query, .summary = "Reads"),
    VV_ROUTE(VV_POST, "/batches/{who}", VV_ANYONE, add, .query = query, .flags = VV_OPTIONAL_BODY,
             .summary = "Inserts"),
    VV_END,
};

VV_PLUGIN(.name = "batches", .version = "1", .summary = "Gathers statements", .routes = routes)
