/* Memory that belongs to one request and is freed all at once. */
#ifndef VV_CORE_ARENA_H
#define VV_CORE_ARENA_H

#include "base.h"

struct vv_arena;

/* First blocks are pooled, so that a small request costs no malloc. */
struct vv_arena *vv_arena_new(void);
void vv_arena_free(struct vv_arena *arena);

/* Zeroed, aligned to 16 bytes; never NULL. */
void *vv_arena_alloc(struct vv_arena *arena, size_t size);
char *vv_arena_strdup(struct vv_arena *arena, const char *text);
char *vv_arena_strndup(struct vv_arena *arena, const char *text, size_t length);
VV_PRINTF(2, 3) char *vv_arena_printf(struct vv_arena *arena, const char *format, ...);

#endif
