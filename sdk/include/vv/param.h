/* Typed values that travel in calls: parameters of SQL, members of JSON, columns of rows. */
#ifndef VV_PARAM_H
#define VV_PARAM_H

#include <string.h>
#include <vv/base.h>

VV_BEGIN_C

enum vv_type {
    VV_TYPE_NULL = 0,
    VV_TYPE_BOOL = 1,
    VV_TYPE_INT = 2,    /* int2, int4, int8 */
    VV_TYPE_REAL = 3,   /* float4, float8 */
    VV_TYPE_TEXT = 4,   /* UTF-8 without NUL; any SQL type that has a text form, as a parameter */
    VV_TYPE_BYTES = 5,  /* bytea */
    VV_TYPE_TIME = 6,   /* timestamptz: microseconds since 1970-01-01T00:00:00Z */
    VV_TYPE_JSON = 7,   /* json or jsonb, as text; in JSON: spliced as it is */
    VV_TYPE_OBJECT = 8, /* only a parsed value is one */
    VV_TYPE_ARRAY = 9,  /* only a parsed value is one */
};

/* Passed by value, and therefore frozen for ever. `data` is borrowed during the call. */
struct vv_param {
    uint32_t type;   /* enum vv_type */
    uint32_t length; /* bytes at data, for TEXT, BYTES and JSON */
    int64_t integer; /* BOOL, INT, TIME; the bits of a double for REAL */
    const void *data;
};

static inline struct vv_param vv_param_make_(uint32_t type, int64_t integer, const void *data,
                                             size_t length)
{
    struct vv_param param;

    param.type = type;
    param.length = (uint32_t)length;
    param.integer = integer;
    param.data = data;
    return param;
}

static inline struct vv_param VV_NULL(void) {
    return vv_param_make_(VV_TYPE_NULL, 0, NULL, 0);
}

static inline struct vv_param
VV_BOOL(bool value) {
    return vv_param_make_(VV_TYPE_BOOL, value ? 1 : 0, NULL, 0);
}

static inline struct vv_param
VV_INT(int64_t value) {
    return vv_param_make_(VV_TYPE_INT, value, NULL, 0);
}

static inline struct vv_param
VV_REAL(double value) {
    int64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return vv_param_make_(VV_TYPE_REAL, bits, NULL, 0);
}

/* A NULL pointer is SQL's NULL. */
static inline struct vv_param
VV_TEXT(const char *text) {
    if (text == NULL)
        return VV_NULL();
    return vv_param_make_(VV_TYPE_TEXT, 0, text, strlen(text));
}

static inline struct vv_param
VV_TEXT_N(const char *text, size_t length) {
    return vv_param_make_(VV_TYPE_TEXT, 0, text, length);
}

static inline struct vv_param
VV_BYTES(const void *bytes, size_t length) {
    return vv_param_make_(VV_TYPE_BYTES, 0, bytes, length);
}

/* Microseconds since 1970-01-01T00:00:00Z. */
static inline struct vv_param
VV_TIME(int64_t microseconds) {
    return vv_param_make_(VV_TYPE_TIME, microseconds, NULL, 0);
}

/* A JSON text; a NULL pointer is SQL's NULL. */
static inline struct vv_param
VV_JSON(const char *text) {
    if (text == NULL)
        return VV_NULL();
    return vv_param_make_(VV_TYPE_JSON, 0, text, strlen(text));
}

/* The number in a REAL parameter. */
static inline double
vv_param_real(struct vv_param param)
{
    double value;

    memcpy(&value, &param.integer, sizeof value);
    return value;
}

VV_END_C

/*
 * Turns `sql` or `sql, VV_INT(1), ...` into the two arguments `pointer, count` (C only: C++ has
 * templates for it). At most 24 parameters.
 */
#ifndef __cplusplus
#define VV_COUNT_(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, \
                  a18, a19, a20, a21, a22, a23, a24, which, ...)                                  \
    which
#define VV_WHICH_(...)                                                                             \
    VV_COUNT_(__VA_ARGS__, MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE, \
              MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE, ONE, 0)
#define VV_JOIN2_(a, b)    a##b
#define VV_JOIN_(a, b)     VV_JOIN2_(a, b)
#define VV_ARGS_(...)      VV_JOIN_(VV_ARGS_, VV_WHICH_(__VA_ARGS__))(__VA_ARGS__)
#define VV_ARGS_ONE(first) (first), NULL, 0
#define VV_ARGS_MORE(first, ...)                     \
    (first), (const struct vv_param[]){__VA_ARGS__}, \
        sizeof((const struct vv_param[]){__VA_ARGS__}) / sizeof(struct vv_param)
#endif

#endif
