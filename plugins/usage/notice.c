/* Mails that a quota is nearly or wholly used up: each once in a period. */
#include "usage.h"

#include <inttypes.h>

static int notice_send(struct vv_tx *tx, const struct vv_rows *own, const char *first,
                       int64_t level)
{
    struct vv_request *req = vv_tx_request(tx);
    const char *name = level >= 100 ? "usage/quota-reached" : "usage/quota-warning";
    struct vv_json *variables = vv_object(req);
    struct vv_mail_message message;

    vv_put(variables, "first_name", VV_TEXT(first == NULL || first[0] == '\0' ? "there" : first));
    vv_put(variables, "used", vv_row(own, 0, "used"));
    vv_put(variables, "limit", vv_row(own, 0, "most"));
    vv_put(variables, "date", VV_TEXT(vv_mail_date(req, vv_row_int(own, 0, "period_end"))));
    vv_put(variables, "link", VV_TEXT(vv_mail_link(req, "/dashboard")));
    message = VV_MAIL(vv_row_text(own, 0, "email"), name, vv_json_text(variables));
    message.user_id = vv_row_int(own, 0, "user_id");
    message.unique = vv_printf(req, "%s:%" PRId64 ":%" PRId64, name, message.user_id,
                               vv_row_int(own, 0, "period_start"));
    return vv_mail()->send(tx, &message);
}

/* Of a user who has come further meanwhile, only what is true by now is told: that is a job of its
 * own. One whose plan grew, or whose period is over, is not told at all. */
int usage_notice_job(struct vv_request *req, const struct vv_job_run *run)
{
    const struct vv_param user = VV_INT(vv_get_int(run->payload, "user", 0));
    int64_t level = vv_get_int(run->payload, "level", 0);
    struct vv_rows *own, *name;
    struct vv_tx *tx;

    if (vv_mail() == NULL)
        return 0;
    VV_TRY(vv_begin(req, &tx));
    VV_TRY(vv_tx_query(tx, &own, usage_statement_peek(), user));
    VV_TRY(vv_tx_query(tx, &name, "select first_name from users where id = $1", user));
    if (vv_rows_count(own) == 0 || vv_rows_count(name) == 0 || !vv_row_bool(own, 0, "notify") ||
        vv_row_int(own, 0, "noticed") != level || vv_row_null(own, 0, "most") ||
        vv_row_int(own, 0, "used") * 5 < vv_row_int(own, 0, "most") * 4)
        return vv_rollback(tx);
    VV_TRY(notice_send(tx, own, vv_row_text(name, 0, "first_name"), level));
    return vv_commit(tx);
}
