/* A whole message as SMTP carries it: headers, and text and HTML as alternatives. */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include "address.h"
#include "template.h"
#include "text.h"

struct mail_envelope {
    struct mail_address from, to, reply_to; /* reply_to.address may be NULL */
    const char *message_id;                 /* with its angle brackets */
    int64_t date;                           /* microseconds since 1970 */
};

/* The message, lines ended by CRLF and at most 78 long where that is possible. Request. VV_EINVAL:
 * an address, name or id would break a header. */
int mail_mime_build(struct vv_request *req, const struct mail_envelope *envelope,
                    const struct mail_content *content, const char **ret_data, size_t *ret_length);

/* Pieces of it, for tests: a header's text by RFC 2047, a body by RFC 2045's quoted-printable. */
void mail_mime_words(struct mail_text *out, const char *text);
void mail_mime_quoted(struct mail_text *out, const char *body);

#endif
