/* Hands the settings out: fills structs by tables of options, secrets from their files. */
#include "config.h"
#include "config_parts.h"
#include "options.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#define CONFIG_SECRET_FILE 65536 /* a longer one is not a secret, but the wrong file */

/* Names from the environment have lost the difference between ':', '-' and '_'. */
static bool config_same(const struct vv_setting *setting, const char *written, const char *name)
{
    if (!setting->environment)
        return strcmp(written, name) == 0;
    for (; *written != '\0' && *name != '\0'; written++, name++) {
        char c = *name == ':' || *name == '-' ? '_' : (char)tolower((unsigned char)*name);

        if (*written != c)
            return false;
    }
    return *written == *name;
}

bool vv_config_in_section(const struct vv_setting *setting, const char *section)
{
    return config_same(setting, setting->section, section);
}

const struct vv_setting *vv_config_find(struct vv_config *config, const char *section,
                                        const char *key)
{
    const struct vv_setting *last = NULL;
    size_t i;

    for (i = 0; i < config->setting_count; i++) {
        struct vv_setting *setting = &config->settings[i];

        if (vv_config_in_section(setting, section) && config_same(setting, setting->key, key)) {
            setting->used = true;
            last = setting;
        }
    }
    return last;
}

const char *vv_config_text(struct vv_config *config, const char *section, const char *key)
{
    const struct vv_setting *setting = vv_config_find(config, section, key);

    return setting == NULL ? NULL : setting->value;
}

/* The content of the file that KEY_file names, without the newline an editor left; NULL: a mistake
 * was noted. */
static const char *config_read_secret(struct vv_config *config, const struct vv_setting *setting)
{
    const char *trouble = NULL;
    FILE *file = fopen(setting->value, "re");
    char *text = vv_arena_alloc(config->arena, CONFIG_SECRET_FILE + 1);
    size_t length = 0;

    if (file != NULL)
        length = fread(text, 1, CONFIG_SECRET_FILE + 1, file);
    if (file == NULL || ferror(file))
        trouble = vv_arena_printf(config->arena, "cannot be read: %s", strerror(errno));
    if (file != NULL)
        fclose(file);
    if (trouble == NULL && length > CONFIG_SECRET_FILE)
        trouble = "is longer than 64 KiB, so it is not a secret";
    if (trouble == NULL) {
        text[length] = '\0';
        while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
            text[--length] = '\0';
        if (length == 0)
            trouble = "is empty";
        else if (strlen(text) != length)
            trouble = "holds a NUL byte";
    }
    if (trouble == NULL)
        return text;
    vv_config_problem(config, setting->source, "[%s] '%s' names '%s', which %s", setting->section,
                      setting->key, setting->value, trouble);
    return NULL;
}

static bool config_is_key(const struct vv_option *options, const char *key)
{
    for (; options->type != VV_OPTION_TYPE_END; options++)
        if (strcmp(options->key, key) == 0)
            return true;
    return false;
}

/* Where the value of an option stands, and what it is; NULL value: nowhere, or a mistake was noted
 * (then *ret_bad). */
static const char *config_value(struct vv_config *config, const char *section,
                                const struct vv_option *options, const struct vv_option *option,
                                bool read_files, const struct vv_setting **ret_setting,
                                bool *ret_bad)
{
    const char *file_key = vv_arena_printf(config->arena, "%s_file", option->key);
    const struct vv_setting *setting = vv_config_find(config, section, option->key);
    const struct vv_setting *file = NULL;
    const char *value;

    *ret_bad = false;
    *ret_setting = setting;
    if ((option->flags & VV_SECRET) != 0 && !config_is_key(options, file_key))
        file = vv_config_find(config, section, file_key);
    if (file == NULL || file->value[0] == '\0')
        return setting == NULL ? NULL : setting->value;
    if (setting != NULL && setting->value[0] != '\0') {
        vv_config_problem(config, file->source, "[%s] '%s' and '%s' (%s) are both given; keep one",
                          section, file_key, option->key, setting->source);
        *ret_bad = true;
        return NULL;
    }
    *ret_setting = file;
    if (!read_files)
        return NULL;
    value = config_read_secret(config, file);
    *ret_bad = value == NULL;
    return value;
}

static void config_required(struct vv_config *config, const char *section, const char *source,
                            const struct vv_option *option)
{
    bool secret = (option->flags & VV_SECRET) != 0;

    vv_config_problem(config, source, "[%s] '%s' is required (%s); add it to [%s] in %s%s%s%s",
                      section, option->key, option->help == NULL ? "no help" : option->help,
                      section, vv_config_base_name(config->file),
                      secret ? ", or name a file with " : "", secret ? option->key : "",
                      secret ? "_file" : "");
}

/* One option. `read`: also look at the files that it names, and whether it had to be given, which
 * is reported at `source`. */
static void config_fill_option(struct vv_config *config, const char *section, const char *source,
                               const struct vv_option *options, const struct vv_option *option,
                               bool read, void *ret_member)
{
    bool text = option->type == VV_OPTION_TYPE_TEXT || option->type == VV_OPTION_TYPE_PATH ||
                option->type == VV_OPTION_TYPE_URL || option->type == VV_OPTION_TYPE_LIST;
    const struct vv_setting *setting;
    bool bad;
    const char *value = config_value(config, section, options, option, read, &setting, &bad);
    const char *why = NULL;

    if (bad)
        return;
    if (setting != NULL && (option->flags & VV_DEPRECATED) != 0)
        vv_config_warn(config, setting->source, "[%s] '%s' is deprecated: %s", section, option->key,
                       option->help == NULL ? "it will go" : option->help);
    if (read && (option->flags & VV_REQUIRED) != 0 &&
        (value == NULL ? option->value == NULL : value[0] == '\0')) {
        config_required(config, section, source, option);
        return;
    }
    if (value == NULL)
        value = setting == NULL ? option->value : NULL;
    if (value == NULL)
        return;
    if (value[0] == '\0' && !text)
        why = "must not be empty";
    if (why == NULL)
        why = vv_option_parse(config->arena, option, value, ret_member);
    if (why != NULL && ((option->flags & VV_SECRET) != 0 || value[0] == '\0'))
        vv_config_problem(config, setting == NULL ? NULL : setting->source, "[%s] '%s' %s", section,
                          option->key, why);
    else if (why != NULL)
        vv_config_problem(config, setting == NULL ? NULL : setting->source,
                          "[%s] '%s' %s, not '%.100s'", section, option->key, why, value);
    else if (read && option->type == VV_OPTION_TYPE_PATH &&
             *(const char *const *)ret_member != NULL) {
        why = vv_option_check_path(config->arena, *(const char *const *)ret_member);
        if (why != NULL)
            vv_config_problem(config, setting == NULL ? NULL : setting->source, "[%s] '%s' %s",
                              section, option->key, why);
    }
}

void vv_config_fill_at(struct vv_config *config, const char *section, const char *source,
                       const struct vv_option *options, void *ret_struct)
{
    const struct vv_option *option;

    for (option = options; option->type != VV_OPTION_TYPE_END; option++)
        config_fill_option(config, section, source, options, option, true,
                           (char *)ret_struct + option->offset);
}

void vv_config_fill(struct vv_config *config, const char *section, const struct vv_option *options,
                    void *ret_struct)
{
    vv_config_fill_at(config, section, NULL, options, ret_struct);
}

void vv_config_check_section(struct vv_config *config, const char *section,
                             const struct vv_option *options)
{
    const struct vv_option *option;
    union {
        const char *text;
        int64_t number;
        struct vv_rate rate;
    } member;

    for (option = options; option->type != VV_OPTION_TYPE_END; option++)
        config_fill_option(config, section, NULL, options, option, false, &member);
}
