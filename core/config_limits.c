/* [limits]: rates per client address or per user, under the names that the core and all plugins
 * declare. */
#include "config_parts.h"
#include "rate_limits.h"

/* In the core, so that they hold with any set of plugins. */
static const struct vv_limit limits_core[] = {
    VV_LIMIT("auth", "30/m", "Registering, logging in, and mails that were asked for"),
    VV_LIMIT("contact", "5/m", "Messages of the contact form"),
    VV_USER_LIMIT("user", "600/m", "Calls of one user on routes without a limit of their own"),
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

/* Who declares a name first sets its default. `self` is NULL for the core. */
static void limits_add(struct vv_config *config, const struct vv_self *self,
                       const struct vv_limit *limit)
{
    struct vv_config_limits *limits = config->limits;
    struct vv_config_limit_entry *grown, *entry = limits_find(limits, limit->name);
    const struct vv_setting *setting;

    if (entry != NULL) {
        if (entry->per != limit->per && self != NULL && self->enabled)
            vv_config_problem(config, NULL,
                              "plugin '%s': its limit '%s' counts per %s, and another of that name "
                              "does not; give it a name of its own",
                              self->name, limit->name,
                              limit->per == VV_PER_USER ? "user" : "address");
        return;
    }
    grown = vv_arena_alloc(config->arena, (limits->count + 1) * sizeof *grown);
    if (limits->count > 0)
        memcpy(grown, limits->entries, limits->count * sizeof *grown);
    limits->entries = grown;
    entry = &grown[limits->count++];
    *entry = (struct vv_config_limit_entry){
        .name = limit->name, .value = limit->value, .help = limit->help, .per = limit->per};
    setting = vv_config_find(config, "limits", limit->name);
    if (setting != NULL)
        entry->value = setting->value;
    if (!vv_rate_parse(entry->value, &entry->rate))
        vv_config_problem(config, setting == NULL ? NULL : setting->source,
                          "[limits] '%s' must be a rate such as 20/s, 600/m or 5/h, or off, not "
                          "'%.100s'",
                          limit->name, entry->value);
}

/* Also the names of plugins that are off are known, but do not get in the way of others. */
static void limits_add_plugins(struct vv_config *config, const struct vv_plugins *plugins,
                               bool enabled)
{
    const struct vv_limit *limit;
    size_t i;

    for (i = 0; i < plugins->count; i++) {
        const struct vv_self *self = plugins->all[i];

        for (limit = self->limits; limit != NULL && limit->name != NULL; limit++)
            if (self->enabled == enabled)
                limits_add(config, self, limit);
    }
}

void vv_config_fill_limits(struct vv_config *config, const struct vv_plugins *plugins)
{
    const struct vv_limit *limit;

    config->limits = vv_arena_alloc(config->arena, sizeof *config->limits);
    for (limit = limits_core; limit->name != NULL; limit++)
        limits_add(config, NULL, limit);
    limits_add_plugins(config, plugins, true);
    limits_add_plugins(config, plugins, false);
}

bool vv_config_limit(const char *name, struct vv_config_limit *ret_limit)
{
    const struct vv_config_limit_entry *entry = limits_find(vv_config->limits, name);

    if (entry == NULL)
        return false;
    *ret_limit = (struct vv_config_limit){.name = entry->name,
                                          .per = entry->per,
                                          .class_ = vv_limits_class(name),
                                          .rate = entry->rate};
    return true;
}
