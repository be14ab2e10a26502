/* Commands: what vvctl runs, with its arguments, its output and its failure. */
#include <vv/plugin.h>

static int repeat(struct vv_request *req, int argc, const char *const *argv)
{
    int i;

    if (argc == 0)
        return vv_fail(req, 400, "no_words", "Say which words to repeat");
    for (i = 0; i < argc; i++)
        vv_print(req, "%d: %s\n", i, argv[i]);
    return 0;
}

static int version(struct vv_request *req, int argc, const char *const *argv)
{
    struct vv_rows *rows;

    (void)argc;
    (void)argv;
    VV_TRY(
        vv_query(req, &rows, "select current_setting('server_version_num')::int / 10000 as major"));
    vv_print(req, "PostgreSQL %d\n", (int)vv_row_int(rows, 0, "major"));
    return 0;
}

static const struct vv_command commands[] = {
    VV_COMMAND("orders repeat", "WORD...", "Repeats words", repeat),
    VV_COMMAND("orders database", "", "Asks the database for its version", version),
    VV_END,
};

VV_PLUGIN(.name = "orders", .version = "1", .summary = "Commands of vvctl", .commands = commands)
