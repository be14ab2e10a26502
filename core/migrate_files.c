/* Finds, reads, orders and checks the migration files. */
#include "migrate_files.h"

#include "config.h"
#include "log.h"
#include "plugin.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

#define MIGRATION_LONGEST (4 * 1024 * 1024)
#define MIGRATION_DIGITS  4

static void migration_digest(struct vv_migration *file, size_t length)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    int fine = EVP_Digest(file->text, length, digest, &size, EVP_sha256(), NULL);

    vv_assert(fine == 1 && size == 32);
    for (unsigned i = 0; i < size; i++)
        snprintf(file->checksum + (size_t)2 * i, 3, "%02x", digest[i]);
}

static bool migration_load(struct vv_migration *file, const char *path)
{
    FILE *stream = fopen(path, "re");
    size_t length;

    if (stream == NULL) {
        vv_error("%s: %s", path, strerror(errno));
        return false;
    }
    file->text = vv_xmalloc(MIGRATION_LONGEST + 1);
    length = fread(file->text, 1, MIGRATION_LONGEST + 1, stream);
    if (ferror(stream) != 0 || length > MIGRATION_LONGEST ||
        memchr(file->text, '\0', length) != NULL) {
        vv_error("%s: cannot be read, is longer than 4 MiB, or has a NUL", path);
        (void)fclose(stream);
        return false;
    }
    (void)fclose(stream);
    file->text[length] = '\0';
    file->text = vv_xrealloc(file->text, length + 1);
    migration_digest(file, length);
    return true;
}

/* "0007_what.sql" is 7; 0: it is none. */
static int migration_number(const char *name)
{
    size_t length = strlen(name);

    if (length < MIGRATION_DIGITS + 6 || strspn(name, "0123456789") != MIGRATION_DIGITS ||
        name[MIGRATION_DIGITS] != '_' || strcmp(name + length - 4, ".sql") != 0)
        return 0;
    return (int)strtol(name, NULL, 10);
}

static int migration_is_sql(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return entry->d_name[0] != '.' && length > 4 && strcmp(entry->d_name + length - 4, ".sql") == 0;
}

static bool migrations_add(struct vv_migrations *migrations, const char *component,
                           const char *folder, const char *name)
{
    char *path = vv_xprintf("%s/%s", folder, name);
    struct vv_migration *file;
    int number = migration_number(name);
    bool fine = number > 0 && vv_migrations_find(migrations, component, number) == NULL;

    if (!fine) {
        vv_error("%s: a migration's name is a number of its own and what it does: 0007_what.sql",
                 path);
    } else {
        migrations->files =
            vv_xrealloc(migrations->files, (migrations->count + 1) * sizeof *migrations->files);
        file = &migrations->files[migrations->count++];
        memset(file, 0, sizeof *file);
        file->component = component;
        file->number = number;
        file->name = vv_xstrdup(name);
        fine = migration_load(file, path);
    }
    free(path);
    return fine;
}

/* Most plugins have no folder: they keep nothing. */
static bool migrations_read_folder(struct vv_migrations *migrations, const char *component)
{
    char *folder = vv_xprintf("%s/%s", vv_config->database.migrations_dir, component);
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, migration_is_sql, alphasort);
    bool fine = count >= 0 || errno == ENOENT;

    if (!fine)
        vv_error("%s: %s", folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        fine = migrations_add(migrations, component, folder, entries[i]->d_name) && fine;
        free(entries[i]);
    }
    free(entries);
    free(folder);
    return fine;
}

bool vv_migrations_read(const struct vv_plugins *plugins, struct vv_migrations *ret_migrations)
{
    bool fine;

    memset(ret_migrations, 0, sizeof *ret_migrations);
    fine = migrations_read_folder(ret_migrations, "core");
    if (fine && ret_migrations->count == 0) {
        vv_error("%s: no migrations of the core; set [database] migrations_dir to the folder 'sql'",
                 vv_config->database.migrations_dir);
        fine = false;
    }
    for (size_t i = 0; i < plugins->enabled_count; i++)
        fine = migrations_read_folder(ret_migrations, plugins->all[i]->name) && fine;
    return fine;
}

void vv_migrations_free(struct vv_migrations *migrations)
{
    for (size_t i = 0; i < migrations->count; i++) {
        free(migrations->files[i].name);
        free(migrations->files[i].text);
    }
    free(migrations->files);
    memset(migrations, 0, sizeof *migrations);
}

struct vv_migration *vv_migrations_find(struct vv_migrations *migrations, const char *component,
                                        int number)
{
    for (size_t i = 0; i < migrations->count; i++) {
        struct vv_migration *file = &migrations->files[i];

        if (file->number == number && strcmp(file->component, component) == 0)
            return file;
    }
    return NULL;
}
