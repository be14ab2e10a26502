/* Prints what a plugin's descriptor says of it, as one line of JSON: describe FILE.so */
#include <dlfcn.h>
#include <stdio.h>
#include <vv/plugin.h>

const struct vv_host *vv_host; /* nothing of the host is called here */

static bool first;

static void put(const char *text)
{
    printf("%s\"%s\"", first ? "" : ", ", text == NULL ? "" : text);
    first = false;
}

static void begin(const char *name)
{
    printf(", \"%s\": [", name);
    first = true;
}

/* What comes after `element` in a table of this stride. */
static const void *next(const void *element, uint32_t stride)
{
    return (const char *)element + stride;
}

static void print_tables(const struct vv_plugin *plugin)
{
    const struct vv_route *route = plugin->routes;
    const struct vv_hook *hook = plugin->hooks;
    const struct vv_job *job = plugin->jobs;
    const struct vv_option *option = plugin->options;

    begin("routes");
    for (; route != NULL && route->pattern != NULL; route = next(route, plugin->strides.route))
        put(route->pattern);
    printf("]");
    begin("hooks");
    for (; hook != NULL && hook->event != NULL; hook = next(hook, plugin->strides.hook))
        put(hook->event);
    printf("]");
    begin("jobs");
    for (; job != NULL && job->kind != NULL; job = next(job, plugin->strides.job))
        put(job->kind);
    printf("]");
    begin("calls");
    for (; option != NULL && option->key != NULL; option = next(option, plugin->strides.option))
        if (option->type == VV_OPTION_TYPE_URL)
            put(option->key);
    printf("]");
}

int main(int argc, char **argv)
{
    const struct vv_plugin *plugin;
    void *file = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;

    if (file == NULL || (plugin = dlsym(file, "vv_plugin")) == NULL) {
        fprintf(stderr, "%s\n", argc == 2 ? dlerror() : "usage: describe FILE.so");
        return 1;
    }
    printf("{\"name\": \"%s\", \"depends\": \"%s\", \"provides\": \"%s\"", plugin->name,
           plugin->depends == NULL ? "" : plugin->depends,
           plugin->provides == NULL ? "" : plugin->provides);
    print_tables(plugin);
    printf("}\n");
    return 0;
}
