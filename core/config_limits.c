/* [limits]: rates per client address, under the names that the core and all plugins declare. */
#include "config_parts.h"
#include "rate_limits.h"

/* In the core, so that they hold with any set of plugins. */
static const struct vv_limit limits_core[] = {
    VV_LIMIT("auth", "30/m", "Registering, logging in, and mails that were asked for"),
    VV_LIMIT("contact", "5/m", "Messages of the contact form"),
    VV_END,
};

static struct vv_config_limit_entry *limits_find(const struct vv_config_limits *limits,
                                                 const char *name)
{
    size_t i;

    for (i = 0; limits != NULL && i < limits->count; i++)
        if (strcmp(limits->entries[i].name, name) == 0)
            return &limits->entries[i];
    return NULL;
}

/* Who declares a name first sets its default. */
static void limits_add(struct vv_config *config, const struct vv_limit *limit)
{
    struct vv_config_limits *limits = config->limits;
    struct vv_config_limit_entry *grown, *entry;
    const struct vv_setting *setting;

    if (limits_find(limits, limit->name) != NULL)
        return;
    grown = vv_arena_alloc(config->arena, (limits->count + 1) * sizeof *grown);
    if (limits->count > 0)
        memcpy(grown, limits->entries, limits->count * sizeof *grown);
    limits->entries = grown;
    entry = &grown[limits->count++];
    *entry = (struct vv_config_limit_entry){
        .name = limit->name, .value = limit->value, .help = limit->help};
    setting = vv_config_find(config, "limits", limit->name);
    if (setting != NULL)
        entry->value = setting->value;
    if (!vv_rate_parse(entry->value, &entry->rate))
        vv_config_problem(config, setting == NULL ? NULL : setting->source,
                          "[limits] '%s' must be a rate such as 20/s, 600/m or 5/h, or off, not "
                          "'%.100s'",
                          limit->name, entry->value);
}

void vv_config_fill_limits(struct vv_config *config, const struct vv_plugins *plugins)
{
    const struct vv_limit *limit;
    size_t i;

    config->limits = vv_arena_alloc(config->arena, sizeof *config->limits);
    for (limit = limits_core; limit->name != NULL; limit++)
        limits_add(config, limit);
    for (i = 0; i < plugins->count; i++)
        for (limit = plugins->all[i]->limits; limit != NULL && limit->name != NULL; limit++)
            limits_add(config, limit);
}

bool vv_config_limit(const char *name, struct vv_rate *ret_rate, uint32_t *ret_class)
{
    const struct vv_config_limit_entry *entry = limits_find(vv_config->limits, name);

    if (entry == NULL)
        return false;
    *ret_rate = entry->rate;
    *ret_class = vv_limits_class(name);
    return true;
}
