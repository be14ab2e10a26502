/* Checks bodies and query strings against tables of fields, and names every bad field at once. */
#ifndef VV_CORE_SCHEMA_H
#define VV_CORE_SCHEMA_H

#include "json.h"

/* Checks `object` and returns a checked copy in which defaults are filled in, text is trimmed and
 * so on. NULL: it was refused, and the request's problem is a 422 that names each bad field. */
const struct vv_value *vv_schema_check(struct vv_request *req, const struct vv_field *fields,
                                       const struct vv_value *object);

/* The same for names and values of a query string and of path parameters, which are all text. */
struct vv_schema_pair {
    const char *name, *value;
    bool path; /* of the path: kept as text even where the table does not name it */
};
const struct vv_value *vv_schema_check_args(struct vv_request *req, const struct vv_field *fields,
                                            const struct vv_schema_pair *pairs, size_t count);

/* Whether a text is an address that can be mailed: at most 254 characters, one @, a domain. */
bool vv_email_valid(const char *text);

/* Whether it is a time of RFC 3339, with its offset. */
bool vv_time_valid(const char *text);

/* Whether it is UTF-8 (no surrogates, no overlong forms); counts its code points. */
bool vv_utf8_valid(const char *text, size_t length, size_t *ret_characters);

#endif
