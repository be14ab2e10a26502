/* One file of a template: its text cut at the variables. */
#ifndef MAIL_SOURCE_H
#define MAIL_SOURCE_H

#include "template.h"
#include "text.h"

enum mail_escape {
    MAIL_ESCAPE_NONE, /* plain text */
    MAIL_ESCAPE_LINE, /* a subject: control characters become spaces */
    MAIL_ESCAPE_HTML, /* HTML, attribute values in double quotes included */
};

/* What went wrong while templates were read: all of it is logged, the first is kept. */
struct mail_mistakes {
    struct vv_request *req;
    unsigned count;
    const char *first;
};

VV_PRINTF(2, 3) void mail_mistake(struct mail_mistakes *mistakes, const char *format, ...);

/* Reads a file of at most 256 KiB. NULL: a mistake was noted. Request. */
char *mail_file_read(struct mail_mistakes *mistakes, const char *path);

/* Cuts a file at its {{variables}}, which must be among those named. */
void mail_source_read(struct mail_mistakes *mistakes, const char *path,
                      const struct mail_variable *variables, size_t count,
                      struct mail_source *ret_source);

/* Appends the source with the values in place; the one at `raw` is not escaped (SIZE_MAX: none). */
void mail_source_render(const struct mail_source *source, const char *const *values,
                        enum mail_escape escape, size_t raw, struct mail_text *out);

#endif
