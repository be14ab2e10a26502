/* What the files of the mail plugin share: its options, and what init made of them. */
#ifndef MAIL_PLUGIN_H
#define MAIL_PLUGIN_H

#include "address.h"
#include "smtp.h"
#include "template.h"
#include <vv/mail.h>
#include <vv/plugin.h>

struct mail_conf {
    const char *smtp_url, *smtp_user, *smtp_password;
    int64_t tls; /* enum mail_tls */
    const char *from, *reply_to, *support_address, *product_name;
    const char *template_dir, *ca_file;
    int64_t timeout, retention; /* milliseconds */
};

enum mail_tls { MAIL_TLS_REQUIRED = 0, MAIL_TLS_NONE = 1 };

/* Made by init, in the memory of the process. */
struct mail_setup {
    struct mail_address from, reply_to; /* reply_to.address: NULL without one */
    struct mail_smtp_server server;
    const struct mail_templates *templates;
    const char *product_name;
};
extern struct mail_setup mail_setup VV_HIDDEN;

enum mail_metric { MAIL_METRIC_SENT, MAIL_METRIC_RETRIED, MAIL_METRIC_FAILED };

/* ---- queue.c: into the table, in the caller's transaction -------------------------------------
 */

/* Queues a message. `reply_to` may be NULL. Errors as vv_mail_service.send has them. */
VV_MUST_CHECK int mail_queue_put(struct vv_tx *tx, const struct vv_mail_message *message,
                                 const char *reply_to);
VV_MUST_CHECK int mail_queue_send(struct vv_tx *tx, const struct vv_mail_message *message);
VV_MUST_CHECK int mail_queue_forget(struct vv_tx *tx, int64_t user_id);

/* Enqueues the job that delivers a message. */
VV_MUST_CHECK int mail_queue_job(struct vv_tx *tx, int64_t id);

/* A new Message-ID. Request. */
const char *mail_queue_message_id(struct vv_request *req);

/* The schedule that forgets old messages. */
int mail_queue_clean(struct vv_request *req);

/* ---- deliver.c: out of the table, to the server -----------------------------------------------
 */
int mail_deliver(struct vv_request *req, const struct vv_job_run *run);

/* Renders and sends now, without the queue; or, with content NULL, only tries the server. */
VV_MUST_CHECK int mail_deliver_now(struct vv_request *req, const struct mail_address *to,
                                   const struct mail_content *content, struct mail_smtp *ret_smtp);

/* The check "smtp" of doctor. */
int mail_check_smtp(struct vv_request *req);

/* ---- commands.c -------------------------------------------------------------------------------
 */
extern const struct vv_command mail_commands[] VV_HIDDEN;

#endif
