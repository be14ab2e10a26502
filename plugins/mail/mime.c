/* Builds messages by RFC 5322, 2045 and 2047: whatever comes in, what goes out is 7-bit and framed.
 */
#include "mime.h"
#include <inttypes.h>
#include <string.h>
#include <time.h>

static void mime_base64(struct mail_text *out, const char *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t i;

    for (i = 0; i < length; i += 3) {
        uint32_t group = (uint32_t)(unsigned char)bytes[i] << 16;
        char four[4];

        if (i + 1 < length)
            group |= (uint32_t)(unsigned char)bytes[i + 1] << 8;
        if (i + 2 < length)
            group |= (unsigned char)bytes[i + 2];
        four[0] = digits[group >> 18];
        four[1] = digits[group >> 12 & 63];
        four[2] = i + 1 < length ? digits[group >> 6 & 63] : '=';
        four[3] = i + 2 < length ? digits[group & 63] : '=';
        mail_text_add(out, four, sizeof four);
    }
}

static bool mime_plain(const char *text)
{
    const char *c;

    for (c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            return false;
    }
    /* What looks like an encoded word would be decoded by the reader's program. */
    return strstr(text, "=?") == NULL;
}

/* Encoded words of at most 39 bytes, 64 characters: with a header's name in front they stay within
 * the 76 that RFC 2047 allows a line. A character is never cut in two. */
static void mime_encode_words(struct mail_text *out, const char *text)
{
    size_t length = strlen(text);

    while (length > 0) {
        size_t piece = length < 39 ? length : 39;

        while (piece < length && piece > 1 && ((unsigned char)text[piece] & 0xc0) == 0x80)
            piece--;
        mail_text_put(out, "=?UTF-8?B?");
        mime_base64(out, text, piece);
        mail_text_put(out, piece < length ? "?=\r\n " : "?=");
        text += piece;
        length -= piece;
    }
}

/* Folds before a blank as soon as a line would pass 76 characters. */
static void mime_fold(struct mail_text *out, const char *text)
{
    size_t column = 12;

    while (*text != '\0') {
        size_t word = 1 + strcspn(text + 1, " ");

        if (column + word > 76 && *text == ' ' && text[1] != ' ' && text[1] != '\0') {
            mail_text_put(out, "\r\n");
            column = 0;
        }
        mail_text_add(out, text, word);
        column += word;
        text += word;
    }
}

void mail_mime_words(struct mail_text *out, const char *text)
{
    /* A word longer than a line cannot be folded, but it can be encoded. */
    if (mime_plain(text) && strlen(text) < 500)
        mime_fold(out, text);
    else
        mime_encode_words(out, text);
}

void mail_mime_quoted(struct mail_text *out, const char *body)
{
    size_t column = 0;

    for (; *body != '\0'; body++) {
        unsigned char c = (unsigned char)*body;
        bool line_end = body[1] == '\n' || body[1] == '\0' || (body[1] == '\r' && body[2] == '\n');
        bool literal = (c > 32 && c < 127 && c != '=') || ((c == ' ' || c == '\t') && !line_end);

        if (c == '\r' && body[1] == '\n')
            continue;
        if (c == '\n') {
            mail_text_put(out, "\r\n");
            column = 0;
            continue;
        }
        /* A lone dot ends a message, and "From " is mangled by mailbox files. */
        if (column == 0 && (c == '.' || strncmp(body, "From ", 5) == 0))
            literal = false;
        if (column + (literal ? 1 : 3) > 75) {
            mail_text_put(out, "=\r\n");
            column = 0;
        }
        if (literal)
            mail_text_add(out, body, 1);
        else
            mail_text_printf(out, "=%02X", c);
        column += literal ? 1 : 3;
    }
    if (column > 0)
        mail_text_put(out, "\r\n");
}

/* "Name" <address>, on one line where both fit. */
static void mime_address(struct mail_text *out, const char *header,
                         const struct mail_address *address)
{
    size_t line = out->length, last;
    const char *c;

    mail_text_printf(out, "%s: ", header);
    if (address->name == NULL) {
        mail_text_printf(out, "%s\r\n", address->address);
        return;
    }
    if (mime_plain(address->name)) {
        mail_text_put(out, "\"");
        for (c = address->name; *c != '\0'; c++) {
            if (*c == '"' || *c == '\\')
                mail_text_put(out, "\\");
            mail_text_add(out, c, 1);
        }
        mail_text_put(out, "\"");
    } else {
        mime_encode_words(out, address->name);
    }
    for (last = out->length; last > line && out->data[last - 1] != '\n'; last--)
        ;
    mail_text_put(out, out->length - last + strlen(address->address) + 3 > 78 ? "\r\n <" : " <");
    mail_text_printf(out, "%s>\r\n", address->address);
}

static bool mime_address_valid(const struct mail_address *address)
{
    return mail_address_valid(address->address) &&
           (address->name == NULL ||
            (mail_name_valid(address->name) && strlen(address->name) < 900));
}

static bool mime_id_valid(const char *id)
{
    size_t length = strlen(id), i;

    if (length < 3 || length > 200 || id[0] != '<' || id[length - 1] != '>')
        return false;
    for (i = 1; i < length - 1; i++) {
        if (id[i] <= 0x20 || id[i] >= 0x7f || id[i] == '<' || id[i] == '>')
            return false;
    }
    return true;
}

static void mime_date(struct mail_text *out, int64_t microseconds)
{
    time_t seconds = (time_t)(microseconds / 1000000);
    struct tm parts;
    char text[64];

    gmtime_r(&seconds, &parts);
    strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S +0000\r\n", &parts);
    mail_text_put(out, text);
}

static void mime_part(struct mail_text *out, const char *boundary, const char *type,
                      const char *body)
{
    mail_text_printf(out,
                     "--%s\r\nContent-Type: %s; charset=utf-8\r\n"
                     "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
                     boundary, type);
    mail_mime_quoted(out, body);
}

int mail_mime_build(struct vv_request *req, const struct mail_envelope *envelope,
                    const struct mail_content *content, const char **ret_data, size_t *ret_length)
{
    /* "=_" cannot occur in quoted-printable, so no body holds the boundary. */
    const char *boundary = "=_vv_alternative_text_and_html";
    struct mail_text out;

    if (!mime_address_valid(&envelope->from) || !mime_address_valid(&envelope->to) ||
        (envelope->reply_to.address != NULL && !mime_address_valid(&envelope->reply_to)) ||
        !mime_id_valid(envelope->message_id) || !mail_name_valid(content->subject))
        return VV_EINVAL;
    mail_text_init(&out, req);
    mime_date(&out, envelope->date);
    mime_address(&out, "From", &envelope->from);
    mime_address(&out, "To", &envelope->to);
    if (envelope->reply_to.address != NULL)
        mime_address(&out, "Reply-To", &envelope->reply_to);
    mail_text_put(&out, "Subject: ");
    mail_mime_words(&out, content->subject);
    mail_text_printf(&out,
                     "\r\nMessage-ID: %s\r\nMIME-Version: 1.0\r\n"
                     "Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\n"
                     "Content-Type: multipart/alternative;\r\n boundary=\"%s\"\r\n\r\n",
                     envelope->message_id, boundary);
    mime_part(&out, boundary, "text/plain", content->text);
    mime_part(&out, boundary, "text/html", content->html);
    mail_text_printf(&out, "--%s--\r\n", boundary);
    *ret_data = out.data;
    *ret_length = out.length;
    return 0;
}
