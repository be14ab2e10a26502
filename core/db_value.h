/* PostgreSQL's binary formats, decoded. */
#ifndef VV_CORE_DB_VALUE_H
#define VV_CORE_DB_VALUE_H

#include "arena.h"
#include <vv/param.h>

/* One value of a type (its OID in pg_type). Text is borrowed from `data`, which must have a NUL
 * behind it, or is made in the arena. False: the type is unknown, or its bytes make no sense. */
bool vv_db_value_decode(struct vv_arena *arena, uint32_t type, const char *data, size_t length,
                        struct vv_param *ret_value);

#endif
