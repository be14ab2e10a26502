/* vvctl webhooks …: which events came, what became of them, and looking at one again. */
#include "inbound.h"

/* A sync that failed for good stands for all events of its customer that came before. */
#define COMMANDS_COLUMNS                                                                          \
    "e.id, e.type, coalesce(e.object_id, '') as object_id, coalesce(e.customer, '') as customer," \
    " to_char(e.created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as created,"              \
    " to_char(e.received_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as received,"            \
    " coalesce(to_char(e.processed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'), '')"          \
    "  as processed, coalesce(j.last_error, '') as error, coalesce(j.attempts, 0) as attempts,"   \
    " case when e.processed_at is not null then 'done' when j.state = 'dead' then 'failed'"       \
    "  when j.attempts > 0 then 'retrying' else 'waiting' end as state"
#define COMMANDS_FROM                                                                       \
    " from stripe_events e left join lateral (select state, last_error, attempts from jobs" \
    "  where e.processed_at is null and mutex in ('stripe.sync:' || e.customer,"            \
    "  'stripe.event:' || e.id) order by state = 'dead', id desc limit 1) j on true"

static int commands_list(struct vv_request *req, int argc, const char *const *argv)
{
    const char *state = NULL, *customer = NULL;
    struct vv_rows *rows;

    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--failed") == 0)
            state = "failed";
        else if (strcmp(argv[i], "--waiting") == 0)
            state = "waiting";
        else if (argv[i][0] == '-' || customer != NULL)
            return vv_fail(req, 422, "usage",
                           "usage: vvctl webhooks list [--failed | --waiting] [CUSTOMER]");
        else
            customer = argv[i];
    }
    VV_TRY(vv_query_slow(req, &rows,
                         "select * from (select " COMMANDS_COLUMNS ", e.received_at" COMMANDS_FROM
                         " where ($2::text is null or e.customer = $2::text)"
                         " and ($1::text is null or e.processed_at is null)) t"
                         " where $1::text is null or state = $1::text"
                         " or $1::text = 'waiting' and state = 'retrying'"
                         " order by received_at desc limit 100",
                         VV_TEXT(state), VV_TEXT(customer)));
    for (size_t row = 0; row < vv_rows_count(rows); row++)
        vv_print(req, "%s  %-8s  %-34s  %-30s  %s%s%s\n", vv_row_text(rows, row, "received"),
                 vv_row_text(rows, row, "state"), vv_row_text(rows, row, "type"),
                 vv_row_text(rows, row, "id"), vv_row_text(rows, row, "customer"),
                 vv_row_text(rows, row, "error")[0] == '\0' ? "" : "  ",
                 vv_row_text(rows, row, "error"));
    if (vv_rows_count(rows) == 0)
        vv_print(req, "none\n");
    return 0;
}

static int commands_find(struct vv_request *req, int argc, const char *const *argv,
                         struct vv_rows **ret_rows)
{
    if (argc != 1)
        return vv_fail(req, 422, "usage", "Which event? Its id is in `vvctl webhooks list`");
    VV_TRY(vv_query(req, ret_rows, "select " COMMANDS_COLUMNS COMMANDS_FROM " where e.id = $1",
                    VV_TEXT(argv[0])));
    if (vv_rows_count(*ret_rows) == 0)
        return vv_fail(req, 404, "no_event", "There is no event %s", argv[0]);
    return 0;
}

static int commands_show(struct vv_request *req, int argc, const char *const *argv)
{
    static const char *const lines[] = {"id",      "type",     "object_id", "customer",
                                        "created", "received", "processed", "state"};
    struct vv_rows *rows;

    VV_TRY(commands_find(req, argc, argv, &rows));
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        vv_print(req, "%-10s %s\n", lines[i], vv_row_text(rows, 0, lines[i]));
    if (vv_row_text(rows, 0, "error")[0] != '\0')
        vv_print(req, "%-10s %s (after %lld attempts)\n", "error", vv_row_text(rows, 0, "error"),
                 (long long)vv_row_int(rows, 0, "attempts"));
    return 0;
}

/* Whatever the event said is read from Stripe again, so that this never does harm. */
static int commands_replay(struct vv_request *req, int argc, const char *const *argv)
{
    const char *customer, *name;
    struct vv_enqueue job;
    struct vv_json *payload = vv_object(req);
    struct vv_rows *rows;
    struct vv_tx *tx;
    bool own;

    VV_TRY(commands_find(req, argc, argv, &rows));
    customer = vv_row_text(rows, 0, "customer");
    own = strncmp(vv_row_text(rows, 0, "type"), "charge.", 7) == 0;
    if (!own && customer[0] == '\0')
        return vv_fail(req, 409, "nothing_to_do",
                       "This event is about no customer: it was only "
                       "recorded");
    name = own ? vv_printf(req, "stripe.event:%s", argv[0])
               : vv_printf(req, "stripe.sync:%s", customer);
    vv_put(payload, own ? "event" : "customer", VV_TEXT(own ? argv[0] : customer));
    job = VV_ENQUEUE(own ? "stripe.event" : "stripe.sync", vv_json_text(payload));
    job.unique = name;
    job.mutex = name;
    VV_TRY(vv_begin(req, &tx));
    VV_TRY(vv_tx_exec(tx, "update stripe_events set processed_at = null where id = $1",
                      VV_TEXT(argv[0])));
    /* It takes the place of the one that failed. */
    VV_TRY(vv_tx_exec(tx, "delete from jobs where mutex = $1 and state = 'dead'", VV_TEXT(name)));
    VV_TRY(vv_enqueue(tx, &job));
    VV_TRY(vv_commit(tx));
    vv_print(req, "queued\n");
    return 0;
}

const struct vv_command stripe_commands[] = {
    VV_COMMAND("webhooks list", "[--failed | --waiting] [CUSTOMER]",
               "The latest 100 events of Stripe, newest first", commands_list),
    VV_COMMAND("webhooks show", "ID", "One event, and what became of it", commands_show),
    VV_COMMAND("webhooks replay", "ID", "Looks again at what an event is about", commands_replay),
    VV_END,
};
