/* A parsed value: a node of a tree in the request's arena. */
#ifndef VV_CORE_JSON_VALUE_H
#define VV_CORE_JSON_VALUE_H

#include "json.h"

struct vv_value {
    uint32_t type;   /* enum vv_type: NULL, BOOL, INT, REAL, TEXT, OBJECT, ARRAY */
    uint32_t length; /* bytes of a text; members, elements */
    union {
        int64_t integer; /* BOOL, INT; the bits of a REAL */
        const char *text;
        struct vv_value *items;
    } u;
    const char *name; /* of a member; else NULL */
};

/* What json-c lets pass and RFC 8259 does not: control characters, odd numbers and literals, lone
 * surrogates, bytes that are not UTF-8, too many levels. Counts the members of all objects. NULL:
 * it is fine; else a static sentence. */
const char *vv_json_lint(const char *text, size_t length, size_t *ret_members);

#endif
