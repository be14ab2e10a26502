/* Puts messages into the table, in the transaction of what they tell about, and takes old ones out.
 */
#include "mail.h"
#include <inttypes.h>
#include <sys/random.h>

const char *mail_queue_message_id(struct vv_request *req)
{
    unsigned char bytes[16];
    char text[2 * sizeof bytes + 1];
    size_t i;

    /* 16 bytes are given whole or not at all, and an early boot only delays them. */
    while (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        ;
    for (i = 0; i < sizeof bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return vv_printf(req, "<%s%s>", text, strrchr(mail_setup.from.address, '@'));
}

int mail_queue_job(struct vv_tx *tx, int64_t id)
{
    struct vv_request *req = vv_tx_request(tx);
    struct vv_enqueue job =
        VV_ENQUEUE("mail.send", vv_printf(req, "{\"message\": %" PRId64 "}", id));

    /* After `vvctl mail retry` there may be two jobs of a message: they must not send it twice. */
    job.mutex = vv_printf(req, "mail.send:%" PRId64, id);
    return vv_enqueue(tx, &job);
}

/* What delivery would find wrong, found now, where the caller's mistake is. */
static int queue_check(struct vv_request *req, const struct vv_mail_message *message,
                       const char *reply_to)
{
    const struct mail_template *template =
        message->template_ == NULL ? NULL
                                   : mail_templates_find(mail_setup.templates, message->template_);
    const char *variables = message->variables == NULL ? "{}" : message->variables, *bad = NULL;
    const struct vv_value *object;
    const char **values;

    if (template == NULL)
        vv_log(req, VV_LOG_ERROR, "mail: there is no template '%s'",
               message->template_ == NULL ? "" : message->template_);
    else if (message->to == NULL || !mail_address_valid(message->to) ||
             (reply_to != NULL && !mail_address_valid(reply_to)) ||
             (message->to_name != NULL && !mail_name_valid(message->to_name)))
        vv_log(req, VV_LOG_ERROR,
               "mail: template '%s' was given an address or a name that cannot "
               "stand in a message",
               template->name);
    else if (vv_parse(req, variables, strlen(variables), &object) < 0)
        vv_log(req, VV_LOG_ERROR, "mail: the variables for '%s' are no JSON", template->name);
    else if (mail_template_values(req, template, mail_setup.product_name, object, &values, &bad) <
             0)
        vv_log(req, VV_LOG_ERROR, "mail: template '%s' needs the variable '%s'", template->name,
               bad);
    else
        return 0;
    return VV_EINVAL;
}

int mail_queue_put(struct vv_tx *tx, const struct vv_mail_message *message, const char *reply_to)
{
    struct vv_request *req = vv_tx_request(tx);
    struct vv_rows *rows;

    VV_TRY(queue_check(req, message, reply_to));
    VV_TRY(vv_tx_query(
        tx, &rows,
        "insert into mail_messages"
        " (message_id, unique_name, user_id, recipient, recipient_name, reply_to, template,"
        "  variables)"
        " values ($1, $2, nullif($3::bigint, 0), $4, nullif($5, ''), $6, $7, $8::jsonb)"
        " on conflict (unique_name) do nothing returning id",
        VV_TEXT(mail_queue_message_id(req)), VV_TEXT(message->unique), VV_INT(message->user_id),
        VV_TEXT(message->to), VV_TEXT(message->to_name), VV_TEXT(reply_to),
        VV_TEXT(message->template_),
        VV_JSON(message->variables == NULL ? "{}" : message->variables)));
    if (vv_rows_count(rows) == 0)
        return 0;
    return mail_queue_job(tx, vv_row_int(rows, 0, "id"));
}

int mail_queue_send(struct vv_tx *tx, const struct vv_mail_message *message)
{
    struct vv_mail_message copy;

    /* A caller built with a later header may hand over more than we know. */
    if (message->size < sizeof copy)
        return VV_EINVAL;
    memcpy(&copy, message, sizeof copy);
    return mail_queue_put(tx, &copy, NULL);
}

/* The jobs stay: one whose message is gone ends without having done anything, and names nobody. */
int mail_queue_forget(struct vv_tx *tx, int64_t user_id)
{
    return vv_tx_exec(tx, "delete from mail_messages where user_id = $1", VV_INT(user_id));
}

int mail_queue_clean(struct vv_request *req)
{
    const struct mail_conf *conf = vv_conf();
    struct vv_rows *rows;

    /* A failed message may be retried by hand for a while; its tokens have expired by then. */
    VV_TRY(vv_exec(req, "update mail_messages set variables = null where status = 'failed'"
                        " and variables is not null and changed_at < now() - interval '3 days'"));
    do {
        VV_TRY(vv_write(req, &rows,
                        "delete from mail_messages where id in (select id from mail_messages"
                        " where status in ('sent', 'failed')"
                        " and changed_at < now() - $1::bigint * interval '1 millisecond'"
                        " order by changed_at limit 1000)",
                        VV_INT(conf->retention)));
    } while (vv_rows_affected(rows) == 1000);
    return 0;
}
