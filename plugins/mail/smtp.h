/* Speaks SMTP through libcurl: for a thread of its own, never for the loop. */
#ifndef MAIL_SMTP_H
#define MAIL_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mail_smtp_server {
    const char *url; /* smtp://host:587, smtps://host:465 */
    const char *user, *password;
    const char *ca_file; /* NULL: the system's */
    bool tls;            /* an smtp:// server must offer STARTTLS */
    int64_t timeout;     /* milliseconds for the whole conversation */
};

enum mail_smtp_outcome {
    MAIL_SMTP_SENT = 0,
    MAIL_SMTP_RETRY = 1,   /* the server is away, busy or not as we need it: another time */
    MAIL_SMTP_REFUSED = 2, /* the server will never take this message */
};

/* One conversation. Without `data` it goes as far as AUTH and sends nothing. */
struct mail_smtp {
    const struct mail_smtp_server *server;
    const char *from, *to; /* bare addresses, checked */
    const char *data;      /* the message */
    size_t length;

    enum mail_smtp_outcome outcome;
    long code;       /* the server's last answer; 0: there was none */
    char reply[400]; /* that answer, or what went wrong, in printable characters; no secret */

    size_t sent; /* of `data` */
    int stage;
    bool quitting; /* what the server says from now on says nothing about the message */
    void *handle;
};

/* Both run on an offload thread. The second says goodbye, which may take a while: by then the
 * outcome has been stored. It is needed after every mail_smtp_run(). */
void mail_smtp_run(void *smtp);
void mail_smtp_close(void *smtp);

/* Whether the last answer concerned this message (and may repeat its address), not the server. */
bool mail_smtp_about_message(const struct mail_smtp *smtp);

#endif
