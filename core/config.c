/* Gathers what files, environment and command line say, and what is wrong with it. */
#include "config.h"
#include "config_parts.h"
#include "ini_file.h"
#include "log.h"
#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>

struct config_problem {
    char *text;
    bool warning;
};

struct vv_problems {
    struct config_problem *list;
    size_t count, reported, mistakes;
    bool logged; /* nobody may be looking at standard error but what collects the log */
};

/* While one file is read. */
struct config_file {
    struct vv_config *config;
    const char *name; /* as mistakes name it */
    size_t first;     /* the first setting that is from it */
};

struct vv_config *vv_config;

/* ---- mistakes ------------------------------------------------------------------------------- */

VV_PRINTF(4, 0)
static void config_note(struct vv_config *config, bool warning, const char *source,
                        const char *format, va_list args)
{
    struct vv_problems *problems = config->problems;
    struct vv_buffer text;
    char piece[1024];
    char *p;

    vsnprintf(piece, sizeof piece, format, args);
    vv_buffer_init(&text, config->arena);
    if (source != NULL)
        vv_buffer_printf(&text, "%s: ", source);
    vv_buffer_text(&text, piece);
    /* One line each: values may have others, and worse. */
    for (p = text.data; *p != '\0'; p++)
        if (iscntrl((unsigned char)*p))
            *p = ' ';
    problems->list = vv_xrealloc(problems->list, (problems->count + 1) * sizeof problems->list[0]);
    problems->list[problems->count++] = (struct config_problem){text.data, warning};
    problems->mistakes += !warning;
}

void vv_config_problem(struct vv_config *config, const char *source, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    config_note(config, false, source, format, args);
    va_end(args);
}

void vv_config_warn(struct vv_config *config, const char *source, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    config_note(config, true, source, format, args);
    va_end(args);
}

bool vv_config_report(struct vv_config *config)
{
    struct vv_problems *problems = config->problems;

    for (; problems->reported < problems->count; problems->reported++) {
        const struct config_problem *problem = &problems->list[problems->reported];

        if (problem->warning) {
            vv_warning("%s", problem->text);
            continue;
        }
        fprintf(stderr, "%s\n", problem->text);
        if (problems->logged)
            vv_error("%s", problem->text);
    }
    return problems->mistakes == 0;
}

/* ---- what was written ----------------------------------------------------------------------- */

static struct vv_setting *config_add(struct vv_config *config, const char *section, const char *key,
                                     const char *value, const char *source)
{
    struct vv_setting *setting;

    config->settings =
        vv_xrealloc(config->settings, (config->setting_count + 1) * sizeof config->settings[0]);
    setting = &config->settings[config->setting_count++];
    *setting = (struct vv_setting){
        .section = vv_arena_strdup(config->arena, section),
        .key = vv_arena_strdup(config->arena, key),
        .value = vv_arena_strdup(config->arena, value),
        .source = source,
    };
    return setting;
}

static void config_file_key(void *arg, unsigned line, const char *section, const char *key,
                            const char *value, bool more)
{
    struct config_file *file = arg;
    struct vv_config *config = file->config;
    struct vv_setting *last;
    const char *source;
    size_t i;

    if (more) {
        last = &config->settings[config->setting_count - 1];
        last->value = vv_arena_printf(config->arena, "%s\n%s", last->value, value);
        return;
    }
    source = vv_arena_printf(config->arena, "%s:%u", file->name, line);
    for (i = file->first; i < config->setting_count; i++) {
        const struct vv_setting *other = &config->settings[i];

        if (strcmp(other->section, section) == 0 && strcmp(other->key, key) == 0)
            vv_config_problem(config, source,
                              "[%s] '%s' was already given in %s; keep one of the two", section,
                              key, other->source);
    }
    config_add(config, section, key, value, source);
}

static void config_file_mistake(void *arg, unsigned line, const char *what)
{
    struct config_file *file = arg;

    vv_config_problem(file->config, vv_arena_printf(file->config->arena, "%s:%u", file->name, line),
                      "%s", what);
}

const char *vv_config_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

static void config_read_file(struct vv_config *config, const char *path, const char *name)
{
    struct config_file file = {config, name, config->setting_count};
    struct vv_ini_handler handler = {config_file_key, config_file_mistake, &file};
    int rc = vv_ini_read(path, &handler);

    if (rc < 0)
        vv_config_problem(config, NULL, "cannot read the configuration '%s': %s", path,
                          strerror(-rc));
}

/* conf.d/ beside the file, in the order of the names' bytes. */
static void config_read_folder(struct vv_config *config)
{
    const char *base = vv_config_base_name(config->file);
    glob_t found = {0};
    size_t i;

    if (glob(vv_arena_printf(config->arena, "%.*sconf.d/*.ini", (int)(base - config->file),
                             config->file),
             GLOB_NOSORT, NULL, &found) != 0)
        return;
    for (i = 1; i < found.gl_pathc; i++) {
        size_t j;

        for (j = i; j > 0 && strcmp(found.gl_pathv[j - 1], found.gl_pathv[j]) > 0; j--) {
            char *other = found.gl_pathv[j];

            found.gl_pathv[j] = found.gl_pathv[j - 1];
            found.gl_pathv[j - 1] = other;
        }
    }
    for (i = 0; i < found.gl_pathc; i++)
        config_read_file(
            config, found.gl_pathv[i],
            vv_arena_printf(config->arena, "conf.d/%s", vv_config_base_name(found.gl_pathv[i])));
    globfree(&found);
}

/* VV_AUTH__JWT_SECRET=... */
static void config_read_environment(struct vv_config *config, char *const *environment)
{
    for (; environment != NULL && *environment != NULL; environment++) {
        const char *entry = *environment;
        const char *equals = strchr(entry, '=');
        const char *name = entry + 3;
        const char *key;
        struct vv_setting *setting;
        char *lower;
        size_t i;

        if (strncmp(entry, "VV_", 3) != 0 || equals == NULL)
            continue;
        lower = vv_arena_strndup(config->arena, name, (size_t)(equals - name));
        for (i = 0; lower[i] != '\0'; i++)
            lower[i] = (char)tolower((unsigned char)lower[i]);
        key = strstr(lower, "__");
        if (key == NULL || key == lower || key[2] == '\0')
            continue;
        setting = config_add(
            config, vv_arena_strndup(config->arena, lower, (size_t)(key - lower)), key + 2,
            equals + 1,
            vv_arena_printf(config->arena, "environment %.*s", (int)(equals - entry), entry));
        setting->environment = true;
    }
}

/* --set section.key=value; a section may have dots, a key has none. */
static void config_read_sets(struct vv_config *config, const char *const *sets)
{
    for (; sets != NULL && *sets != NULL; sets++) {
        const char *equals = strchr(*sets, '=');
        const char *dot = equals == NULL ? NULL : memrchr(*sets, '.', (size_t)(equals - *sets));

        if (dot == NULL || dot == *sets || dot + 1 == equals) {
            vv_config_problem(config, NULL, "--set %.*s: write --set section.key=value",
                              (int)strcspn(*sets, "="), *sets);
            continue;
        }
        config_add(config, vv_arena_strndup(config->arena, *sets, (size_t)(dot - *sets)),
                   vv_arena_strndup(config->arena, dot + 1, (size_t)(equals - dot - 1)), equals + 1,
                   vv_arena_printf(config->arena, "--set %.*s", (int)(equals - *sets), *sets));
    }
}

struct vv_config *vv_config_load(const struct vv_config_source *source)
{
    struct vv_arena *arena = vv_arena_new();
    struct vv_config *config = vv_arena_alloc(arena, sizeof *config);

    config->arena = arena;
    config->problems = vv_arena_alloc(arena, sizeof *config->problems);
    config->problems->logged = !source->plain_log;
    config->file = vv_arena_strdup(arena, source->file);
    vv_config = config;
    config_read_file(config, config->file, vv_config_base_name(config->file));
    config_read_folder(config);
    config_read_environment(config, source->environment);
    config_read_sets(config, source->sets);
    vv_config_fill_core(config);
    return config;
}

void vv_config_free(struct vv_config *config)
{
    if (config == NULL)
        return;
    if (vv_config == config)
        vv_config = NULL;
    free(config->settings);
    free(config->problems->list);
    vv_arena_free(config->arena);
}
