/* Bytes that grow: on the heap, or in an arena. Always NUL-terminated. */
#ifndef VV_CORE_BUFFER_H
#define VV_CORE_BUFFER_H

#include "arena.h"
#include <stdarg.h>

struct vv_buffer {
    char *data; /* "" when nothing was added; NUL-terminated */
    size_t length, capacity;
    struct vv_arena *arena; /* NULL: heap, freed with vv_buffer_free() */
};

void vv_buffer_init(struct vv_buffer *buffer, struct vv_arena *arena);
void vv_buffer_free(struct vv_buffer *buffer);
void vv_buffer_clear(struct vv_buffer *buffer);
void vv_buffer_add(struct vv_buffer *buffer, const void *bytes, size_t length);
void vv_buffer_text(struct vv_buffer *buffer, const char *text);
void vv_buffer_char(struct vv_buffer *buffer, char c);
void vv_buffer_int(struct vv_buffer *buffer, int64_t number);
VV_PRINTF(2, 3) void vv_buffer_printf(struct vv_buffer *buffer, const char *format, ...);

/* A number in digits, as printf has it but many times as fast. Returns the length. */
#define VV_INT_TEXT 24 /* enough for every one, and the NUL */
size_t vv_int_text(int64_t number, char ret_text[VV_INT_TEXT]);

/* A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void vv_buffer_json(struct vv_buffer *buffer, const char *text, size_t length);

/* RFC 3339 in UTC: 2026-11-22T18:30:00Z, with microseconds only where there are any. */
void vv_buffer_time(struct vv_buffer *buffer, int64_t microseconds);

#endif
