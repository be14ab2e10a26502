/* Rows that belong to a request: borrowed from libpq's result, which several may share. */
#ifndef VV_CORE_DB_ROWS_H
#define VV_CORE_DB_ROWS_H

#include "request.h"
#include <libpq-fe.h>

struct vv_db_result;

/* Takes the result over; the creator holds one share. */
struct vv_db_result *vv_db_result_new(PGresult *pg);
void vv_db_result_release(struct vv_db_result *result);

/* All rows, for one request; takes the PGresult over. */
struct vv_rows *vv_db_rows_new(struct vv_request *req, PGresult *pg);

/* Some rows of a result, for one of the requests of a batch: a share of its own. `index` is copied.
 * The first column, which tells whose row it is, is left out. */
struct vv_rows *vv_db_rows_share(struct vv_request *req, struct vv_db_result *result,
                                 const uint32_t *index, size_t count);

#endif
