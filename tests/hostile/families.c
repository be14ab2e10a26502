/* Families of sections that cannot be: a name, a struct and options that no server can use. */
#include <vv/plugin.h>

struct item {
    int64_t number;
    bool flag;
};

static const struct vv_option item_options[] = {
    VV_OPTION_INT(struct item, flag, NULL, 0, 0, 0, "An integer in a bool's place"),
    {.type = VV_OPTION_TYPE_INT, .key = "far", .size = 8, .offset = 4096, .help = "?"},
    VV_END,
};

static const struct vv_section sections[] = {
    VV_SECTION("Plan", struct item, item_options, "A capital letter"),
    {.name = "empty", .options = item_options, .help = "No struct"},
    {.name = "bare", .conf_size = sizeof(struct item), .help = "No options"},
    VV_SECTION("item", struct item, item_options, "Bad options"),
    VV_END,
};

VV_PLUGIN(.name = "families", .version = "1", .summary = "Families that cannot be",
          .sections = sections)
