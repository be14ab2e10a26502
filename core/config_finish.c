/* After everything was handed out: what is left over was mistyped, or belongs to nobody. */
#include "config_parts.h"
#include "options.h"

static void finish_unknown_key(struct vv_config *config, const struct vv_setting *setting,
                               const char *section, const struct vv_suggestion *near)
{
    if (near->best != NULL)
        vv_config_problem(config, setting->source, "[%s] unknown key '%s'; did you mean '%s'?",
                          section, setting->key, near->best);
    else
        vv_config_problem(config, setting->source,
                          "[%s] unknown key '%s'; --dump-config lists those there are", section,
                          setting->key);
}

static void finish_offer_options(struct vv_config *config, struct vv_suggestion *near,
                                 const struct vv_option *options)
{
    for (; options->type != VV_OPTION_TYPE_END; options++) {
        vv_suggest_offer(near, options->key);
        if ((options->flags & VV_SECRET) != 0)
            vv_suggest_offer(near, vv_arena_printf(config->arena, "%s_file", options->key));
    }
}

static bool finish_core(struct vv_config *config, const struct vv_setting *setting)
{
    const struct vv_config_section *section;
    struct vv_suggestion near = {.word = setting->key};
    size_t i;

    if (vv_config_in_section(setting, "limits")) {
        for (i = 0; i < config->limits->count; i++)
            vv_suggest_offer(&near, config->limits->entries[i].name);
        finish_unknown_key(config, setting, "limits", &near);
        return true;
    }
    for (section = vv_config_core_sections(); section->name != NULL; section++) {
        if (!vv_config_in_section(setting, section->name))
            continue;
        finish_offer_options(config, &near, section->options);
        finish_unknown_key(config, setting, section->name, &near);
        return true;
    }
    return false;
}

static bool finish_plugin(struct vv_config *config, const struct vv_plugins *plugins,
                          const struct vv_setting *setting)
{
    struct vv_suggestion near = {.word = setting->key};
    size_t i;

    for (i = 0; i < plugins->count; i++) {
        const struct vv_self *self = plugins->all[i];

        if (!vv_config_in_section(setting, self->name))
            continue;
        /* What a file that cannot be read describes is unknown; that was said already. */
        if (self->broken)
            return true;
        vv_suggest_offer(&near, "enabled");
        if (self->options != NULL)
            finish_offer_options(config, &near, self->options);
        finish_unknown_key(config, setting, self->name, &near);
        return true;
    }
    return false;
}

/* [plan:pro]: a key that its table does not have, or no such section. */
static bool finish_family(struct vv_config *config, const struct vv_plugins *plugins,
                          const struct vv_setting *setting)
{
    struct vv_suggestion near = {.word = setting->key};
    const struct vv_section *family;
    bool known;
    const char *name = vv_config_family_of(config, plugins, setting, &family, &known);

    if (name == NULL)
        return false;
    if (!known) {
        vv_config_problem(config, setting->source,
                          "no section [%s:...] of the configuration is meant by it; the "
                          "environment only adds to sections that a file has",
                          family->name);
        return true;
    }
    finish_offer_options(config, &near, family->options);
    finish_unknown_key(config, setting, name, &near);
    return true;
}

/* The same name in each family there is. */
static void finish_offer_families(struct vv_config *config, const struct vv_plugins *plugins,
                                  struct vv_suggestion *near)
{
    const char *colon = strchr(near->word, ':');
    size_t i, k;

    for (i = 0; colon != NULL && i < plugins->count; i++)
        for (k = 0; !plugins->all[i]->broken && k < plugins->all[i]->section_count; k++)
            vv_suggest_offer(near, vv_arena_printf(config->arena, "%s%s",
                                                   plugins->all[i]->sections[k].name, colon));
}

/* A section that nothing describes: wrong if it was to be on, else perhaps a plugin to come. */
static void finish_section(struct vv_config *config, const struct vv_plugins *plugins,
                           const struct vv_setting *setting)
{
    const char *name = setting->section;
    const struct vv_setting *enabled = vv_config_find(config, name, "enabled");
    const struct vv_config_section *section;
    struct vv_suggestion near = {.word = name};
    struct vv_option option = {.type = VV_OPTION_TYPE_BOOL};
    const char *hint = "";
    bool on = false;
    size_t i;

    for (section = vv_config_core_sections(); section->name != NULL; section++)
        vv_suggest_offer(&near, section->name);
    vv_suggest_offer(&near, "limits");
    for (i = 0; i < plugins->count; i++)
        vv_suggest_offer(&near, plugins->all[i]->name);
    finish_offer_families(config, plugins, &near);
    if (near.best != NULL)
        hint = vv_arena_printf(config->arena, "; did you mean [%s]?", near.best);
    if (enabled != NULL &&
        (vv_option_parse(config->arena, &option, enabled->value, &on) != NULL || on))
        vv_config_problem(
            config, enabled->source, "[%s] enabled = %.40s, but there is no %s.so in %s%s", name,
            enabled->value, name, config->server.plugin_dir,
            hint[0] != '\0' ? hint : "; install that plugin, or take the section out");
    else
        vv_config_warn(config, setting->source, "[%s] is ignored: no plugin describes it%s", name,
                       hint);
}

bool vv_config_finish(struct vv_config *config, const struct vv_plugins *plugins)
{
    size_t i, j;

    for (i = 0; i < config->setting_count; i++) {
        struct vv_setting *setting = &config->settings[i];

        if (setting->used)
            continue;
        setting->used = true;
        if (finish_core(config, setting) || finish_plugin(config, plugins, setting) ||
            finish_family(config, plugins, setting))
            continue;
        finish_section(config, plugins, setting);
        for (j = i + 1; j < config->setting_count; j++)
            if (strcmp(config->settings[j].section, setting->section) == 0)
                config->settings[j].used = true;
    }
    return vv_config_report(config);
}
