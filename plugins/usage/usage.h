/* What the files of this plugin share: its options, the statements of a decision, and its hooks. */
#ifndef USAGE_USAGE_H
#define USAGE_USAGE_H

#include <vv/auth.h>
#include <vv/entitlements.h>
#include <vv/mail.h>

struct usage_conf {
    struct vv_rate rate_limit;
    const char *default_quota;
    int64_t retention_months, rollup_retention_months;
};

static inline const struct usage_conf *usage_conf(void)
{
    return (const struct usage_conf *)vv_conf();
}

/* What follows from the options and from which plugins are on: set in init. Static. */
struct usage_setup {
    int64_t default_quota; /* VV_UNLIMITED; what everybody has where nothing is sold */
    int64_t rate_each;     /* microseconds between two calls at the rate; 0 = off */
    int64_t rate_whole;    /* microseconds of a whole burst */
    const char *credentials;
};
extern struct usage_setup usage_setup;

/* ---- the statements: statement.c --------------------------------------------------------------
 */

/* How a decision's statement is to behave. */
struct usage_mode {
    bool rated;  /* [usage] rate_limit counts */
    bool single; /* one call, in a transaction: scalars instead of arrays */
    bool waits;  /* locks are waited for; else who is locked is skipped, with USAGE_LOCKED */
};

#define USAGE_LOCKED (-1) /* as an outcome: somebody holds the user's row */

/*
 * The statement that decides. Parameters: user ids, credentials, endpoints, costs; arrays of them
 * for a batch. Columns: n, then those of usage_verdict_read(). Made of what is configured, so it
 * can be made once init has ended. Static.
 */
const char *usage_statement_decide(struct usage_mode mode);

/* What decide would say to the user $1, without the outcome. Static. */
const char *usage_statement_peek(void);

/* An expression over `e` (entitlements): what a user may use in a period; NULL = unlimited. In
 * memory of the caller's. */
char *usage_statement_limit(void);

/* What was used of that in the period that runs. The same. */
char *usage_statement_used(void);

/* ---- decisions: decide.c ----------------------------------------------------------------------
 */

int usage_decide(struct vv_request *req, const struct vv_ask *ask, struct vv_verdict *ret_verdict);
int usage_decide_in(struct vv_tx *tx, const struct vv_ask *ask, struct vv_verdict *ret_verdict);
int usage_peek(struct vv_request *req, int64_t user_id, struct vv_verdict *ret_verdict);

/* ---- answers: answer.c ------------------------------------------------------------------------
 */

int usage_answer(struct vv_request *req, const struct vv_verdict *verdict);

/* Metrics, in the order of the table: one for each outcome. */
extern const struct vv_metric usage_metrics[];

/* ---- hooks: entitlements.c --------------------------------------------------------------------
 */

int usage_user_registered(struct vv_request *req, struct vv_event *event);
int usage_user_verified(struct vv_request *req, struct vv_event *event);
int usage_user_changed(struct vv_request *req, struct vv_event *event);
int usage_user_disabled(struct vv_request *req, struct vv_event *event);
int usage_user_enabled(struct vv_request *req, struct vv_event *event);
int usage_user_deleted(struct vv_request *req, struct vv_event *event);
int usage_subscription_changed(struct vv_request *req, struct vv_event *event);

/* Makes the row of a user who has none. May wait. */
VV_MUST_CHECK int usage_entitlements_add(struct vv_request *req, int64_t user_id);

/* Writes what a subscription gives into the user's row, which the transaction then holds. A new
 * anchor begins a new period, whose usage is counted out of the log. */
VV_MUST_CHECK int usage_access_store(struct vv_tx *tx, const struct vv_access *access);

/* ---- what people see: report.c, history.c -----------------------------------------------------
 */

int usage_report_get(struct vv_request *req);
int usage_report_change(struct vv_request *req);
int usage_history_get(struct vv_request *req);

/* Adds what was used and the limit to GET /profile. In init. */
VV_MUST_CHECK int usage_report_profile(void);

/* ---- in the background: upkeep.c, forget.c, notice.c, rebuild.c --------------------------------
 */

int usage_upkeep_roll_up(struct vv_request *req);
int usage_upkeep_partitions(struct vv_request *req);

/* Takes into the roll-ups whatever can be. May wait. */
VV_MUST_CHECK int usage_upkeep_catch_up(struct vv_request *req);

int usage_forget_job(struct vv_request *req, const struct vv_job_run *run);
int usage_notice_job(struct vv_request *req, const struct vv_job_run *run);
int usage_rebuild_job(struct vv_request *req, const struct vv_job_run *run);

/* Sees to it that the rebuild runs once for each generation. */
int usage_rebuild_start(struct vv_request *req);

/* ---- for operators: commands.c, checks.c ------------------------------------------------------
 */

extern const struct vv_command usage_commands[];
extern const struct vv_check usage_checks[];

#endif
