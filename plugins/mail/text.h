/* A text that grows in a request's memory. */
#ifndef MAIL_TEXT_H
#define MAIL_TEXT_H

#include <vv/request.h>

struct mail_text {
    struct vv_request *req;
    char *data; /* NUL-terminated; "" when nothing was added */
    size_t length, capacity;
};

void mail_text_init(struct mail_text *text, struct vv_request *req);
void mail_text_add(struct mail_text *text, const char *bytes, size_t length);
void mail_text_put(struct mail_text *text, const char *string);
VV_PRINTF(2, 3) void mail_text_printf(struct mail_text *text, const char *format, ...);

#endif
