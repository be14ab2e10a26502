/* What the files of the configuration share, and nobody else needs. */
#ifndef VV_CORE_CONFIG_PARTS_H
#define VV_CORE_CONFIG_PARTS_H

#include "buffer.h"
#include "config.h"
#include "plugin.h"
#include "suggest.h"

/* A section of the core's own: its table, its struct, and its defaults that depend on the place. */
struct vv_config_section {
    const char *name, *summary;
    const struct vv_option *options;
    void *conf;
};

/* [limits]: one of them for each name that a table declares. */
struct vv_config_limit_entry {
    const char *name, *value, *help;
    uint32_t per; /* enum vv_limit_per */
    struct vv_rate rate;
};

struct vv_config_limits {
    struct vv_config_limit_entry *entries;
    size_t count;
};

/* The core's sections, ended by one without a name. */
const struct vv_config_section *vv_config_core_sections(void);

/* Fills and checks the core's sections. config_core.c */
void vv_config_fill_core(struct vv_config *config);

/* Gathers the names of [limits] and reads their rates. config_limits.c */
void vv_config_fill_limits(struct vv_config *config, const struct vv_plugins *plugins);

/* Fills in all sections of the plugins' families: [plan:pro]. config_families.c */
void vv_config_fill_families(struct vv_config *config, const struct vv_plugins *plugins);

/* The name of the section, if it is one of a family that a plugin describes, with the plugin's
 * table; NULL: it is not. `ret_known`: the configuration has that section. config_families.c */
const char *vv_config_family_of(struct vv_config *config, const struct vv_plugins *plugins,
                                const struct vv_setting *setting,
                                const struct vv_section **ret_family, bool *ret_known);

/* Like vv_config_fill(); what is missing is reported at `source`. */
void vv_config_fill_at(struct vv_config *config, const char *section, const char *source,
                       const struct vv_option *options, void *ret_struct);

/* Looks at a section of a plugin that is off: marks its keys as known, and checks their form. */
void vv_config_check_section(struct vv_config *config, const char *section,
                             const struct vv_option *options);

/* Whether a setting belongs to that section. */
bool vv_config_in_section(const struct vv_setting *setting, const char *section);

/* The last setting of that name, marked as used with all weaker ones; NULL: there is none. */
const struct vv_setting *vv_config_find(struct vv_config *config, const char *section,
                                        const char *key);

/* The file's name without its folders. */
const char *vv_config_base_name(const char *path);

/* Like vv_config_problem(), but stops nothing: goes to the log. */
VV_PRINTF(3, 4)
void vv_config_warn(struct vv_config *config, const char *source, const char *format, ...);

#endif
