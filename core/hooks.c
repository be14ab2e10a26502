/* Hooks: events with their functions in an order that never changes once the server runs. */
#include "log.h"
#include "plugin_parts.h"
#include "request.h"
#include <stdio.h>

static int hooks_by_name(const void *a, const void *b)
{
    const struct vv_hook_event *one = a, *other = b;

    return strcmp(one->name, other->name);
}

static struct vv_hook_event *hooks_find(const struct vv_plugins *plugins, const char *name)
{
    struct vv_hook_event key = {.name = name};

    if (plugins == NULL || plugins->event_count == 0)
        return NULL;
    return bsearch(&key, plugins->events, plugins->event_count, sizeof plugins->events[0],
                   hooks_by_name);
}

/* Behind all of its priority: plugins come here in the order in which they start. */
static void hooks_insert(struct vv_hook_event *event, struct vv_hook_entry entry)
{
    size_t at = event->count;

    event->entries = vv_xrealloc(event->entries, (event->count + 1) * sizeof event->entries[0]);
    while (at > 0 && event->entries[at - 1].priority > entry.priority)
        at--;
    memmove(&event->entries[at + 1], &event->entries[at],
            (event->count - at) * sizeof event->entries[0]);
    event->entries[at] = entry;
    event->count++;
}

static struct vv_hook_event *hooks_event(struct vv_plugins *plugins, const char *name)
{
    size_t i;

    for (i = 0; i < plugins->event_count; i++)
        if (strcmp(plugins->events[i].name, name) == 0)
            return &plugins->events[i];
    plugins->events =
        vv_xrealloc(plugins->events, (plugins->event_count + 1) * sizeof plugins->events[0]);
    plugins->events[plugins->event_count] = (struct vv_hook_event){.name = name};
    return &plugins->events[plugins->event_count++];
}

void vv_hooks_freeze(struct vv_plugins *plugins)
{
    size_t p, i;

    for (p = 0; p < plugins->enabled_count; p++) {
        struct vv_self *self = plugins->all[p];

        for (i = 0; i < self->hook_count; i++) {
            const struct vv_hook *hook = &self->hooks[i];

            hooks_insert(hooks_event(plugins, hook->event),
                         (struct vv_hook_entry){self, hook->function, hook->priority});
        }
    }
    if (plugins->event_count > 0)
        qsort(plugins->events, plugins->event_count, sizeof plugins->events[0], hooks_by_name);
}

bool vv_plugins_hooked(const char *event)
{
    return hooks_find(vv_plugins, event) != NULL;
}

void vv_plugins_print_hooks(const struct vv_plugins *plugins)
{
    int width = (int)strlen("event");
    size_t e, i;

    for (e = 0; e < plugins->event_count; e++)
        width = VV_MAX(width, (int)strlen(plugins->events[e].name));
    printf("%-*s  %8s  %s\n", width, "event", "priority", "plugin");
    for (e = 0; e < plugins->event_count; e++)
        for (i = 0; i < plugins->events[e].count; i++)
            printf("%-*s  %8d  %s\n", width, plugins->events[e].name,
                   (int)plugins->events[e].entries[i].priority,
                   plugins->events[e].entries[i].plugin->name);
}

/* The members an event had in version 0.1. */
#define HOOKS_EVENT_SIZE (offsetof(struct vv_event, reply) + sizeof(struct vv_json *))

int vv_plugin_emit(struct vv_self *self, struct vv_request *req, struct vv_event *event)
{
    const struct vv_hook_event *hooks;
    size_t i;

    if (req == NULL || event == NULL || event->size < HOOKS_EVENT_SIZE || event->name == NULL) {
        vv_log_line(VV_LOG_ERROR, self, req, "vv_emit() needs a request and a VV_EVENT(...)");
        return VV_EINVAL;
    }
    hooks = hooks_find(vv_plugins, event->name);
    for (i = 0; hooks != NULL && i < hooks->count; i++) {
        struct vv_self *caller = req->plugin;
        int rc;

        req->plugin = hooks->entries[i].plugin;
        rc = hooks->entries[i].function(req, event);
        req->plugin = caller;
        if (rc != VV_NEXT)
            return rc < 0 ? rc : VV_DONE;
    }
    return VV_NEXT;
}
