/* vvctl, the operator's tool: reads its command line and runs the command. */
#include "ctl.h"
#include "log.h"
#include "process.h"
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#define MAIN_FILE "/etc/vvserver/vvserver.ini"

extern char **environ;

static void main_usage(FILE *out)
{
    fprintf(out, "usage: vvctl [-c FILE] [--set section.key=value]... COMMAND...\n"
                 "  -c, --config FILE        the server's configuration (" MAIN_FILE ")\n"
                 "  --set section.key=value  overrides what it says\n"
                 "  -h, --help               this, and every command\n"
                 "  -V, --version\n");
}

/* The commands of plugins are known only with a configuration that names them. */
static int main_help(const struct vv_config_source *source)
{
    main_usage(stdout);
    vv_log_init(VV_LOG_ERROR, VV_LOG_TEXT, "vvctl");
    if (access(source->file, R_OK) == 0 && !vv_setup(source))
        return 1;
    vv_ctl_list(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"set", required_argument, NULL, 's'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {NULL, 0, NULL, 0}};
    static const char **sets; /* as long as the process */
    struct vv_config_source source = {.file = MAIN_FILE, .environment = environ, .plain_log = true};
    size_t set_count = 0;
    bool help = false;
    int option;

    (void)signal(SIGPIPE, SIG_IGN);
    sets = vv_xcalloc((size_t)argc + 1, sizeof *sets);
    source.sets = sets;
    /* '+': what follows the command's name is the command's. */
    while ((option = getopt_long(argc, argv, "+c:hV", options, NULL)) != -1) {
        if (option == 'c') {
            source.file = optarg;
        } else if (option == 's') {
            sets[set_count++] = optarg;
        } else if (option == 'h') {
            help = true;
        } else if (option == 'V') {
            printf("vvctl %s\n", VV_VERSION);
            return 0;
        } else {
            main_usage(stderr);
            return 2;
        }
    }
    if (help)
        return main_help(&source);
    if (optind == argc) {
        main_usage(stderr);
        return 2;
    }
    return vv_ctl_run(&source, argc - optind, (const char *const *)(argv + optind));
}
