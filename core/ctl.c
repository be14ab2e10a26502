/* vvctl: finds the command that the words name, in the core or in a plugin, and runs it. */
#include "ctl.h"
#include "db.h"
#include "jobs.h"
#include "log.h"
#include "migrate.h"
#include "plugin.h"
#include "process.h"
#include "request.h"
#include <stdio.h>

/* Commands of the core that need no fiber; the jobs' are a table like a plugin's. */
struct ctl_builtin {
    const char *name, *usage, *help;
    int (*run)(int argc, const char *const *words);
};

static int ctl_migrate(int argc, const char *const *words);
static int ctl_doctor(int argc, const char *const *words);
static int ctl_version(int argc, const char *const *words);

static const struct ctl_builtin ctl_builtins[] = {
    {"doctor", "", "Checks configuration, database, schema and plugins", ctl_doctor},
    {"migrate", "[--status]", "Applies what is missing of the schema, or shows it", ctl_migrate},
    {"version", "", "The version of the server and of its plugins", ctl_version},
};

/* What was found. */
struct ctl_found {
    size_t length; /* words of its name; 0 = nothing */
    const struct ctl_builtin *builtin;
    const struct vv_command *command;
    struct vv_self *plugin;
};

struct ctl_run {
    const struct vv_command *command;
    int argc;
    const char *const *words;
};

static int ctl_usage(const char *name, const char *usage)
{
    fprintf(stderr, "usage: vvctl %s%s%s\n", name, usage[0] == '\0' ? "" : " ", usage);
    return 2;
}

static int ctl_migrate(int argc, const char *const *words)
{
    enum vv_migrate_result result;

    if (argc > 1 || (argc == 1 && strcmp(words[0], "--status") != 0))
        return ctl_usage("migrate", "[--status]");
    if (argc == 1) {
        result = vv_migrate_status(vv_plugins);
    } else {
        /* What is applied is worth a line each; and who asks for it means it. */
        vv_log_init(VV_LOG_INFO, VV_LOG_TEXT, "vvctl");
        vv_config->database.migrate = true;
        result = vv_migrate(vv_plugins);
    }
    if (result == VV_MIGRATE_AWAY) {
        char *problem = vv_ctl_database_problem();

        fprintf(stderr, "vvctl: the database cannot be reached: %s\n",
                problem == NULL ? "it was away for a moment" : problem);
        free(problem);
    } else if (result == VV_MIGRATED && argc == 0) {
        printf("the schema is up to date\n");
    }
    return result == VV_MIGRATED ? 0 : 1;
}

static int ctl_doctor(int argc, const char *const *words)
{
    (void)words;
    return argc > 0 ? ctl_usage("doctor", "") : vv_ctl_doctor();
}

static int ctl_version(int argc, const char *const *words)
{
    size_t i;

    (void)words;
    if (argc > 0)
        return ctl_usage("version", "");
    printf("vvserver %s\n", VV_VERSION);
    for (i = 0; i < vv_plugins->enabled_count; i++)
        printf("%s %s\n", vv_plugins->all[i]->name, vv_plugins->all[i]->descriptor.version);
    return 0;
}

/* How many words the name has, if the command line begins with it; else 0. */
static size_t ctl_match(const char *name, int argc, const char *const *words)
{
    size_t count = 0;

    while (*name != '\0') {
        size_t length = strcspn(name, " ");

        if (count == (size_t)argc || strlen(words[count]) != length ||
            strncmp(words[count], name, length) != 0)
            return 0;
        count++;
        name += length;
        name += strspn(name, " ");
    }
    return count;
}

static void ctl_find_in(const struct vv_command *commands, struct vv_self *plugin, int argc,
                        const char *const *words, struct ctl_found *found)
{
    for (; commands != NULL && commands->name != NULL; commands++) {
        size_t length = ctl_match(commands->name, argc, words);

        if (length > found->length)
            *found = (struct ctl_found){.length = length, .command = commands, .plugin = plugin};
    }
}

/* The longest name wins: "mail list" before "mail". */
static struct ctl_found ctl_find(int argc, const char *const *words)
{
    struct ctl_found found = {0};
    size_t i;

    for (i = 0; i < VV_ARRAY_SIZE(ctl_builtins); i++) {
        size_t length = ctl_match(ctl_builtins[i].name, argc, words);

        if (length > found.length)
            found = (struct ctl_found){.length = length, .builtin = &ctl_builtins[i]};
    }
    ctl_find_in(vv_jobs_commands, NULL, argc, words, &found);
    for (i = 0; i < vv_plugins->enabled_count; i++)
        ctl_find_in(vv_plugins->all[i]->commands, vv_plugins->all[i], argc, words, &found);
    return found;
}

static void ctl_line(FILE *out, const char *name, const char *usage, const char *help)
{
    char *call = vv_xprintf("%s%s%s", name, usage == NULL || usage[0] == '\0' ? "" : " ",
                            usage == NULL ? "" : usage);

    fprintf(out, "  %-40s %s\n", call, help == NULL ? "" : help);
    free(call);
}

static void ctl_list_in(FILE *out, const struct vv_command *commands)
{
    for (; commands != NULL && commands->name != NULL; commands++)
        ctl_line(out, commands->name, commands->usage, commands->help);
}

void vv_ctl_list(FILE *out)
{
    size_t i;

    fprintf(out, "Commands:\n");
    for (i = 0; i < VV_ARRAY_SIZE(ctl_builtins); i++)
        ctl_line(out, ctl_builtins[i].name, ctl_builtins[i].usage, ctl_builtins[i].help);
    ctl_list_in(out, vv_jobs_commands);
    for (i = 0; vv_plugins != NULL && i < vv_plugins->enabled_count; i++)
        ctl_list_in(out, vv_plugins->all[i]->commands);
}

static void ctl_print(struct vv_request *req, const char *text)
{
    (void)req;
    (void)fputs(text, stdout);
}

static int ctl_function(struct vv_request *req, void *arg)
{
    const struct ctl_run *run = arg;

    return run->command->function(req, run->argc, run->words);
}

static int ctl_command(const struct ctl_found *found, int argc, const char *const *words)
{
    struct ctl_run run = {.command = found->command,
                          .argc = argc - (int)found->length,
                          .words = words + found->length};
    struct vv_ctl_call call = {.plugin = found->plugin,
                               .id = found->command->name,
                               .function = ctl_function,
                               .arg = &run,
                               .print = ctl_print};
    int result;
    bool away;

    vv_ctl_host_start();
    result = vv_ctl_call(&call);
    away = result < 0 && !vv_db_ready();
    vv_ctl_host_stop();
    (void)fflush(stdout);
    if (result < 0) {
        char *problem = away ? vv_ctl_database_problem() : NULL;

        if (problem != NULL)
            fprintf(stderr, "vvctl: the database cannot be reached: %s\n", problem);
        else
            fprintf(stderr, "vvctl: %s\n", call.detail);
        free(problem);
    }
    free(call.detail);
    return result < 0 ? 1 : 0;
}

int vv_ctl_run(const struct vv_config_source *source, int argc, const char *const *words)
{
    struct ctl_found found;
    int i;

    vv_log_init(VV_LOG_WARNING, VV_LOG_TEXT, "vvctl");
    if (!vv_setup(source))
        return 1;
    vv_log_init(VV_LOG_WARNING, VV_LOG_TEXT, "vvctl");
    found = ctl_find(argc, words);
    if (found.builtin != NULL)
        return found.builtin->run(argc - (int)found.length, words + found.length);
    if (found.command != NULL)
        return ctl_command(&found, argc, words);
    fprintf(stderr, "vvctl: there is no command");
    for (i = 0; i < argc; i++)
        fprintf(stderr, " %s", words[i]);
    fprintf(stderr, "\n");
    vv_ctl_list(stderr);
    return 2;
}
