/* INI files line by line: what inih reads, with line numbers, and nothing cut without a word. */
#ifndef VV_CORE_INI_FILE_H
#define VV_CORE_INI_FILE_H

#include "base.h"

struct vv_ini_handler {
    /* `more`: an indented line that continues the value of the key before it. */
    void (*key)(void *arg, unsigned line, const char *section, const char *key, const char *value,
                bool more);
    /* A line that cannot be taken as it stands; `what` says what to do instead. */
    void (*mistake)(void *arg, unsigned line, const char *what);
    void *arg;
};

/* 0, or -errno when the file cannot be read; mistakes in it go to the handler. */
int vv_ini_read(const char *path, const struct vv_ini_handler *handler);

#endif
