/* The migration files of the core and of the plugins that are on. */
#ifndef VV_CORE_MIGRATE_FILES_H
#define VV_CORE_MIGRATE_FILES_H

#include "base.h"

struct vv_plugins;

/* One file: sql/COMPONENT/NNNN_what.sql. */
struct vv_migration {
    const char *component; /* "core" or a plugin's name */
    int number;
    char *name; /* "0001_jobs.sql" */
    char *text;
    char checksum[65]; /* SHA-256 in hex */
    bool applied;
};

struct vv_migrations {
    struct vv_migration *files; /* in the order in which they are applied */
    size_t count;
};

/* Reads them all. False: something is wrong with one, the log says what. */
bool vv_migrations_read(const struct vv_plugins *plugins, struct vv_migrations *ret_migrations);
void vv_migrations_free(struct vv_migrations *migrations);

/* NULL: there is no such file. */
struct vv_migration *vv_migrations_find(struct vv_migrations *migrations, const char *component,
                                        int number);

#endif
