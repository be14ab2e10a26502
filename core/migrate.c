/* Brings the schema up to date, each file once and in a transaction together with its record. */
#include "migrate.h"

#include "config.h"
#include "db_connect.h"
#include "db_unit.h"
#include "log.h"
#include "migrate_files.h"
#include "plugin.h"

#include <stdio.h>

#define MIGRATE_OLDEST_SERVER 140000
#define MIGRATE_LOCK_TRIES    5

/*
 * The lock is the transaction's and not the session's, so that this also works through a pooler.
 * DDL that waits for a lock makes everybody wait behind it: it gives up soon, and is tried again.
 */
static const char begin_sql[] = "begin; select pg_advisory_xact_lock(7094880911743302656);"
                                "set local statement_timeout = 0; set local lock_timeout = '3s'";
static const char table_sql[] =
    "create table if not exists vv_migrations ("
    "component text not null, number int not null, name text not null, checksum text not null,"
    "applied_at timestamptz not null default now(), primary key (component, number))";

/* Only what a migration says on purpose: raise notice, raise warning. */
static void migrate_notice(void *arg, const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    (void)arg;
    if (severity == NULL || state == NULL || message == NULL)
        return;
    if (strcmp(severity, "WARNING") == 0)
        vv_warning("migration: %s", message);
    else if (strcmp(state, "00000") == 0)
        vv_info_("migration: %s", message);
}

static enum vv_migrate_result migrate_refuse_server(PGconn *pg)
{
    const char *encoding = PQparameterStatus(pg, "server_encoding");

    if (PQserverVersion(pg) < MIGRATE_OLDEST_SERVER) {
        vv_error("PostgreSQL %d is too old: 14 or later is needed", PQserverVersion(pg) / 10000);
        return VV_MIGRATE_REFUSED;
    }
    if (encoding != NULL && strcmp(encoding, "UTF8") != 0) {
        vv_error("the database's encoding is %s: make one with `create database ... encoding "
                 "'UTF8' template template0`",
                 encoding);
        return VV_MIGRATE_REFUSED;
    }
    return VV_MIGRATED;
}

static enum vv_migrate_result migrate_connect(PGconn **ret_pg)
{
    const char *url = vv_config->database.direct_url != NULL ? vv_config->database.direct_url
                                                             : vv_config->database.url;
    const char *message;

    *ret_pg = vv_db_connect_blocking(url);
    if (PQstatus(*ret_pg) != CONNECTION_OK) {
        message = PQerrorMessage(*ret_pg);
        vv_warning("the database is away: %.*s", (int)strcspn(message, "\n"), message);
        return VV_MIGRATE_AWAY;
    }
    PQsetNoticeReceiver(*ret_pg, migrate_notice, NULL);
    return migrate_refuse_server(*ret_pg);
}

/* What an error of the server means for the migration; `where` is what was being done. */
static enum vv_migrate_result migrate_error(const PGresult *result, const char *where)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);
    int code = state == NULL ? VV_EUNAVAILABLE : vv_db_code(state);

    if (message == NULL)
        message = PQresultErrorMessage(result);
    if (code == VV_EUNAVAILABLE || code == VV_ETIMEOUT) {
        vv_warning("%s: %s; trying again", where, message);
        return VV_MIGRATE_AWAY;
    }
    vv_error("%s: %s (SQLSTATE %s)%s%s", where, message, state, context == NULL ? "" : "; ",
             context == NULL ? "" : context);
    return VV_MIGRATE_REFUSED;
}

/* Runs what has no parameters. */
static enum vv_migrate_result migrate_run(PGconn *pg, const char *sql, const char *where)
{
    PGresult *result = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(result);
    enum vv_migrate_result outcome = VV_MIGRATED;

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
        outcome = migrate_error(result, where);
    PQclear(result);
    return outcome;
}

static bool migrate_knows(const struct vv_plugins *plugins, const char *component)
{
    if (strcmp(component, "core") == 0)
        return true;
    for (size_t i = 0; i < plugins->enabled_count; i++) {
        if (strcmp(plugins->all[i]->name, component) == 0)
            return true;
    }
    return false;
}

/* Marks the files that the record names. What plugins recorded that are off now is left alone. */
static enum vv_migrate_result migrate_compare(const struct vv_plugins *plugins,
                                              const PGresult *record,
                                              struct vv_migrations *migrations)
{
    enum vv_migrate_result outcome = VV_MIGRATED;

    for (int row = 0; row < PQntuples(record); row++) {
        const char *component = PQgetvalue(record, row, 0);
        int number = (int)strtol(PQgetvalue(record, row, 1), NULL, 10);
        struct vv_migration *file = vv_migrations_find(migrations, component, number);

        if (!migrate_knows(plugins, component))
            continue;
        if (file == NULL) {
            vv_error("the database's schema is newer than this server (%s %04d); install that "
                     "version or later",
                     component, number);
            outcome = VV_MIGRATE_REFUSED;
        } else if (strcmp(file->checksum, PQgetvalue(record, row, 2)) != 0) {
            vv_error("sql/%s/%s was changed after it had been applied; put it back and write a new "
                     "file instead",
                     component, file->name);
            outcome = VV_MIGRATE_REFUSED;
        } else {
            file->applied = true;
        }
    }
    return outcome;
}

/* Reads the record; there is none in a new database. */
static enum vv_migrate_result migrate_look(PGconn *pg, const struct vv_plugins *plugins,
                                           struct vv_migrations *migrations)
{
    static const char where[] = "reading which migrations were applied";
    PGresult *result = PQexec(pg, "select to_regclass('vv_migrations') is not null");
    enum vv_migrate_result outcome;
    bool exists;

    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        outcome = migrate_error(result, where);
        PQclear(result);
        return outcome;
    }
    exists = strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    PQclear(result);
    for (size_t i = 0; i < migrations->count; i++)
        migrations->files[i].applied = false;
    if (!exists)
        return VV_MIGRATED;
    result = PQexec(pg, "select component, number, checksum from vv_migrations order by 1, 2");
    outcome = PQresultStatus(result) == PGRES_TUPLES_OK
                  ? migrate_compare(plugins, result, migrations)
                  : migrate_error(result, where);
    PQclear(result);
    return outcome;
}

static enum vv_migrate_result migrate_record(PGconn *pg, const struct vv_migration *file,
                                             const char *where)
{
    char number[16];
    const char *values[] = {file->component, number, file->name, file->checksum};
    enum vv_migrate_result outcome = VV_MIGRATED;
    PGresult *result;

    snprintf(number, sizeof number, "%d", file->number);
    result = PQexecParams(pg,
                          "insert into vv_migrations (component, number, name, checksum)"
                          " values ($1, $2::int, $3, $4)",
                          4, NULL, values, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        outcome = migrate_error(result, where);
    PQclear(result);
    return outcome;
}

/* Inside its transaction. Somebody else may have been first: the lock was waited for. */
static enum vv_migrate_result migrate_apply_locked(PGconn *pg, const struct vv_plugins *plugins,
                                                   struct vv_migrations *migrations,
                                                   const struct vv_migration *file,
                                                   const char *where)
{
    enum vv_migrate_result outcome = migrate_look(pg, plugins, migrations);
    int64_t began = vv_clock_steady();

    if (outcome != VV_MIGRATED || file->applied)
        return outcome;
    outcome = migrate_run(pg, file->text, where);
    if (outcome == VV_MIGRATED && PQtransactionStatus(pg) != PQTRANS_INTRANS) {
        vv_error("%s: a migration must not end the transaction that it runs in", where);
        return VV_MIGRATE_REFUSED;
    }
    if (outcome == VV_MIGRATED)
        outcome = migrate_record(pg, file, where);
    if (outcome == VV_MIGRATED)
        vv_info_("%s applied in %lld ms", where, (long long)(vv_clock_steady() - began) / 1000);
    return outcome;
}

static enum vv_migrate_result migrate_apply(PGconn *pg, const struct vv_plugins *plugins,
                                            struct vv_migrations *migrations,
                                            const struct vv_migration *file)
{
    char *where = vv_xprintf("sql/%s/%s", file->component, file->name);
    enum vv_migrate_result outcome = VV_MIGRATE_AWAY;

    for (int tries = 0; tries < MIGRATE_LOCK_TRIES && outcome == VV_MIGRATE_AWAY; tries++) {
        if (tries > 0)
            (void)sleep(1);
        outcome = migrate_run(pg, begin_sql, where);
        if (outcome == VV_MIGRATED)
            outcome = migrate_apply_locked(pg, plugins, migrations, file, where);
        if (outcome == VV_MIGRATED)
            outcome = migrate_run(pg, "commit", where);
        else
            PQclear(PQexec(pg, "rollback"));
        if (PQstatus(pg) != CONNECTION_OK)
            break;
    }
    free(where);
    return outcome;
}

static enum vv_migrate_result migrate_make_table(PGconn *pg)
{
    static const char where[] = "making the table vv_migrations";
    enum vv_migrate_result outcome = migrate_run(pg, begin_sql, where);

    if (outcome == VV_MIGRATED)
        outcome = migrate_run(pg, table_sql, where);
    if (outcome == VV_MIGRATED)
        return migrate_run(pg, "commit", where);
    PQclear(PQexec(pg, "rollback"));
    return outcome;
}

static enum vv_migrate_result migrate_missing(PGconn *pg, const struct vv_plugins *plugins,
                                              struct vv_migrations *migrations)
{
    enum vv_migrate_result outcome = VV_MIGRATED;
    bool made = false;

    for (size_t i = 0; i < migrations->count && outcome == VV_MIGRATED; i++) {
        const struct vv_migration *file = &migrations->files[i];

        if (file->applied)
            continue;
        if (!vv_config->database.migrate) {
            vv_error("the schema lacks sql/%s/%s: run `vvctl migrate`, or set [database] migrate = "
                     "on",
                     file->component, file->name);
            return VV_MIGRATE_REFUSED;
        }
        if (!made)
            outcome = migrate_make_table(pg);
        made = true;
        if (outcome == VV_MIGRATED)
            outcome = migrate_apply(pg, plugins, migrations, file);
    }
    return outcome;
}

static enum vv_migrate_result migrate_show(PGconn *pg, const struct vv_plugins *plugins,
                                           struct vv_migrations *migrations)
{
    (void)pg, (void)plugins;
    for (size_t i = 0; i < migrations->count; i++)
        printf("%-8s sql/%s/%s\n", migrations->files[i].applied ? "applied" : "missing",
               migrations->files[i].component, migrations->files[i].name);
    return VV_MIGRATED;
}

/* Reads the files, looks at what the database has of them, and takes the step. */
static enum vv_migrate_result migrate_with(const struct vv_plugins *plugins,
                                           enum vv_migrate_result (*step)(PGconn *,
                                                                          const struct vv_plugins *,
                                                                          struct vv_migrations *))
{
    struct vv_migrations migrations;
    enum vv_migrate_result outcome = VV_MIGRATE_REFUSED;
    PGconn *pg = NULL;

    if (vv_migrations_read(plugins, &migrations)) {
        outcome = migrate_connect(&pg);
        if (outcome == VV_MIGRATED)
            outcome = migrate_look(pg, plugins, &migrations);
        if (outcome == VV_MIGRATED)
            outcome = step(pg, plugins, &migrations);
        PQfinish(pg);
    }
    vv_migrations_free(&migrations);
    return outcome;
}

enum vv_migrate_result vv_migrate(const struct vv_plugins *plugins)
{
    return migrate_with(plugins, migrate_missing);
}

enum vv_migrate_result vv_migrate_status(const struct vv_plugins *plugins)
{
    return migrate_with(plugins, migrate_show);
}

bool vv_migrate_check_files(const struct vv_plugins *plugins)
{
    struct vv_migrations migrations;
    bool fine = vv_migrations_read(plugins, &migrations);

    vv_migrations_free(&migrations);
    return fine;
}
