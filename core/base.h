/* Small things that every file of the core uses: invariants, clocks, lists, cleanup. */
#ifndef VV_CORE_BASE_H
#define VV_CORE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <vv/base.h>

#define VV_ARRAY_SIZE(array)  (sizeof(array) / sizeof((array)[0]))
#define VV_MIN(a, b)          ((a) < (b) ? (a) : (b))
#define VV_MAX(a, b)          ((a) > (b) ? (a) : (b))
#define VV_CONTAINER(p, t, m) ((t *)(void *)((char *)(p)-offsetof(t, m)))
#define VV_NORETURN           __attribute__((noreturn))

/* An invariant: stays on in production, and names itself before the process aborts. */
#define vv_assert(condition) \
    ((condition) ? (void)0 : vv_assert_failed(#condition, __FILE__, __LINE__))
VV_NORETURN void vv_assert_failed(const char *condition, const char *file, int line);

/* malloc and its kin that never return NULL: a server without memory cannot keep its promises, and
 * a new process can. */
void *vv_xmalloc(size_t size);
void *vv_xcalloc(size_t count, size_t size);
void *vv_xrealloc(void *old, size_t size);
char *vv_xstrdup(const char *text);
VV_PRINTF(1, 2) char *vv_xprintf(const char *format, ...);

/* Microseconds: of the wall (since 1970), and of a clock that never steps. */
int64_t vv_clock_wall(void);
int64_t vv_clock_steady(void);

/* `length` bytes of the kernel's randomness. */
void vv_random_bytes(void *bytes, size_t length);

/* Compares in a time that depends on the length alone. */
bool vv_equal_secret(const void *a, const void *b, size_t length);

/* A doubly linked list through a member; an empty head points at itself. */
struct vv_list {
    struct vv_list *next, *prev;
};

static inline void vv_list_init(struct vv_list *head)
{
    head->next = head->prev = head;
}

static inline bool vv_list_empty(const struct vv_list *head)
{
    return head->next == head;
}

static inline void vv_list_append(struct vv_list *head, struct vv_list *item)
{
    item->prev = head->prev;
    item->next = head;
    head->prev->next = item;
    head->prev = item;
}

/* Taking an item out twice is harmless. */
static inline void vv_list_remove(struct vv_list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    vv_list_init(item);
}

static inline struct vv_list *vv_list_shift(struct vv_list *head)
{
    struct vv_list *first = head->next;

    if (first == head)
        return NULL;
    vv_list_remove(first);
    return first;
}

#endif
