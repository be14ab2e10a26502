/* Starts a connection to the database of the configuration. */
#ifndef VV_CORE_DB_CONNECT_H
#define VV_CORE_DB_CONNECT_H

#include "base.h"
#include <libpq-fe.h>

/* Begins to connect, without waiting; never NULL. `attempt` counts failures: with several hosts
 * each attempt begins at another one. */
PGconn *vv_db_connect_start(unsigned attempt);

/* Connects and waits, at most connect_timeout for each host. Never NULL: ask PQstatus(). */
PGconn *vv_db_connect_blocking(const char *url);

#endif
