/* The job that delivers one message, and what else talks to the mail server. */
#include "mail.h"
#include "mime.h"
#include <inttypes.h>
#include <time.h>

/* Runs a conversation on a thread. The goodbye comes with mail_smtp_close(), after the outcome has
 * been stored: a slow server must not widen the gap in which a crash sends a message twice. */
static int deliver_talk(struct vv_request *req, struct mail_smtp *smtp)
{
    smtp->server = &mail_setup.server;
    smtp->from = mail_setup.from.address;
    return vv_offload(req, VV_POOL_BLOCK, mail_smtp_run, smtp);
}

static void deliver_goodbye(struct vv_request *req, struct mail_smtp *smtp)
{
    if (smtp->handle != NULL && vv_offload(req, VV_POOL_BLOCK, mail_smtp_close, smtp) < 0)
        mail_smtp_close(smtp);
}

/* Renders the message of a row. */
static int deliver_render(struct vv_request *req, const struct vv_rows *row, struct mail_smtp *smtp)
{
    const char *name = vv_row_text(row, 0, "template"), *bad, **values;
    const char *variables = vv_row_text(row, 0, "variables");
    const struct mail_template *template = mail_templates_find(mail_setup.templates, name);
    const struct vv_value *object;
    struct mail_content content;
    struct mail_envelope envelope = {
        .from = mail_setup.from,
        .to = {vv_row_text(row, 0, "recipient_name"), vv_row_text(row, 0, "recipient")},
        .reply_to = mail_setup.reply_to,
        .message_id = vv_row_text(row, 0, "message_id"),
        .date = vv_row_int(row, 0, "created_at"),
    };

    if (template == NULL)
        return vv_fail(req, 500, "no_template", "there is no template '%s' any more", name);
    if (variables == NULL)
        return vv_fail(req, 500, "no_variables", "what this message said has been forgotten");
    VV_TRY(vv_parse(req, variables, strlen(variables), &object));
    if (mail_template_values(req, template, mail_setup.product_name, object, &values, &bad) < 0)
        return vv_fail(req, 500, "no_variable", "template '%s' now needs the variable '%s'", name,
                       bad);
    if (!vv_row_null(row, 0, "reply_to"))
        envelope.reply_to = (struct mail_address){NULL, vv_row_text(row, 0, "reply_to")};
    mail_template_render(req, mail_setup.templates, template, values, &content);
    if (mail_mime_build(req, &envelope, &content, &smtp->data, &smtp->length) < 0)
        return vv_fail(req, 500, "bad_message", "an address or a name cannot stand in a message");
    smtp->to = envelope.to.address;
    return 0;
}

/* What was done has to be known, or it would be done again: goes on trying while the database is
 * away, as long as the job may run. */
static int deliver_record(struct vv_request *req, int64_t id, const char *status, const char *reply)
{
    for (;;) {
        int rc = vv_exec(req,
                         "update mail_messages set status = $2, reply = $3, changed_at = now(),"
                         " sent_at = case when $2 = 'sent' then now() end,"
                         " variables = case when $2 <> 'sent' then variables end where id = $1",
                         VV_INT(id), VV_TEXT(status), VV_TEXT(reply));

        if (rc >= 0 || (rc != VV_EUNAVAILABLE && rc != VV_ETIMEOUT && rc != VV_EBUSY))
            return rc;
        VV_TRY(vv_sleep(req, 500));
    }
}

static int deliver_conclude(struct vv_request *req, const struct vv_job_run *run, int64_t id,
                            const struct mail_smtp *smtp)
{
    bool last = run->attempt >= run->attempts;

    if (smtp->outcome == MAIL_SMTP_SENT) {
        VV_TRY(deliver_record(req, id, "sent", smtp->reply));
        vv_metric_add(MAIL_METRIC_SENT, 1);
        vv_log(req, VV_LOG_INFO, "message %" PRId64 " was sent", id);
        return 0;
    }
    /* The server's words may repeat the address, which goes into the message's own row only. */
    if (smtp->outcome == MAIL_SMTP_REFUSED || last) {
        VV_TRY(deliver_record(req, id, "failed", smtp->reply));
        vv_metric_add(MAIL_METRIC_FAILED, 1);
        vv_log(req, VV_LOG_WARNING,
               "message %" PRId64 " failed (%ld): `vvctl mail show %" PRId64 "` says why", id,
               smtp->code, id);
        return 0;
    }
    VV_TRY(deliver_record(req, id, "retrying", smtp->reply));
    vv_metric_add(MAIL_METRIC_RETRIED, 1);
    if (mail_smtp_about_message(smtp))
        return vv_fail(req, 503, "mail_deferred",
                       "the mail server deferred message %" PRId64 " (%ld)", id, smtp->code);
    return vv_fail(req, 503, "mail_server", "the mail server: %s", smtp->reply);
}

int mail_deliver(struct vv_request *req, const struct vv_job_run *run)
{
    int64_t id = vv_get_int(run->payload, "message", 0);
    struct mail_smtp smtp = {0};
    struct vv_rows *row;
    int rc;

    /* Sent already, failed, or gone with its user: there is nothing to do. */
    VV_TRY(vv_write(req, &row,
                    "update mail_messages set status = 'sending', attempts = attempts + 1,"
                    " changed_at = now()"
                    " where id = $1 and status in ('queued', 'sending', 'retrying')"
                    " returning message_id, recipient, recipient_name, reply_to, template,"
                    " variables, created_at",
                    VV_INT(id)));
    if (vv_rows_count(row) == 0)
        return 0;
    if (deliver_render(req, row, &smtp) < 0) {
        snprintf(smtp.reply, sizeof smtp.reply, "it cannot be rendered with today's templates");
        smtp.outcome = MAIL_SMTP_REFUSED;
        return deliver_conclude(req, run, id, &smtp);
    }
    VV_TRY(deliver_talk(req, &smtp));
    rc = deliver_conclude(req, run, id, &smtp);
    deliver_goodbye(req, &smtp);
    return rc;
}

int mail_deliver_now(struct vv_request *req, const struct mail_address *to,
                     const struct mail_content *content, struct mail_smtp *ret_smtp)
{
    struct mail_envelope envelope = {.from = mail_setup.from, .reply_to = mail_setup.reply_to};
    struct timespec now;
    int rc;

    if (content != NULL) {
        clock_gettime(CLOCK_REALTIME, &now);
        envelope.to = *to;
        envelope.date = (int64_t)now.tv_sec * 1000000;
        envelope.message_id = mail_queue_message_id(req);
        ret_smtp->to = to->address;
        VV_TRY(mail_mime_build(req, &envelope, content, &ret_smtp->data, &ret_smtp->length));
    }
    rc = deliver_talk(req, ret_smtp);
    deliver_goodbye(req, ret_smtp);
    return rc;
}

int mail_check_smtp(struct vv_request *req)
{
    struct mail_smtp smtp = {0};

    VV_TRY(mail_deliver_now(req, NULL, NULL, &smtp));
    if (smtp.outcome != MAIL_SMTP_SENT)
        return vv_fail(req, 503, "smtp_unusable", "%s: %s", mail_setup.server.url, smtp.reply);
    vv_print(req, "%s: %s", mail_setup.server.url, smtp.reply);
    return 0;
}
