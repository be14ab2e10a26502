/* A text that grows in a request's memory: what it outgrows is freed with the request. */
#include "text.h"

void mail_text_init(struct mail_text *text, struct vv_request *req)
{
    text->req = req;
    text->capacity = 256;
    text->length = 0;
    text->data = vv_alloc(req, text->capacity);
}

void mail_text_add(struct mail_text *text, const char *bytes, size_t length)
{
    if (length >= text->capacity - text->length) {
        size_t capacity = (text->length + length + 1) * 2;
        char *data = vv_alloc(text->req, capacity);

        memcpy(data, text->data, text->length);
        text->data = data;
        text->capacity = capacity;
    }
    memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void mail_text_put(struct mail_text *text, const char *string)
{
    mail_text_add(text, string, strlen(string));
}

void mail_text_printf(struct mail_text *text, const char *format, ...)
{
    char piece[1024];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    if (length < 0)
        return;
    mail_text_add(text, piece, (size_t)length < sizeof piece ? (size_t)length : sizeof piece - 1);
}
