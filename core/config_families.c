/* Families of sections, such as [plan:pro]: each section that an operator adds fills a struct. */
#include "config_parts.h"

#include <ctype.h>

#define FAMILY_NAME 32 /* characters behind the colon */

/* What stands behind "plan:" of a section that a file or --set has written so; NULL: another one.
 */
static const char *family_name(const struct vv_setting *setting, const struct vv_section *family)
{
    size_t length = strlen(family->name);

    if (setting->environment || strncmp(setting->section, family->name, length) != 0 ||
        setting->section[length] != ':')
        return NULL;
    return setting->section + length + 1;
}

static bool family_name_valid(const char *name)
{
    size_t i;

    for (i = 0; name[i] != '\0'; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-')
            return false;
    return i > 0 && i <= FAMILY_NAME;
}

/* Whether they are the same but for letter case, '-' and '_': the environment and people could not
 * tell them apart. */
static bool family_names_alike(const char *one, const char *other)
{
    for (; *one != '\0' && *other != '\0'; one++, other++) {
        int a = *one == '-' ? '_' : tolower((unsigned char)*one);
        int b = *other == '-' ? '_' : tolower((unsigned char)*other);

        if (a != b)
            return false;
    }
    return *one == *other;
}

/* Whether the section is a new one; notes what is wrong with its name. */
static bool family_is_new(struct vv_config *config, const struct vv_section *section,
                          const struct vv_family *family, struct vv_setting *setting,
                          const char *name)
{
    size_t i;

    if (!family_name_valid(name)) {
        if (!setting->used)
            vv_config_problem(config, setting->source,
                              "[%s] what stands behind '%s:' must be 1 to %d of A-Z, a-z, 0-9, '_' "
                              "and '-'",
                              setting->section, section->name, FAMILY_NAME);
        setting->used = true;
        return false;
    }
    for (i = 0; i < family->count; i++) {
        if (strcmp(family->names[i], name) == 0)
            return false;
        if (!family_names_alike(family->names[i], name))
            continue;
        if (!setting->used)
            vv_config_problem(config, setting->source,
                              "[%s] and [%s:%s] are too much alike; rename one", setting->section,
                              section->name, family->names[i]);
        setting->used = true;
        return false;
    }
    return true;
}

static void family_fill(struct vv_config *config, const struct vv_self *self,
                        const struct vv_section *section, struct vv_family *family)
{
    size_t i;

    family->names = vv_arena_alloc(config->arena, config->setting_count * sizeof *family->names);
    family->confs = vv_arena_alloc(config->arena, config->setting_count * sizeof *family->confs);
    for (i = 0; i < config->setting_count; i++) {
        struct vv_setting *setting = &config->settings[i];
        const char *name = family_name(setting, section);
        const char *source = setting->source;

        if (name == NULL || !family_is_new(config, section, family, setting, name))
            continue;
        family->names[family->count] = name;
        family->confs[family->count] = vv_arena_alloc(config->arena, section->conf_size);
        if (self->enabled)
            vv_config_fill_at(config, setting->section, source, section->options,
                              family->confs[family->count]);
        else
            vv_config_check_section(config, setting->section, section->options);
        family->count++;
    }
}

/* Whether a plugin that is on has that family, too: its table is the one that counts then. */
static bool family_is_taken(const struct vv_plugins *plugins, const char *name)
{
    size_t i, k;

    for (i = 0; i < plugins->count; i++)
        for (k = 0; plugins->all[i]->enabled && k < plugins->all[i]->section_count; k++)
            if (strcmp(plugins->all[i]->sections[k].name, name) == 0)
                return true;
    return false;
}

void vv_config_fill_families(struct vv_config *config, const struct vv_plugins *plugins)
{
    size_t i, k;

    for (i = 0; i < plugins->count; i++) {
        struct vv_self *self = plugins->all[i];

        if (self->broken)
            continue;
        self->families =
            vv_arena_alloc(config->arena, (self->section_count + 1) * sizeof *self->families);
        for (k = 0; k < self->section_count; k++)
            if (self->enabled || !family_is_taken(plugins, self->sections[k].name))
                family_fill(config, self, &self->sections[k], &self->families[k]);
    }
}

/* "plan_pro" of the environment: is it of the family "plan"? */
static bool family_has_variable(const struct vv_setting *setting, const struct vv_section *section)
{
    size_t length = strlen(section->name);

    return setting->environment && strlen(setting->section) > length + 1 &&
           setting->section[length] == '_' && strncmp(setting->section, section->name, length) == 0;
}

static const char *family_section(struct vv_config *config, const struct vv_setting *setting,
                                  const struct vv_section *section, const struct vv_family *family,
                                  bool *ret_known)
{
    size_t i;

    *ret_known = true;
    for (i = 0; i < family->count; i++) {
        const char *name = vv_arena_printf(config->arena, "%s:%s", section->name, family->names[i]);

        if (vv_config_in_section(setting, name))
            return name;
    }
    *ret_known = false;
    return family_has_variable(setting, section) ? setting->section : NULL;
}

const char *vv_config_family_of(struct vv_config *config, const struct vv_plugins *plugins,
                                const struct vv_setting *setting,
                                const struct vv_section **ret_family, bool *ret_known)
{
    size_t i, k;

    for (i = 0; i < plugins->count; i++) {
        const struct vv_self *self = plugins->all[i];

        for (k = 0; !self->broken && k < self->section_count; k++) {
            const char *name =
                family_section(config, setting, &self->sections[k], &self->families[k], ret_known);

            *ret_family = &self->sections[k];
            if (name != NULL)
                return name;
        }
    }
    return NULL;
}
