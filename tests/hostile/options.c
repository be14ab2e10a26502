/* Options that cannot be: sizes, offsets, names, defaults, doubles. */
#include <vv/plugin.h>

struct conf {
    int64_t number;
    bool flag;
    const char *word;
};

static const struct vv_option options[] = {
    VV_OPTION_INT(struct conf, flag, NULL, 0, 0, 0, "An integer in a bool's place"),
    VV_OPTION_INT(struct conf, number, "ten", 1, 9, 0, "A default that is no number"),
    VV_OPTION_INT(struct conf, number, "1", 1, 9, 0, "The same key again"),
    {.type = VV_OPTION_TYPE_TEXT,
     .key = "Word",
     .size = sizeof(char *),
     .help = "A capital letter"},
    {.type = 77, .key = "future", .help = "A type that does not exist"},
    {.type = VV_OPTION_TYPE_TEXT,
     .key = "far",
     .size = sizeof(char *),
     .offset = 4096,
     .help = "?"},
    {.type = VV_OPTION_TYPE_ENUM, .key = "none", .size = sizeof(int64_t), .help = "No choices"},
    VV_END,
};

VV_PLUGIN(.name = "options", .version = "1", .summary = "Options that cannot be",
          .conf_size = sizeof(struct conf), .options = options)
