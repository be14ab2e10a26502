/* Options: a table of the keys a plugin's INI section may have; the core fills the plugin's struct.
 */
#ifndef VV_OPTION_H
#define VV_OPTION_H

#include <vv/base.h>

VV_BEGIN_C

/* How the text of a key is read, and what the member of the struct is. */
enum vv_option_type {
    VV_OPTION_TYPE_END = 0,
    VV_OPTION_TYPE_TEXT = 1,     /* const char *, static; NULL when absent without a default */
    VV_OPTION_TYPE_INT = 2,      /* int64_t */
    VV_OPTION_TYPE_BOOL = 3,     /* bool: true/false, on/off, yes/no */
    VV_OPTION_TYPE_SIZE = 4,     /* int64_t, bytes: 512, 64K, 2M, 1G */
    VV_OPTION_TYPE_DURATION = 5, /* int64_t, milliseconds: 500ms 30s 15m 12h 30d */
    VV_OPTION_TYPE_ENUM = 6,     /* int64_t, index into the choices "HS256|ES256" */
    VV_OPTION_TYPE_LIST = 7,     /* const char *const *, ends with NULL; comma separated */
    VV_OPTION_TYPE_PATH = 8,     /* const char *; a file or folder that must be readable */
    VV_OPTION_TYPE_URL = 9,      /* const char *; scheme://host…; `choices` names the schemes */
    VV_OPTION_TYPE_RATE = 10,    /* struct vv_rate: 600/m, 20/s, 5/h, off */
};

enum vv_option_flag {
    VV_REQUIRED = 1,   /* options, fields: must be given */
    VV_RELOADABLE = 2, /* takes effect at a reload (every option does; kept for documents) */
    VV_SECRET = 4,     /* never printed, never logged; KEY_file reads it from a file */
    VV_DEPRECATED = 8, /* still read, with a warning */
    VV_TRIMMED = 16,   /* fields: spaces around the text are taken off */
    VV_ONE_LINE = 32,  /* fields: control characters are refused */
    VV_NULLABLE = 64,  /* fields: null is allowed, and the same as absent */
};

/* `count` events in `period` milliseconds; count 0 means no limit ("off"). */
struct vv_rate {
    int64_t count;
    int64_t period;
};

/* An element of a table of options. Write it with a macro below; members are only ever appended. */
struct vv_option {
    uint32_t type;  /* enum vv_option_type */
    uint32_t flags; /* enum vv_option_flag */
    const char *key;
    const char *value;   /* the default, as an operator would write it; NULL = none */
    const char *choices; /* ENUM: "a|b|c". URL: allowed schemes "http|https" */
    int64_t min, max;    /* INT, SIZE, DURATION: bounds, both included (0, 0: none) */
    uint32_t offset;     /* of the member in the plugin's struct */
    uint32_t size;       /* of that member: checked when the plugin is loaded */
    const char *help;    /* one line for --dump-config and the manual */
};

/*
 * A family of sections, [NAME:anything], that operators add to as they like, e.g. [plan:pro]. Each
 * gets a struct of its own, read with vv_section_count() and vv_section(). An element of a table.
 */
struct vv_section {
    const char *name; /* "plan" */
    uint32_t conf_size;
    const struct vv_option *options;
    const char *help;
};

VV_END_C

/* VV_SECTION("plan", struct plan, plan_options, "One for each plan that is sold") */
#define VV_SECTION(family, conf, table, line)                                                \
    VV_ELEMENT_(vv_section, VV_SET(name, family), VV_SET(conf_size, (uint32_t)sizeof(conf)), \
                VV_SET(options, table), VV_SET(help, line))

#define VV_OPTION_(option_type, conf, member, text, least, most, list, bits, line)                 \
    VV_ELEMENT_(vv_option, VV_SET(type, option_type), VV_SET(flags, bits), VV_SET(key, #member),   \
                VV_SET(value, text), VV_SET(choices, list), VV_SET(min, least), VV_SET(max, most), \
                VV_SET(offset, (uint32_t)offsetof(conf, member)),                                  \
                VV_SET(size, (uint32_t)sizeof(((conf *)NULL)->member)), VV_SET(help, line))

/* VV_OPTION_INT(struct conf, member, "default" or NULL, min, max, flags, "help") and so on: the
 * key's name is the member's name. */
#define VV_OPTION_TEXT(conf, member, text, bits, help) \
    VV_OPTION_(VV_OPTION_TYPE_TEXT, conf, member, text, 0, 0, NULL, bits, help)
#define VV_OPTION_INT(conf, member, text, min, max, bits, help) \
    VV_OPTION_(VV_OPTION_TYPE_INT, conf, member, text, min, max, NULL, bits, help)
#define VV_OPTION_BOOL(conf, member, text, bits, help) \
    VV_OPTION_(VV_OPTION_TYPE_BOOL, conf, member, text, 0, 0, NULL, bits, help)
#define VV_OPTION_SIZE(conf, member, text, min, max, bits, help) \
    VV_OPTION_(VV_OPTION_TYPE_SIZE, conf, member, text, min, max, NULL, bits, help)
#define VV_OPTION_DURATION(conf, member, text, min, max, bits, help) \
    VV_OPTION_(VV_OPTION_TYPE_DURATION, conf, member, text, min, max, NULL, bits, help)
#define VV_OPTION_ENUM(conf, member, text, choices, bits, help) \
    VV_OPTION_(VV_OPTION_TYPE_ENUM, conf, member, text, 0, 0, choices, bits, help)
#define VV_OPTION_LIST(conf, member, text, bits, help) \
    VV_OPTION_(VV_OPTION_TYPE_LIST, conf, member, text, 0, 0, NULL, bits, help)
#define VV_OPTION_PATH(conf, member, text, bits, help) \
    VV_OPTION_(VV_OPTION_TYPE_PATH, conf, member, text, 0, 0, NULL, bits, help)
#define VV_OPTION_URL(conf, member, text, schemes, bits, help) \
    VV_OPTION_(VV_OPTION_TYPE_URL, conf, member, text, 0, 0, schemes, bits, help)
#define VV_OPTION_RATE(conf, member, text, bits, help) \
    VV_OPTION_(VV_OPTION_TYPE_RATE, conf, member, text, 0, 0, NULL, bits, help)

#endif
