/* vvctl mail …: what was sent, what was not, and whether the settings work. */
#include "mail.h"
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

static void commands_print(struct vv_request *req, const char *text)
{
    /* vv_print() takes 4 KiB at a time. */
    for (; strlen(text) > 4000; text += 4000)
        vv_print(req, "%.4000s", text);
    vv_print(req, "%s", text);
}

static int commands_id(struct vv_request *req, int argc, const char *const *argv, int64_t *ret_id)
{
    char *end = NULL;

    if (argc == 1)
        *ret_id = strtoll(argv[0], &end, 10);
    if (argc != 1 || end == argv[0] || *end != '\0')
        return vv_fail(req, 422, "usage", "Which message? Its number is in `vvctl mail list`");
    return 0;
}

static int commands_list(struct vv_request *req, int argc, const char *const *argv)
{
    const char *states = NULL, *address = NULL;
    struct vv_rows *rows;
    size_t row;
    int i;

    for (i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--failed") == 0)
            states = "{failed}";
        else if (strcmp(argv[i], "--queued") == 0)
            states = "{queued,sending,retrying}";
        else if (argv[i][0] == '-' || address != NULL)
            return vv_fail(req, 422, "usage",
                           "usage: vvctl mail list [--failed | --queued] [ADDRESS]");
        else
            address = argv[i];
    }
    VV_TRY(vv_query(req, &rows,
                    "select id, to_char(created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')"
                    " as time, status, attempts, recipient, template, coalesce(reply, '') as reply"
                    " from mail_messages where ($1::text[] is null or status = any ($1::text[]))"
                    " and ($2::text is null or lower(recipient) = lower($2::text))"
                    " order by id desc limit 100",
                    VV_TEXT(states), VV_TEXT(address)));
    for (row = 0; row < vv_rows_count(rows); row++)
        vv_print(req, "%" PRId64 "  %s  %-8s %" PRId64 "  %s  %s  %s\n",
                 vv_row_int(rows, row, "id"), vv_row_text(rows, row, "time"),
                 vv_row_text(rows, row, "status"), vv_row_int(rows, row, "attempts"),
                 vv_row_text(rows, row, "recipient"), vv_row_text(rows, row, "template"),
                 vv_row_text(rows, row, "reply"));
    if (vv_rows_count(rows) == 0)
        vv_print(req, "no messages\n");
    return 0;
}

static int commands_show(struct vv_request *req, int argc, const char *const *argv)
{
    static const char *const columns[] = {"status",  "recipient", "template", "attempts",
                                          "reply",   "queued",    "changed",  "sent",
                                          "user_id", "message_id"};
    struct vv_rows *rows;
    int64_t id;
    size_t i;

    VV_TRY(commands_id(req, argc, argv, &id));
    VV_TRY(vv_query(req, &rows,
                    "select status, recipient, template, attempts::text, reply,"
                    " created_at::text as queued, changed_at::text as changed,"
                    " sent_at::text as sent, user_id::text, message_id"
                    " from mail_messages where id = $1",
                    VV_INT(id)));
    if (vv_rows_count(rows) == 0)
        return vv_fail(req, 404, "no_message", "There is no message %" PRId64, id);
    for (i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        if (!vv_row_null(rows, 0, columns[i]))
            vv_print(req, "%-10s  %s\n", columns[i], vv_row_text(rows, 0, columns[i]));
    }
    return 0;
}

static int commands_retry(struct vv_request *req, int argc, const char *const *argv)
{
    struct vv_rows *rows;
    struct vv_tx *tx;
    int64_t id;

    VV_TRY(commands_id(req, argc, argv, &id));
    VV_TRY(vv_begin(req, &tx));
    VV_TRY(vv_tx_query(tx, &rows,
                       "update mail_messages set status = 'queued', changed_at = now()"
                       " where id = $1 and status <> 'sent' and variables is not null returning id",
                       VV_INT(id)));
    if (vv_rows_count(rows) == 0)
        return vv_fail(req, 409, "not_retried",
                       "Message %" PRId64 " does not exist, was sent, or is too old", id);
    VV_TRY(mail_queue_job(tx, id));
    VV_TRY(vv_commit(tx));
    vv_print(req, "message %" PRId64 " is queued again\n", id);
    return 0;
}

static int commands_test(struct vv_request *req, int argc, const char *const *argv)
{
    const struct mail_template *template = mail_templates_find(mail_setup.templates, "mail/test");
    struct mail_smtp smtp = {0};
    struct mail_address to;
    struct mail_content content;
    const char **values;
    time_t now = time(NULL);
    struct tm parts;
    char text[64];

    if (argc != 1 || mail_address_parse(req, argv[0], &to) < 0)
        return vv_fail(req, 422, "usage", "usage: vvctl mail test ADDRESS");
    if (template == NULL)
        return vv_fail(req, 500, "no_template", "There is no template mail/test");
    values = mail_template_samples(req, template, mail_setup.product_name);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&now, &parts));
    if (template->variable_count > 1)
        values[1] = text;
    mail_template_render(req, mail_setup.templates, template, values, &content);
    VV_TRY(mail_deliver_now(req, &to, &content, &smtp));
    if (smtp.outcome != MAIL_SMTP_SENT)
        return vv_fail(req, 502, "not_sent", "%s: %s", mail_setup.server.url, smtp.reply);
    vv_print(req, "sent: %s\n", smtp.reply);
    return 0;
}

static int commands_preview(struct vv_request *req, int argc, const char *const *argv)
{
    const struct mail_template *template = NULL;
    struct mail_content content;
    bool html = false;
    size_t i;
    int a;

    for (a = 0; a < argc; a++) {
        if (strcmp(argv[a], "--html") == 0)
            html = true;
        else if (template == NULL)
            template = mail_templates_find(mail_setup.templates, argv[a]);
    }
    if (template == NULL) {
        vv_print(req, "templates:\n");
        for (i = 0; i < mail_setup.templates->count; i++)
            vv_print(req, "  %s\n", mail_setup.templates->list[i].name);
        return vv_fail(req, 404, "no_template", "usage: vvctl mail preview TEMPLATE [--html]");
    }
    mail_template_render(req, mail_setup.templates, template,
                         mail_template_samples(req, template, mail_setup.product_name), &content);
    if (!html)
        vv_print(req, "Subject: %s\n\n", content.subject);
    commands_print(req, html ? content.html : content.text);
    return 0;
}

const struct vv_command mail_commands[] = {
    VV_COMMAND("mail list", "[--failed | --queued] [ADDRESS]",
               "The latest 100 messages, newest first", commands_list),
    VV_COMMAND("mail show", "ID", "One message, with what the server said", commands_show),
    VV_COMMAND("mail retry", "ID", "Queues a message again", commands_retry),
    VV_COMMAND("mail test", "ADDRESS", "Sends a test message now and prints the server's answer",
               commands_test),
    VV_COMMAND("mail preview", "TEMPLATE [--html]", "Prints a template with sample values",
               commands_preview),
    VV_END,
};
