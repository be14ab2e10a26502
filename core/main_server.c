/* vvserverd: reads its arguments and becomes what they ask for. */
#include "config.h"
#include "log.h"
#include "plugin.h"
#include "process.h"
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#define MAIN_DEFAULT_FILE "/etc/vvserver/vvserver.ini"

enum main_mode {
    MAIN_SERVE = 0,
    MAIN_CHECK = 1000,
    MAIN_DUMP,
    MAIN_HOOKS,
    MAIN_ROUTES,
    MAIN_VERSION,
    MAIN_HELP,
    MAIN_SET,
    MAIN_LEADER,
};

static const struct option main_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"set", required_argument, NULL, MAIN_SET},
    {"check", no_argument, NULL, MAIN_CHECK},
    {"dump-config", no_argument, NULL, MAIN_DUMP},
    {"show-hooks", no_argument, NULL, MAIN_HOOKS},
    {"show-routes", no_argument, NULL, MAIN_ROUTES},
    {"version", no_argument, NULL, MAIN_VERSION},
    {"help", no_argument, NULL, MAIN_HELP},
    /* Not in the help: how the supervisor starts its leaders. */
    {"leader", required_argument, NULL, MAIN_LEADER},
    {NULL, 0, NULL, 0},
};

static void main_usage(FILE *out)
{
    fputs("usage: vvserverd [-c FILE] [--set SECTION.KEY=VALUE]... [MODE]\n"
          "Runs the server in the foreground.\n"
          "\n"
          "  -c, --config FILE        the configuration (" MAIN_DEFAULT_FILE ");\n"
          "                           conf.d/*.ini beside it is read as well\n"
          "  --set SECTION.KEY=VALUE  stronger than files and the environment\n"
          "\n"
          "Instead of running:\n"
          "  --check                  looks at configuration, plugins and migrations\n"
          "  --dump-config            prints the configuration in effect, secrets masked\n"
          "  --show-routes            prints every route\n"
          "  --show-hooks             prints hooks in the order in which they run\n"
          "  --version, --help\n",
          out);
}

static int main_finish(void)
{
    if (fflush(stdout) == 0)
        return EXIT_SUCCESS;
    perror("vvserverd: standard output");
    return EXIT_FAILURE;
}

/* What the effective configuration is can be asked even when there are mistakes in it. */
static int main_dump(const struct vv_config_source *source)
{
    struct vv_config *config;
    struct vv_plugins *plugins;
    bool fine;

    vv_log_init(VV_LOG_WARNING, VV_LOG_TEXT, "setup");
    config = vv_config_load(source);
    plugins = vv_plugins_load(config);
    fine = vv_config_finish(config, plugins);
    vv_config_dump(config, plugins);
    return main_finish() == EXIT_SUCCESS && fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int main_tell(const struct vv_config_source *source, int mode)
{
    if (mode == MAIN_DUMP)
        return main_dump(source);
    if (!vv_setup(source))
        return EXIT_FAILURE;
    if (mode == MAIN_HOOKS)
        vv_plugins_print_hooks(vv_plugins);
    else if (mode == MAIN_ROUTES)
        vv_plugins_print_routes(vv_plugins);
    else
        puts("configuration is valid");
    return main_finish();
}

static int main_descriptor(const char *text)
{
    char *end;
    long fd = strtol(text, &end, 10);

    if (end == text || *end != '\0' || fd < 0 || fd > 65535) {
        fputs("vvserverd: --leader is for the server's own use\n", stderr);
        exit(2);
    }
    return (int)fd;
}

int main(int argc, char **argv)
{
    static const char **sets; /* as long as the process */
    struct vv_config_source source = {.file = MAIN_DEFAULT_FILE, .environment = environ};
    int mode = MAIN_SERVE, control = -1;
    size_t set_count = 0;
    int option;

    sets = vv_xcalloc((size_t)argc + 1, sizeof *sets);
    source.sets = sets;
    while ((option = getopt_long(argc, argv, "c:", main_options, NULL)) != -1) {
        switch (option) {
        case 'c':
            source.file = optarg;
            break;
        case MAIN_SET:
            sets[set_count++] = optarg;
            break;
        case MAIN_LEADER:
            control = main_descriptor(optarg);
            break;
        case '?':
            main_usage(stderr);
            return 2;
        default:
            mode = option;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "vvserverd: '%s' is one argument too many\n", argv[optind]);
        main_usage(stderr);
        return 2;
    }
    source.plain_log = mode != MAIN_SERVE;
    if (mode == MAIN_HELP)
        main_usage(stdout);
    else if (mode == MAIN_VERSION)
        printf("vvserverd %s (SDK %d.%d)\n", VV_VERSION, VV_SDK_MAJOR, VV_SDK_MINOR);
    if (mode == MAIN_HELP || mode == MAIN_VERSION)
        return main_finish();
    if (mode != MAIN_SERVE)
        return main_tell(&source, mode);
    return control >= 0 ? vv_leader_run(&source, control) : vv_supervisor_run(&source, argv);
}
