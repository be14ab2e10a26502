/* Values on their way to PostgreSQL: single parameters, and elements of a batch's arrays. */
#ifndef VV_CORE_DB_PARAM_H
#define VV_CORE_DB_PARAM_H

#include "base.h"
#include <vv/param.h>

#define VV_DB_PARAMS 64 /* of one statement */

/* The arguments of libpq's functions, in one piece of memory. */
struct vv_db_params {
    size_t count;
    const char **values;
    int *lengths;
    int *formats;
    void *memory;
};

/* Copies and encodes. VV_EINVAL: too many, a type that is not for SQL, or a text with a NUL. */
VV_MUST_CHECK int vv_db_params_encode(struct vv_db_params *params, const struct vv_param *values,
                                      size_t count);

/* Room for `count` texts of together `size` bytes, NULs included; the caller fills it and sets
 * values[]. */
char *vv_db_params_alloc(struct vv_db_params *params, size_t count, size_t size);
void vv_db_params_free(struct vv_db_params *params);

/* Whether a value can be sent. */
bool vv_db_param_valid(const struct vv_param *value);

/* A value as an element of an array literal. The size is a bound; write returns what it used. */
size_t vv_db_element_size(const struct vv_param *value);
size_t vv_db_element_write(const struct vv_param *value, char *out);

#endif
