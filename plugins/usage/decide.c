/* Decisions: gathered into batches, and asked again where somebody held the user's row. */
#include "usage.h"

#define QUICK_LONGEST 64 /* milliseconds: the last pause before a call waits in line */

/* The statements, made when the first call comes: then all plugins have said what they add. */
static struct {
    struct vv_batch quick, waiting, quick_unrated, waiting_unrated;
    const char *single, *single_unrated, *peek;
} decide;

static void decide_batch(struct vv_batch *batch, const char *name, bool rated, bool waits)
{
    const struct usage_mode mode = {.rated = rated, .waits = waits};

    batch->size = sizeof *batch;
    batch->flags = waits ? VV_BATCH_WAITS : 0;
    batch->name = name;
    batch->sql = usage_statement_decide(mode);
}

static void decide_prepare(void)
{
    if (decide.peek != NULL)
        return;
    decide_batch(&decide.quick, "usage.decide", true, false);
    decide_batch(&decide.waiting, "usage.decide.waiting", true, true);
    decide_batch(&decide.quick_unrated, "usage.decide.unrated", false, false);
    decide_batch(&decide.waiting_unrated, "usage.decide.unrated.waiting", false, true);
    decide.single =
        usage_statement_decide((struct usage_mode){.rated = true, .single = true, .waits = true});
    decide.single_unrated =
        usage_statement_decide((struct usage_mode){.rated = false, .single = true, .waits = true});
    decide.peek = usage_statement_peek();
}

/* ---- reading a verdict ------------------------------------------------------------------------
 */

/* How many calls the rate lets through now, and when it lets more. */
static void verdict_rate(struct vv_verdict *verdict, int64_t now, int64_t time, bool rated)
{
    int64_t each = usage_setup.rate_each;

    if (each == 0 || !rated)
        return;
    verdict->rate_count = usage_conf()->rate_limit.count;
    verdict->rate_period = usage_conf()->rate_limit.period;
    verdict->rate_remaining = (now + usage_setup.rate_whole - time) / each;
    verdict->rate_reset = time - now;
    if (verdict->rate_remaining < 1)
        verdict->rate_retry = time + each - now - usage_setup.rate_whole;
}

static void verdict_read(const struct vv_rows *rows, bool rated, struct vv_verdict *ret_verdict)
{
    struct vv_verdict *verdict = ret_verdict;
    int64_t time;

    /* In the order of the columns: so each is found at once. */
    verdict->user_id = vv_row_int(rows, 0, "user_id");
    verdict->credential_id = vv_row_int(rows, 0, "credential_id");
    verdict->email = vv_row_text(rows, 0, "email");
    verdict->plan_id = vv_row_text(rows, 0, "plan_id");
    verdict->status = vv_row_text(rows, 0, "status");
    verdict->ends_at = vv_row_int(rows, 0, "ends_at");
    verdict->limit = vv_row_null(rows, 0, "most") ? VV_UNLIMITED : vv_row_int(rows, 0, "most");
    verdict->period_start = vv_row_int(rows, 0, "period_start");
    verdict->period_end = vv_row_int(rows, 0, "period_end");
    verdict->used = vv_row_int(rows, 0, "used");
    time = vv_row_int(rows, 0, "rate_time");
    verdict->now = vv_row_int(rows, 0, "now");
    verdict_rate(verdict, verdict->now, time, rated);
}

static void verdict_take(const struct vv_rows *rows, bool rated, struct vv_verdict *ret_verdict)
{
    memset(ret_verdict, 0, sizeof *ret_verdict);
    ret_verdict->size = (uint32_t)sizeof *ret_verdict;
    ret_verdict->outcome = (uint32_t)vv_row_int(rows, 0, "outcome");
    if (ret_verdict->outcome != VV_UNKNOWN_CALLER)
        verdict_read(rows, rated, ret_verdict);
    vv_metric_add(ret_verdict->outcome, 1);
}

/* ---- deciding ---------------------------------------------------------------------------------
 */

struct decide_params {
    struct vv_param user, credential, endpoint, cost;
};

static int decide_check(struct vv_request *req, const struct vv_ask *ask,
                        struct decide_params *ret_params)
{
    if ((ask->user_id == 0) == (ask->credential == NULL) || ask->cost < 1 ||
        ask->cost > VV_COST_MAX) {
        vv_log(req, VV_LOG_ERROR, "a decision needs a user or a credential, and a cost of 1 to %d",
               VV_COST_MAX);
        return VV_EINVAL;
    }
    decide_prepare();
    ret_params->user = ask->user_id == 0 ? VV_NULL() : VV_INT(ask->user_id);
    ret_params->credential =
        ask->credential == NULL ? VV_NULL() : VV_BYTES(ask->credential, VV_CREDENTIAL_BYTES);
    ret_params->endpoint = VV_TEXT(ask->endpoint);
    ret_params->cost = VV_INT(ask->cost);
    return 0;
}

/*
 * Most rows are held for a moment, by a decision of another worker: such a call is asked again and
 * again, and holds no row meanwhile. Only a call that always came too late waits in line, where it
 * may stand behind somebody whose row is held for long.
 */
static int decide_ask(struct vv_request *req, const struct decide_params *params, bool rated,
                      struct vv_rows **ret_rows)
{
    const struct vv_batch *quick = rated ? &decide.quick : &decide.quick_unrated;
    const struct vv_batch *waiting = rated ? &decide.waiting : &decide.waiting_unrated;

    for (int64_t pause = 1; pause <= QUICK_LONGEST; pause *= 2) {
        VV_TRY(vv_batch_query(req, quick, ret_rows, params->user, params->credential,
                              params->endpoint, params->cost));
        if (vv_row_int(*ret_rows, 0, "outcome") != USAGE_LOCKED)
            return 0;
        VV_TRY(vv_sleep(req, pause));
    }
    return vv_batch_query(req, waiting, ret_rows, params->user, params->credential,
                          params->endpoint, params->cost);
}

int usage_decide(struct vv_request *req, const struct vv_ask *ask, struct vv_verdict *ret_verdict)
{
    bool rated = (ask->flags & VV_ASK_UNRATED) == 0;
    struct decide_params params;
    struct vv_rows *rows;

    VV_TRY(decide_check(req, ask, &params));
    VV_TRY(decide_ask(req, &params, rated, &rows));
    verdict_take(rows, rated, ret_verdict);
    return 0;
}

int usage_decide_in(struct vv_tx *tx, const struct vv_ask *ask, struct vv_verdict *ret_verdict)
{
    bool rated = (ask->flags & VV_ASK_UNRATED) == 0;
    struct decide_params params;
    struct vv_rows *rows;

    VV_TRY(decide_check(vv_tx_request(tx), ask, &params));
    VV_TRY(vv_tx_query(tx, &rows, rated ? decide.single : decide.single_unrated, params.user,
                       params.credential, params.endpoint, params.cost));
    verdict_take(rows, rated, ret_verdict);
    return 0;
}

/* The same order of questions as in the statement. */
static uint32_t peek_outcome(const struct vv_rows *rows, const struct vv_verdict *verdict)
{
    uint32_t bar =
        vv_rows_count(rows) == 0 ? VV_UNKNOWN_CALLER : (uint32_t)vv_row_int(rows, 0, "bar");

    if (bar != VV_ALLOWED)
        return bar;
    if (verdict->limit != VV_UNLIMITED && verdict->used >= verdict->limit)
        return VV_OVER_QUOTA;
    return verdict->rate_count != 0 && verdict->rate_remaining < 1 ? VV_OVER_RATE : VV_ALLOWED;
}

int usage_peek(struct vv_request *req, int64_t user_id, struct vv_verdict *ret_verdict)
{
    struct vv_rows *rows;

    decide_prepare();
    VV_TRY(vv_query(req, &rows, decide.peek, VV_INT(user_id)));
    memset(ret_verdict, 0, sizeof *ret_verdict);
    ret_verdict->size = (uint32_t)sizeof *ret_verdict;
    if (vv_rows_count(rows) > 0)
        verdict_read(rows, true, ret_verdict);
    ret_verdict->outcome = peek_outcome(rows, ret_verdict);
    return 0;
}
