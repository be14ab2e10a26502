/* A bump allocator: blocks are chained, the first ones come from a pool and go back to it. */
#include "arena.h"

#include <stdarg.h>
#include <stdio.h>

#define ARENA_BLOCK 8192 /* a whole pooled block, header included */
#define ARENA_POOL  256  /* blocks kept for reuse: 2 MiB */
#define ARENA_ALIGN 16

struct arena_block {
    struct arena_block *next;
    size_t size; /* of the whole block */
};

/* Lives at the start of its first block, so that a small request is one block in all. */
struct vv_arena {
    struct arena_block *blocks; /* the one being filled first */
    char *free, *end;
};

static struct arena_block *arena_pool;
static unsigned arena_pooled;

static size_t arena_round(size_t size)
{
    return (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

static struct arena_block *arena_block_get(size_t size)
{
    struct arena_block *block;

    if (size == ARENA_BLOCK && arena_pool != NULL) {
        block = arena_pool;
        arena_pool = block->next;
        arena_pooled--;
    } else {
        block = vv_xmalloc(size);
    }
    block->next = NULL;
    block->size = size;
    return block;
}

static void arena_block_put(struct arena_block *block)
{
    if (block->size != ARENA_BLOCK || arena_pooled >= ARENA_POOL) {
        free(block);
        return;
    }
    block->next = arena_pool;
    arena_pool = block;
    arena_pooled++;
}

struct vv_arena *vv_arena_new(void)
{
    struct arena_block *block = arena_block_get(ARENA_BLOCK);
    char *start = (char *)block + arena_round(sizeof *block);
    struct vv_arena *arena = (struct vv_arena *)(void *)start;

    arena->blocks = block;
    arena->free = start + arena_round(sizeof *arena);
    arena->end = (char *)block + block->size;
    return arena;
}

void vv_arena_free(struct vv_arena *arena)
{
    struct arena_block *block = arena->blocks;

    /* The arena lies in one of these blocks: from here on only the chain is looked at. */
    while (block != NULL) {
        struct arena_block *next = block->next;

        arena_block_put(block);
        block = next;
    }
}

/* A big piece gets a block of its own behind the current one, so that the rest of that is not lost.
 */
static void *arena_alloc_big(struct vv_arena *arena, size_t size)
{
    struct arena_block *block = arena_block_get(arena_round(sizeof *block) + size);

    block->next = arena->blocks->next;
    arena->blocks->next = block;
    return (char *)block + arena_round(sizeof *block);
}

static void *arena_take(struct vv_arena *arena, size_t size)
{
    struct arena_block *block;
    char *piece;

    vv_assert(size <= SIZE_MAX / 2);
    size = arena_round(size == 0 ? 1 : size);
    if (size > (size_t)(arena->end - arena->free)) {
        if (size > ARENA_BLOCK / 4)
            return arena_alloc_big(arena, size);
        block = arena_block_get(ARENA_BLOCK);
        block->next = arena->blocks;
        arena->blocks = block;
        arena->free = (char *)block + arena_round(sizeof *block);
        arena->end = (char *)block + block->size;
    }
    piece = arena->free;
    arena->free += size;
    return piece;
}

void *vv_arena_alloc(struct vv_arena *arena, size_t size)
{
    return memset(arena_take(arena, size), 0, size);
}

char *vv_arena_strndup(struct vv_arena *arena, const char *text, size_t length)
{
    char *copy = arena_take(arena, length + 1);

    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *vv_arena_strdup(struct vv_arena *arena, const char *text)
{
    return vv_arena_strndup(arena, text, strlen(text));
}

char *vv_arena_printf(struct vv_arena *arena, const char *format, ...)
{
    va_list args, again;
    char small[256], *text;
    int length;

    va_start(args, format);
    va_copy(again, args);
    length = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    vv_assert(length >= 0);
    if ((size_t)length < sizeof small) {
        text = vv_arena_strndup(arena, small, (size_t)length);
    } else {
        text = arena_take(arena, (size_t)length + 1);
        vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    return text;
}
