/* Migrations: sql/core and sql/PLUGIN, forward only, each file once, under an advisory lock. */
#ifndef VV_CORE_MIGRATE_H
#define VV_CORE_MIGRATE_H

#include "base.h"

struct vv_plugins;

enum vv_migrate_result {
    VV_MIGRATED = 0,        /* the schema is what this server needs */
    VV_MIGRATE_AWAY = 1,    /* the database cannot be reached: try again */
    VV_MIGRATE_REFUSED = 2, /* newer schema, changed file, error in a file: the log says which */
};

/* Applies what is missing, on a blocking connection of its own to direct_url (a process without a
 * loop: the leader's child, or vvctl). With [database] migrate = off it only checks. */
enum vv_migrate_result vv_migrate(const struct vv_plugins *plugins);

/* Reads and checks the files without a database, for --check. False: the log says why. */
bool vv_migrate_check_files(const struct vv_plugins *plugins);

/* Prints what is applied and what is missing, for `vvctl migrate --status`. */
enum vv_migrate_result vv_migrate_status(const struct vv_plugins *plugins);

#endif
