/* The mail plugin: its options, its contact form, and the service "mail/1". */
#include "mail.h"
#include <curl/curl.h>
#include <limits.h>
#include <unistd.h>

struct mail_setup mail_setup;

static const struct vv_option mail_options[] = {
    VV_OPTION_URL(struct mail_conf, smtp_url, NULL, "smtp|smtps", VV_REQUIRED,
                  "The mail server: smtp://host:587 (STARTTLS) or smtps://host:465"),
    VV_OPTION_TEXT(struct mail_conf, smtp_user, NULL, 0, "The user to sign in as"),
    VV_OPTION_TEXT(struct mail_conf, smtp_password, NULL, VV_SECRET, "That user's password"),
    VV_OPTION_ENUM(struct mail_conf, tls, "required", "required|none", 0,
                   "Whether an smtp:// server must offer STARTTLS"),
    VV_OPTION_TEXT(struct mail_conf, from, NULL, VV_REQUIRED, "The sender: Name <address>"),
    VV_OPTION_TEXT(struct mail_conf, reply_to, NULL, 0, "Where answers go, if not to the sender"),
    VV_OPTION_TEXT(struct mail_conf, support_address, NULL, 0,
                   "Who gets the messages of the contact form"),
    VV_OPTION_TEXT(struct mail_conf, product_name, "VerseVentures", 0,
                   "What messages call the product"),
    VV_OPTION_PATH(struct mail_conf, template_dir, NULL, 0,
                   "The folder of the templates, if not the one that came with the server"),
    VV_OPTION_PATH(struct mail_conf, ca_file, NULL, 0,
                   "Certificates the mail server's may be signed by, if not the system's"),
    VV_OPTION_DURATION(struct mail_conf, timeout, "60s", 1000, 300000, 0,
                       "The longest that handing over one message may take"),
    VV_OPTION_DURATION(struct mail_conf, retention, "30d", 3600000, 0x7fffffffffff, 0,
                       "How long the record of a sent or failed message is kept"),
    VV_END,
};

static const struct vv_mail_service mail_service = {
    .base = {.size = sizeof(struct vv_mail_service), .major = 1, .minor = 0},
    .send = mail_queue_send,
    .forget = mail_queue_forget,
};

/* In a build tree the templates are the source's; an installed server has its own. */
static const char *mail_template_dir(struct vv_request *req, const char *configured)
{
    char exe[PATH_MAX], *slash;
    ssize_t length = readlink("/proc/self/exe", exe, sizeof exe - 1);
    const char *source;

    if (configured != NULL)
        return configured;
    if (length > 0) {
        exe[length] = '\0';
        slash = strrchr(exe, '/');
        if (slash != NULL)
            *slash = '\0';
        source = vv_printf(req, "%s/../../templates", exe);
        if (access(vv_printf(req, "%s/layout.html", source), R_OK) == 0)
            return source;
    }
    return "/usr/share/vvserver/templates";
}

static int mail_init(struct vv_request *req)
{
    const struct mail_conf *conf = vv_conf();

    if (mail_address_parse(req, conf->from, &mail_setup.from) < 0)
        return vv_fail(req, 500, "bad_from", "[mail] from: neither an address nor Name <address>");
    if (conf->reply_to != NULL && mail_address_parse(req, conf->reply_to, &mail_setup.reply_to) < 0)
        return vv_fail(req, 500, "bad_reply_to",
                       "[mail] reply_to: neither an address nor Name <address>");
    if (conf->support_address != NULL && !mail_address_valid(conf->support_address))
        return vv_fail(req, 500, "bad_support_address", "[mail] support_address: not an address");
    if (!mail_name_valid(conf->product_name))
        return vv_fail(req, 500, "bad_product_name", "[mail] product_name: not one line of text");
    if (conf->tls == MAIL_TLS_NONE && conf->smtp_user != NULL &&
        strncmp(conf->smtp_url, "smtp:", 5) == 0)
        vv_log(req, VV_LOG_WARNING,
               "[mail] tls = none: the password and every message travel unencrypted");
    mail_setup.server = (struct mail_smtp_server){
        .url = conf->smtp_url,
        .user = conf->smtp_user,
        .password = conf->smtp_password,
        .ca_file = conf->ca_file,
        .tls = conf->tls == MAIL_TLS_REQUIRED,
        .timeout = conf->timeout,
    };
    mail_setup.product_name = conf->product_name;
    VV_TRY(mail_templates_load(req, mail_template_dir(req, conf->template_dir),
                               &mail_setup.templates));
    /* Before there are threads; every process that is forked from here has it. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return vv_fail(req, 500, "no_curl", "libcurl does not start");
    return vv_publish("mail/1", &mail_service.base);
}

static int mail_contact(struct vv_request *req)
{
    const struct mail_conf *conf = vv_conf();
    const char *email = vv_body_text(req, "email");
    struct vv_json *variables = vv_object(req);
    struct vv_mail_message message;
    struct vv_tx *tx;

    if (conf->support_address == NULL)
        return vv_fail(req, 503, "contact_unavailable",
                       "This server takes no messages: it has no contact address");
    if (!mail_address_valid(email)) {
        return vv_fail_field(req, "email", "An answer could not be sent to this address");
    }
    vv_put(variables, "name", VV_TEXT(vv_body_text(req, "name")));
    vv_put(variables, "email", VV_TEXT(email));
    vv_put(variables, "message", VV_TEXT(vv_body_text(req, "message")));
    message = VV_MAIL(conf->support_address, "mail/contact", vv_json_text(variables));
    VV_TRY(vv_begin(req, &tx));
    VV_TRY(mail_queue_put(tx, &message, email));
    VV_TRY(vv_commit(tx));
    return vv_reply_message(req, "Thank you. Your message has been sent.");
}

static const struct vv_field contact_body[] = {
    VV_FIELD_TEXT("name", 1, 200, VV_REQUIRED | VV_TRIMMED | VV_ONE_LINE, "Who writes"),
    VV_FIELD_EMAIL("email", VV_REQUIRED, "Where an answer goes"),
    VV_FIELD_TEXT("message", 1, 10000, VV_REQUIRED | VV_TRIMMED, "What there is to say"),
    VV_END,
};

static const struct vv_field message_reply[] = {
    VV_FIELD_TEXT("message", 0, 0, VV_REQUIRED, "A sentence for the person"),
    VV_END,
};

static const struct vv_route mail_routes[] = {
    VV_ROUTE(VV_POST, "/public/contact", VV_ANYONE, mail_contact, VV_SET(body, contact_body),
             VV_SET(reply, message_reply), VV_SET(limit, "contact"),
             VV_SET(summary, "Sends a message to the operator's support address")),
    VV_END,
};

/* With a first pause of a second that doubles up to an hour, 96 attempts are three and a half days,
 * after which mail servers give up too. The lease is renewed while a job runs, so the timeout only
 * has to be longer than the longest conversation, goodbye and recording included. */
static const struct vv_job mail_jobs[] = {
    VV_JOB("mail.send", mail_deliver, VV_SET(timeout, 600000), VV_SET(attempts, 96),
           VV_SET(first_backoff, 1000), VV_SET(last_backoff, 3600000), VV_SET(concurrency, 16)),
    VV_END,
};

static const struct vv_schedule mail_schedules[] = {
    VV_SCHEDULE("mail.cleanup", 3600000, mail_queue_clean),
    VV_END,
};

static const struct vv_check mail_checks[] = {
    VV_CHECK("smtp", 0, "The mail server can be reached, encrypts, and lets us in",
             mail_check_smtp),
    VV_END,
};

static const struct vv_metric mail_metrics[] = {
    [MAIL_METRIC_SENT] =
        VV_COUNTER("vv_mail_attempts_total", "result=\"sent\"", "Attempts to deliver a message"),
    [MAIL_METRIC_RETRIED] = VV_COUNTER("vv_mail_attempts_total", "result=\"retrying\"",
                                       "Attempts to deliver a message"),
    [MAIL_METRIC_FAILED] =
        VV_COUNTER("vv_mail_attempts_total", "result=\"failed\"", "Attempts to deliver a message"),
    VV_END,
};

static const struct vv_limit mail_limits[] = {
    VV_LIMIT("contact", "5/m", "Messages of the contact form, per client address"),
    VV_END,
};

VV_PLUGIN(.name = "mail", .version = "0.1.0", .summary = "E-mail from templates, over SMTP",
          .provides = "mail/1", .conf_size = sizeof(struct mail_conf), .options = mail_options,
          .routes = mail_routes, .jobs = mail_jobs, .schedules = mail_schedules,
          .commands = mail_commands, .checks = mail_checks, .metrics = mail_metrics,
          .limits = mail_limits, .init = mail_init)
