/* Words every other header of the SDK uses: results, attributes, and how tables are written. */
#ifndef VV_BASE_H
#define VV_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define VV_BEGIN_C extern "C" {
#define VV_END_C   }
#else
#define VV_BEGIN_C
#define VV_END_C
#endif

#if defined(__GNUC__)
#define VV_MUST_CHECK         __attribute__((warn_unused_result))
#define VV_PRINTF(text, args) __attribute__((format(printf, text, args)))
#define VV_UNUSED             __attribute__((unused))
#define VV_HIDDEN             __attribute__((visibility("hidden")))
#define VV_EXPORT             __attribute__((visibility("default")))
#else
#define VV_MUST_CHECK
#define VV_PRINTF(text, args)
#define VV_UNUSED
#define VV_HIDDEN
#define VV_EXPORT
#endif

/* An author who wants to stay loadable by server 1.N defines VV_SDK_TARGET as N before the first
 * include: whatever is newer is then hidden, and using it fails to compile. */
#define VV_SDK_MAJOR 0
#define VV_SDK_MINOR 3
#ifndef VV_SDK_TARGET
#define VV_SDK_TARGET VV_SDK_MINOR
#endif

/*
 * What functions and handlers return: 0 or more is success, less is an error.
 *
 * Where a host function returns an error for a request, it has also prepared the answer that suits
 * it (503 while the database is away, 500 for a mistake in the SQL, ...), so a handler may simply
 * return what it got. vv_fail() replaces that answer by a better one.
 */
enum vv_result {
    VV_NEXT = 0, /* a hook: go on with the next one. A route: an answer was already prepared */
    VV_DONE = 1, /* this is settled: the answer is prepared, later hooks are not asked */

    VV_EFAIL = -1,        /* vv_fail() has said why */
    VV_EINVAL = -2,       /* an argument makes no sense; the log names the plugin and the call */
    VV_ENOTFOUND = -3,    /* there is no such thing */
    VV_EUNAVAILABLE = -4, /* a component is away or answers badly: 503 */
    VV_ETIMEOUT = -5,     /* the other side took too long: 503 */
    VV_ECANCELED = -6,    /* the deadline of this request has passed, or the server stops */
    VV_EBUSY = -7,        /* a queue is full: 503 with Retry-After */
    VV_EUNIQUE = -8,      /* SQLSTATE 23505: the row is there already */
    VV_ESQL = -9,         /* another error of SQL: vv_sqlstate() names it */
    VV_EREFUSED = -10,    /* not allowed here, e.g. to wait for HTTP while holding a transaction */
};

/* Returns from the calling function with the error of `call`, if it is one. */
#define VV_TRY(call)             \
    do {                         \
        int vv_try_rc_ = (call); \
        if (vv_try_rc_ < 0)      \
            return vv_try_rc_;   \
    } while (0)

/*
 * Tables (routes, options, hooks, ...) are static arrays that end with VV_END. Elements are written
 * with their macros only, so that members can be added to them without a warning in old sources.
 * What is optional in an element is set by name: in C as `.summary = "..."`, in C and C++ alike as
 * `VV_SET(summary, "...")`.
 */
#ifdef __cplusplus
#define VV_SET(member, ...) [](auto &vv_element_) { vv_element_.member = (__VA_ARGS__); }
#define VV_END \
    {          \
    }

template <typename T> VV_HIDDEN constexpr void vv_set_all_(T &)
{
}

template <typename T, typename S, typename... R>
VV_HIDDEN constexpr void vv_set_all_(T &element, S set, R... rest)
{
    set(element);
    vv_set_all_(element, rest...);
}

template <typename T, typename... S> VV_HIDDEN constexpr T vv_element_(S... sets)
{
    T element{};
    vv_set_all_(element, sets...);
    return element;
}
#define VV_ELEMENT_(type, ...) vv_element_<struct type>(__VA_ARGS__)
#else
#define VV_SET(member, ...) .member = __VA_ARGS__
#define VV_END \
    {          \
        0      \
    }
#define VV_ELEMENT_(type, ...) \
    {                          \
        __VA_ARGS__            \
    }
#endif

VV_BEGIN_C

/* The unit of work that a fiber runs for: an HTTP request, a job, a command, a start function.
 * Whatever is allocated for it lives until it ends ("request" in the comments on ownership). */
struct vv_request;

/* A value inside parsed JSON: borrowed from the request that parsed it. NULL is "not there". */
struct vv_value;

/* JSON being written. Lives as long as its request. */
struct vv_json;

/* The rows a statement gave. Live as long as their request. */
struct vv_rows;

/* An open transaction. Ends with vv_commit(), vv_rollback(), or the handler's return. */
struct vv_tx;

/* The loader's name for one plugin. */
struct vv_self;

VV_END_C

#endif
