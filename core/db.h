/* The database of a worker: lanes, exclusive connections, transactions, rows, batches. */
#ifndef VV_CORE_DB_H
#define VV_CORE_DB_H

#include "request.h"
#include <vv/host.h>

struct event_base;

/* After the fork. Connects in the background; statements wait for it at most `wait_timeout`, and
 * get VV_EUNAVAILABLE at once while the database is known to be away. */
void vv_db_init(struct event_base *base);

/* Closes everything; what waits gets VV_EUNAVAILABLE. */
void vv_db_stop(void);

/* The schema is ready (the migration has run): until then every statement is VV_EUNAVAILABLE. */
void vv_db_open(void);

/* Whether statements would run now, and the last round trip in microseconds. */
bool vv_db_ready(void);
int64_t vv_db_latency(void);

/* The host's functions of these names: see <vv/db.h>. `self` may be NULL: the core. */
int vv_db_query(struct vv_self *self, struct vv_request *req, uint32_t lane, const char *sql,
                const struct vv_param *params, size_t count, struct vv_rows **ret_rows);
int vv_db_batch(struct vv_self *self, struct vv_request *req, const struct vv_batch *batch,
                const struct vv_param *params, size_t count, struct vv_rows **ret_rows);
int vv_db_begin(struct vv_self *self, struct vv_request *req, struct vv_tx **ret_tx);
int vv_db_tx_query(struct vv_self *self, struct vv_tx *tx, const char *sql,
                   const struct vv_param *params, size_t count, struct vv_rows **ret_rows);
int vv_db_commit(struct vv_tx *tx);
int vv_db_rollback(struct vv_tx *tx);
struct vv_request *vv_db_tx_request(struct vv_tx *tx);
size_t vv_db_rows_count(const struct vv_rows *rows);
int64_t vv_db_rows_affected(const struct vv_rows *rows);
int vv_db_rows_column(const struct vv_rows *rows, const char *name);
const char *vv_db_rows_name(const struct vv_rows *rows, size_t column);
struct vv_param vv_db_rows_value(const struct vv_rows *rows, size_t row, size_t column);

/* Called on the loop after a commit, at most once per 50 ms: jobs.c uses it for its wake-up. */
void vv_db_after_commit(struct vv_tx *tx, void (*function)(void));

#endif
