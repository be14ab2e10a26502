/* --dump-config: the configuration in effect, as an INI file that says what each key is for. */
#include "config_parts.h"
#include "options.h"
#include <stdio.h>

#define DUMP_LINE 120 /* well below what a line may have */

/* Continuation lines: a list has one item a line, a long text as many as it needs. */
static void dump_value(const char *key, const char *value, bool at_spaces)
{
    const char *rest = value;

    printf("%s =", key);
    if (strchr(value, '\n') == NULL && strlen(value) <= DUMP_LINE) {
        printf(" %s\n", value);
        return;
    }
    while (*rest != '\0') {
        size_t length = strcspn(rest, "\n");

        if (length > DUMP_LINE) {
            length = DUMP_LINE;
            while (at_spaces && length > 1 && rest[length] != ' ')
                length--;
            if (length == 1)
                length = DUMP_LINE;
        }
        printf("%s%.*s\n", rest == value ? " " : "    ", (int)length, rest);
        rest += length;
        while (*rest == '\n' || (at_spaces && *rest == ' '))
            rest++;
    }
}

static void dump_options(struct vv_config *config, const struct vv_option *options,
                         const void *conf)
{
    const struct vv_option *option;

    for (option = options; option->type != VV_OPTION_TYPE_END; option++) {
        const char *value =
            vv_option_format(config->arena, option, (const char *)conf + option->offset);

        printf("# %s%s\n", option->help == NULL ? "" : option->help,
               (option->flags & VV_DEPRECATED) != 0 ? " (deprecated)" : "");
        if (value == NULL)
            printf("#%s =\n", option->key);
        else
            dump_value(option->key, value, option->type == VV_OPTION_TYPE_TEXT);
    }
}

static void dump_limits(const struct vv_config *config)
{
    size_t i;

    printf("\n# Rates, each per client address or per user\n[limits]\n");
    for (i = 0; config->limits != NULL && i < config->limits->count; i++) {
        const struct vv_config_limit_entry *entry = &config->limits->entries[i];

        printf("# %s\n%s = %s\n", entry->help == NULL ? "" : entry->help, entry->name,
               entry->value);
    }
}

static void dump_families(struct vv_config *config, const struct vv_self *self)
{
    size_t i, k;

    for (i = 0; i < self->section_count; i++) {
        const struct vv_section *section = &self->sections[i];

        for (k = 0; k < self->families[i].count; k++) {
            printf("\n# %s\n[%s:%s]\n", section->help == NULL ? "" : section->help, section->name,
                   self->families[i].names[k]);
            dump_options(config, section->options, self->families[i].confs[k]);
        }
    }
}

void vv_config_dump(struct vv_config *config, const struct vv_plugins *plugins)
{
    const struct vv_config_section *section;
    size_t i;

    for (section = vv_config_core_sections(); section->name != NULL; section++) {
        printf("%s# %s\n[%s]\n", section->name == vv_config_core_sections()->name ? "" : "\n",
               section->summary, section->name);
        dump_options(config, section->options, section->conf);
    }
    dump_limits(config);
    for (i = 0; i < plugins->count; i++) {
        const struct vv_self *self = plugins->all[i];

        if (self->broken)
            continue;
        printf("\n# %s\n[%s]\nenabled = %s\n",
               self->descriptor.summary == NULL ? "" : self->descriptor.summary, self->name,
               self->enabled ? "true" : "false");
        if (self->enabled && self->options != NULL)
            dump_options(config, self->options, self->conf);
        if (self->enabled)
            dump_families(config, self);
    }
}
