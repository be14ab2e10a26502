/* Batchers: gather what concurrent fibers want of one statement, send it as arrays, share it out.
 */
#include "config.h"
#include "db_internal.h"
#include "db_lane.h"
#include "db_rows.h"
#include "jobs.h"
#include "log.h"

#include <event2/event.h>
#include <stdio.h>

#define BATCH_ROWS           512
#define BATCH_CONFLICT_TRIES 5
#define BATCH_BUCKETS        64

struct batch_item;

/* A fiber that waits for its item; on its stack. */
struct batch_call {
    struct vv_wait wait;
    struct batch_item *item;
    struct vv_request *req;
    struct vv_rows *rows;
    int code;
    char sqlstate[6];
};

/* One fiber's part of a batch. It outlives the fiber when that is cancelled on the way. */
struct batch_item {
    struct vv_list link;     /* waiting, or in flight */
    struct batch_call *call; /* NULL: nobody waits any more */
    bool flying;
    unsigned group; /* items of a failed batch are sent again in these; 0 = in any */
    size_t offsets[VV_DB_PARAMS + 1]; /* of each element in `text` */
    char text[];
};

/* What was sent together, in the order of the ordinals, from 1. */
struct batch_flight {
    struct vv_list items;
    size_t count;
};

struct batcher {
    const struct vv_batch *batch;
    struct vv_db_statement *statement; /* NULL: not prepared */
    struct batcher *next;
    struct vv_list waiting;
    struct batch_flight flight;
    size_t params;
    unsigned last_group;
    bool in_flight;
    struct event *event; /* sends at the end of the turn */
};

static struct batcher *batch_buckets[BATCH_BUCKETS];
static struct event_base *batch_base;

static void batcher_on_turn(evutil_socket_t fd, short what, void *arg);
static void batcher_send(struct batcher *batcher);

void vv_db_batches_init(struct event_base *base)
{
    batch_base = base;
}

static struct batcher *batcher_find(const struct vv_batch *batch, size_t params)
{
    struct batcher **bucket = &batch_buckets[((uintptr_t)batch >> 4) % BATCH_BUCKETS], *found;

    for (found = *bucket; found != NULL; found = found->next) {
        if (found->batch == batch)
            return found;
    }
    found = vv_xcalloc(1, sizeof *found);
    found->batch = batch;
    found->params = params;
    if (vv_config->database.prepared)
        found->statement = vv_db_statement_find(batch->sql);
    vv_list_init(&found->waiting);
    vv_list_init(&found->flight.items);
    found->event = event_new(batch_base, -1, 0, batcher_on_turn, found);
    vv_assert(found->event != NULL);
    found->next = *bucket;
    *bucket = found;
    return found;
}

static struct batch_item *item_new(const struct vv_param *params, size_t count)
{
    struct batch_item *item;
    size_t size = 0;

    for (size_t i = 0; i < count; i++) {
        if (!vv_db_param_valid(&params[i]))
            return NULL;
        size += vv_db_element_size(&params[i]);
    }
    item = vv_xmalloc(sizeof *item + size);
    memset(item, 0, sizeof *item);
    vv_list_init(&item->link);
    for (size_t i = 0; i < count; i++)
        item->offsets[i + 1] =
            item->offsets[i] + vv_db_element_write(&params[i], item->text + item->offsets[i]);
    return item;
}

static struct batch_item *item_of(struct vv_list *link)
{
    return VV_CONTAINER(link, struct batch_item, link);
}

/* Tells its fiber, if there is one. */
static void item_finish(struct batch_item *item, int code, const char *sqlstate)
{
    struct batch_call *call = item->call;

    vv_list_remove(&item->link);
    if (call != NULL) {
        call->code = code;
        if (code != 0)
            snprintf(call->sqlstate, sizeof call->sqlstate, "%s", sqlstate);
        vv_fiber_wake(&call->wait, 0);
    }
    free(item);
}

static void call_cancel(struct vv_wait *wait)
{
    struct batch_item *item = VV_CONTAINER(wait, struct batch_call, wait)->item;

    item->call = NULL;
    if (item->flying)
        return;
    vv_list_remove(&item->link);
    free(item);
}

static void flight_land(struct batch_flight *flight, int code, const char *sqlstate)
{
    struct vv_list *link;

    while ((link = flight->items.next) != &flight->items)
        item_finish(item_of(link), code, sqlstate); /* NOLINT(clang-analyzer-unix.Malloc) */
    flight->count = 0;
}

/* A bad row is found by halves, and fails alone. They go before what waits. */
static void batcher_split(struct batcher *batcher)
{
    size_t half = (batcher->flight.count + 1) / 2, index = batcher->flight.count;
    unsigned first = ++batcher->last_group, second = ++batcher->last_group;

    while (index-- > 0) {
        struct batch_item *item = item_of(batcher->flight.items.prev);

        vv_list_remove(&item->link);
        item->flying = false;
        item->group = index < half ? first : second;
        vv_list_append(batcher->waiting.next, &item->link);
    }
    batcher->flight.count = 0;
}

static bool batcher_is_row_error(const char *sqlstate)
{
    return strncmp(sqlstate, "22", 2) == 0 || strncmp(sqlstate, "23", 2) == 0;
}

static void batcher_failed(struct batcher *batcher, const struct vv_db_unit *unit)
{
    struct batch_call *call;

    if (batcher_is_row_error(unit->sqlstate) && batcher->flight.count > 1) {
        batcher_split(batcher);
        return;
    }
    call = item_of(batcher->flight.items.next)->call;
    if (unit->code == VV_ESQL)
        vv_log_line(VV_LOG_ERROR, NULL, call == NULL ? NULL : call->req,
                    "SQL error %s in batch '%s' of %zu: %s", unit->sqlstate, batcher->batch->name,
                    batcher->flight.count, unit->message == NULL ? "" : unit->message);
    else if (unit->code != VV_EUNIQUE)
        vv_warning("batch '%s' of %zu failed (%s: %s)", batcher->batch->name, batcher->flight.count,
                   unit->sqlstate, unit->message == NULL ? "no connection" : unit->message);
    flight_land(&batcher->flight, unit->code, unit->sqlstate);
}

/* Column n of a row: whose it is, counted from 1; 0 when it makes no sense. */
static size_t batch_ordinal(const PGresult *pg, int row, size_t count)
{
    const unsigned char *at = (const unsigned char *)PQgetvalue(pg, row, 0);
    int length = PQgetlength(pg, row, 0);
    uint64_t number = 0;

    if (length != 4 && length != 8)
        return 0;
    for (int i = 0; i < length; i++)
        number = number << 8 | at[i];
    return number <= count ? (size_t)number : 0;
}

/*
 * Sorts the rows by whose they are: `starts[k]` to `starts[k + 1]` in `index` are of item k. False:
 * a row is nobody's.
 */
static bool batch_sort(const PGresult *pg, size_t count, uint32_t *starts, uint32_t *index)
{
    int rows = PQntuples(pg);

    memset(starts, 0, (count + 2) * sizeof *starts);
    for (int row = 0; row < rows; row++) {
        size_t ordinal = batch_ordinal(pg, row, count);

        if (ordinal == 0)
            return false;
        starts[ordinal + 1]++;
    }
    for (size_t i = 1; i < count + 2; i++)
        starts[i] += starts[i - 1];
    /* starts[k + 1] is where item k begins, and moves on to where it ends. */
    for (int row = 0; row < rows; row++)
        index[starts[batch_ordinal(pg, row, count)]++] = (uint32_t)row;
    return true;
}

static void batcher_share(const struct batcher *batcher, struct batch_flight *flight,
                          struct vv_db_unit *unit)
{
    size_t count = flight->count, rows = (size_t)PQntuples(unit->result), k = 0;
    uint32_t *starts = vv_xmalloc((count + 2 + rows) * sizeof *starts);
    uint32_t *index = starts + count + 2;
    struct vv_db_result *result;

    if (!batch_sort(unit->result, count, starts, index)) {
        vv_error("batch '%s': the first column has to be the ordinal, \"n\"", batcher->batch->name);
        flight_land(flight, VV_ESQL, "");
        free(starts);
        return;
    }
    result = vv_db_result_new(unit->result);
    unit->result = NULL;
    for (struct vv_list *at = flight->items.next; at != &flight->items; at = at->next, k++) {
        struct batch_call *call = item_of(at)->call;

        if (call != NULL)
            call->rows =
                vv_db_rows_share(call->req, result, index + starts[k], starts[k + 1] - starts[k]);
    }
    vv_db_result_release(result);
    flight_land(flight, 0, "");
    free(starts);
}

/* The next batch leaves before this one is shared out: the database works while its requests are
 * answered. */
static void batcher_landed(struct batcher *batcher, struct vv_db_unit *unit)
{
    struct batch_flight landed = {.count = batcher->flight.count};
    struct vv_list *link;

    vv_list_init(&landed.items);
    while ((link = vv_list_shift(&batcher->flight.items)) != NULL)
        vv_list_append(&landed.items, link);
    batcher->flight.count = 0;
    batcher_send(batcher);
    batcher_share(batcher, &landed, unit);
    if ((batcher->batch->flags & VV_BATCH_ENQUEUES) != 0)
        vv_db_follow(vv_jobs_notify);
}

static void batcher_done(struct vv_db_unit *unit)
{
    struct batcher *batcher = unit->arg;

    batcher->in_flight = false;
    if (unit->code != 0)
        batcher_failed(batcher, unit);
    else
        batcher_landed(batcher, unit);
    vv_db_unit_free(unit);
    if (!batcher->in_flight && !vv_list_empty(&batcher->waiting))
        event_active(batcher->event, 0, 0);
}

/* What goes together: up to BATCH_ROWS, all of one group. */
static void batcher_load(struct batcher *batcher)
{
    unsigned group = item_of(batcher->waiting.next)->group;

    while (!vv_list_empty(&batcher->waiting) && batcher->flight.count < BATCH_ROWS) {
        struct batch_item *item = item_of(batcher->waiting.next);

        if (item->group != group)
            break;
        vv_list_remove(&item->link);
        vv_list_append(&batcher->flight.items, &item->link);
        item->flying = true;
        batcher->flight.count++;
    }
}

/* Each parameter as an array literal: {1,2,NULL}. */
static void batcher_encode(struct batcher *batcher, struct vv_db_params *params)
{
    size_t size = (batcher->flight.count + 3) * batcher->params;
    char *at;

    for (struct vv_list *link = batcher->flight.items.next; link != &batcher->flight.items;
         link = link->next)
        size += item_of(link)->offsets[batcher->params];
    at = vv_db_params_alloc(params, batcher->params, size);
    for (size_t i = 0; i < batcher->params; i++) {
        params->values[i] = at;
        *at++ = '{';
        for (struct vv_list *link = batcher->flight.items.next; link != &batcher->flight.items;
             link = link->next) {
            struct batch_item *item = item_of(link);
            size_t length = item->offsets[i + 1] - item->offsets[i];

            memcpy(at, item->text + item->offsets[i], length);
            at += length;
            *at++ = ',';
        }
        at[-1] = '}';
        *at++ = '\0';
    }
}

static int batcher_submit(const struct vv_batch *batch, struct vv_db_unit *unit)
{
    if ((batch->flags & VV_BATCH_WAITS) != 0)
        return vv_db_submit_waiting(unit);
    return vv_db_lane_submit(vv_db_lane((batch->flags & VV_BATCH_READ) != 0), unit);
}

static void batcher_send(struct batcher *batcher)
{
    struct vv_db_unit *unit;
    int rc;

    if (batcher->in_flight || vv_list_empty(&batcher->waiting))
        return;
    batcher_load(batcher);
    unit = vv_db_unit_new(batcher->batch->sql, NULL, 0);
    vv_assert(unit != NULL);
    vv_db_params_free(&unit->params);
    batcher_encode(batcher, &unit->params);
    unit->most_tries = BATCH_CONFLICT_TRIES;
    unit->statement = batcher->statement;
    unit->arg = batcher;
    unit->done = batcher_done;
    batcher->in_flight = true;
    rc = batcher_submit(batcher->batch, unit);
    if (rc < 0) {
        vv_db_unit_fail(unit, rc);
        batcher_done(unit);
    }
}

static void batcher_on_turn(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    batcher_send(arg);
}

static int batch_misuse(struct vv_self *self, struct vv_request *req, const struct vv_batch *batch)
{
    vv_log_line(VV_LOG_ERROR, self, req,
                "batch '%s': a parameter is no value of SQL or a text with a NUL, or there are not "
                "as many as the last time",
                batch->name);
    return vv_db_refuse(req, VV_EINVAL);
}

int vv_db_batch(struct vv_self *self, struct vv_request *req, const struct vv_batch *batch,
                const struct vv_param *params, size_t count, struct vv_rows **ret_rows)
{
    struct batch_call call = {.req = req};
    struct batcher *batcher;
    int rc = vv_db_may(self, req);

    if (ret_rows != NULL)
        *ret_rows = NULL;
    if (rc < 0)
        return rc;
    batcher = batcher_find(batch, count);
    call.item = count == 0 || count > VV_DB_PARAMS || count != batcher->params
                    ? NULL
                    : item_new(params, count);
    if (call.item == NULL)
        return batch_misuse(self, req, batch);
    call.item->call = &call;
    vv_list_append(&batcher->waiting, &call.item->link);
    vv_wait_init(&call.wait, call_cancel);
    if (!batcher->in_flight)
        event_active(batcher->event, 0, 0);
    if (vv_fiber_wait(&call.wait) < 0)
        return vv_db_refuse(req, VV_ECANCELED);
    if (call.code != 0) {
        memcpy(req->sqlstate, call.sqlstate, sizeof req->sqlstate);
        return vv_db_refuse(req, call.code);
    }
    if (ret_rows != NULL)
        *ret_rows = call.rows;
    return 0;
}
