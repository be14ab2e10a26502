/* Reads option values by their type; each refusal says what would be right. */
#include "options.h"
#include "buffer.h"
#include "config.h"
#include "suggest.h"
#include <ctype.h>
#include <errno.h>
#include <strings.h>
#include <unistd.h>

struct option_unit {
    const char *name;
    int64_t factor;
};

static const struct option_unit option_sizes[] = {
    {"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};

static const struct option_unit option_durations[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                                      {"h", 3600000}, {"d", 86400000}, {NULL, 0}};

size_t vv_option_size(uint32_t type)
{
    switch (type) {
    case VV_OPTION_TYPE_TEXT:
    case VV_OPTION_TYPE_PATH:
    case VV_OPTION_TYPE_URL:
        return sizeof(const char *);
    case VV_OPTION_TYPE_LIST:
        return sizeof(const char *const *);
    case VV_OPTION_TYPE_INT:
    case VV_OPTION_TYPE_SIZE:
    case VV_OPTION_TYPE_DURATION:
    case VV_OPTION_TYPE_ENUM:
        return sizeof(int64_t);
    case VV_OPTION_TYPE_BOOL:
        return sizeof(bool);
    case VV_OPTION_TYPE_RATE:
        return sizeof(struct vv_rate);
    default:
        return 0;
    }
}

/* Digits, perhaps after a '-'; `ret_end` is what follows. False: none, or too many. */
static bool option_number(const char *text, int64_t *ret_number, const char **ret_end)
{
    char *end;

    if (!isdigit((unsigned char)text[*text == '-' ? 1 : 0]))
        return false;
    errno = 0;
    *ret_number = strtoll(text, &end, 10);
    *ret_end = end;
    return errno == 0;
}

static bool option_with_unit(const char *text, const struct option_unit *units, int64_t *ret_number)
{
    const char *unit;
    int64_t number;

    if (!option_number(text, &number, &unit) || number < 0)
        return false;
    if (number == 0 && *unit == '\0') {
        *ret_number = 0;
        return true;
    }
    for (; units->name != NULL; units++)
        if (strcasecmp(unit, units->name) == 0)
            return !__builtin_mul_overflow(number, units->factor, ret_number);
    return false;
}

/* The largest unit that divides the number. */
static char *option_in_units(struct vv_arena *arena, const struct option_unit *units,
                             int64_t number)
{
    const struct option_unit *unit = units;

    for (; units->name != NULL; units++)
        if (number != 0 && number % units->factor == 0)
            unit = units;
    return vv_arena_printf(arena, "%lld%s", (long long)(number / unit->factor), unit->name);
}

static const char *option_bound(struct vv_arena *arena, const struct vv_option *option,
                                int64_t bound)
{
    if (option->type == VV_OPTION_TYPE_SIZE)
        return option_in_units(arena, option_sizes, bound);
    if (option->type == VV_OPTION_TYPE_DURATION)
        return option_in_units(arena, option_durations, bound);
    return vv_arena_printf(arena, "%lld", (long long)bound);
}

static const char *option_parse_number(struct vv_arena *arena, const struct vv_option *option,
                                       const char *text, int64_t *ret_number)
{
    bool bounded = option->min != 0 || option->max != 0;
    const char *end = "";
    const char *form;
    bool read;

    if (option->type == VV_OPTION_TYPE_SIZE) {
        read = option_with_unit(text, option_sizes, ret_number);
        form = "a size such as 64K or 2M";
    } else if (option->type == VV_OPTION_TYPE_DURATION) {
        read = option_with_unit(text, option_durations, ret_number);
        form = "a duration such as 500ms, 30s, 15m, 12h or 30d";
    } else {
        read = option_number(text, ret_number, &end);
        form = "a whole number";
    }
    if (read && *end == '\0' &&
        (!bounded || (*ret_number >= option->min && *ret_number <= option->max)))
        return NULL;
    if (!bounded)
        return vv_arena_printf(arena, "must be %s", form);
    return vv_arena_printf(arena, "must be %s, from %s to %s", form,
                           option_bound(arena, option, option->min),
                           option_bound(arena, option, option->max));
}

static const char *option_parse_bool(const char *text, bool *ret_value)
{
    static const char *const words[] = {"false", "true", "off", "on", "no", "yes"};
    size_t i;

    for (i = 0; i < VV_ARRAY_SIZE(words); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *ret_value = i % 2 == 1;
            return NULL;
        }
    }
    return "must be true or false (or on, off, yes, no)";
}

int vv_option_choice(const char *choices, const char *word, size_t length)
{
    const char *at = choices;
    int index;

    for (index = 0; at != NULL; index++) {
        size_t span = strcspn(at, "|");

        if (span == length && strncmp(at, word, length) == 0)
            return index;
        at = at[span] == '|' ? at + span + 1 : NULL;
    }
    return -1;
}

/* "a|b|c" as "a, b or c". */
static const char *option_choices(struct vv_arena *arena, const char *choices)
{
    struct vv_buffer text;
    const char *at = choices;

    vv_buffer_init(&text, arena);
    while (at != NULL) {
        size_t span = strcspn(at, "|");
        const char *next = at[span] == '|' ? at + span + 1 : NULL;

        if (text.length > 0)
            vv_buffer_text(&text, next == NULL ? " or " : ", ");
        vv_buffer_add(&text, at, span);
        at = next;
    }
    return text.data;
}

static const char *option_parse_enum(struct vv_arena *arena, const struct vv_option *option,
                                     const char *text, int64_t *ret_index)
{
    *ret_index = vv_option_choice(option->choices, text, strlen(text));
    if (*ret_index >= 0)
        return NULL;
    return vv_arena_printf(arena, "must be %s", option_choices(arena, option->choices));
}

static void option_parse_list(struct vv_arena *arena, const char *text,
                              const char *const **ret_list)
{
    const char **list;
    size_t count = 1, filled = 0;
    const char *p;

    for (p = text; *p != '\0'; p++)
        count += *p == ',' || *p == '\n';
    list = vv_arena_alloc(arena, (count + 1) * sizeof *list);
    for (p = text; *p != '\0';) {
        size_t span = strcspn(p, ",\n");
        const char *start = p, *end = p + span;

        while (start < end && isspace((unsigned char)*start))
            start++;
        while (end > start && isspace((unsigned char)end[-1]))
            end--;
        if (end > start)
            list[filled++] = vv_arena_strndup(arena, start, (size_t)(end - start));
        p += span + (p[span] != '\0');
    }
    *ret_list = list;
}

static const char *option_check_url(struct vv_arena *arena, const struct vv_option *option,
                                    const char *url)
{
    const char *schemes = option->choices != NULL ? option->choices : "http|https";
    const char *colon = strstr(url, "://");
    const char *form = option_choices(arena, schemes);
    const char *p;

    for (p = url; *p != '\0'; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7F)
            return "must be a URL, which has no spaces";
    if (colon == NULL || vv_option_choice(schemes, url, (size_t)(colon - url)) < 0)
        return vv_arena_printf(arena, "must be a URL that begins with %s and '://'", form);
    /* A database's URL may leave the host out: it then goes over the local socket. */
    if (colon[3] == '\0' || (strncmp(url, "http", 4) == 0 && strchr("/:?#", colon[3]) != NULL))
        return vv_arena_printf(arena, "must be a URL with a host after '://'");
    return NULL;
}

bool vv_rate_parse(const char *text, struct vv_rate *ret_rate)
{
    static const struct option_unit periods[] = {
        {"/s", 1000}, {"/m", 60000}, {"/h", 3600000}, {"/d", 86400000}, {NULL, 0}};
    const struct option_unit *period;
    const char *unit;
    int64_t count;

    memset(ret_rate, 0, sizeof *ret_rate);
    if (strcasecmp(text, "off") == 0)
        return true;
    if (!option_number(text, &count, &unit) || count < 1 || count > 1000000000)
        return false;
    for (period = periods; period->name != NULL; period++) {
        if (strcmp(unit, period->name) == 0) {
            *ret_rate = (struct vv_rate){count, period->factor};
            return true;
        }
    }
    return false;
}

/* Continuation lines as one text; NULL for nothing at all. */
static const char *option_join(struct vv_arena *arena, const struct vv_option *option,
                               const char *text)
{
    bool spaces = option->type == VV_OPTION_TYPE_TEXT && (option->flags & VV_SECRET) == 0;
    struct vv_buffer joined;

    if (*text == '\0')
        return NULL;
    vv_buffer_init(&joined, arena);
    for (; *text != '\0'; text++) {
        if (*text != '\n')
            vv_buffer_char(&joined, *text);
        else if (spaces && joined.length > 0)
            vv_buffer_char(&joined, ' ');
    }
    return joined.length == 0 ? NULL : joined.data;
}

const char *vv_option_parse(struct vv_arena *arena, const struct vv_option *option,
                            const char *text, void *ret_member)
{
    const char *joined;

    switch (option->type) {
    case VV_OPTION_TYPE_INT:
    case VV_OPTION_TYPE_SIZE:
    case VV_OPTION_TYPE_DURATION:
        return option_parse_number(arena, option, text, ret_member);
    case VV_OPTION_TYPE_BOOL:
        return option_parse_bool(text, ret_member);
    case VV_OPTION_TYPE_ENUM:
        return option_parse_enum(arena, option, text, ret_member);
    case VV_OPTION_TYPE_RATE:
        return vv_rate_parse(text, ret_member)
                   ? NULL
                   : "must be a rate such as 20/s, 600/m or 5/h, or off";
    case VV_OPTION_TYPE_LIST:
        option_parse_list(arena, text, ret_member);
        return NULL;
    default:
        joined = option_join(arena, option, text);
        memcpy(ret_member, &joined, sizeof joined);
        if (option->type == VV_OPTION_TYPE_URL && joined != NULL)
            return option_check_url(arena, option, joined);
        return NULL;
    }
}

const char *vv_option_check_path(struct vv_arena *arena, const char *path)
{
    if (access(path, R_OK) == 0)
        return NULL;
    return vv_arena_printf(arena, "names '%s', which cannot be read: %s", path, strerror(errno));
}

/* scheme://user:PASSWORD@host?password=PASSWORD */
static const char *option_mask_url(struct vv_arena *arena, const char *url)
{
    const char *rest = strstr(url, "://");
    const char *at, *colon;
    struct vv_buffer out;

    vv_buffer_init(&out, arena);
    rest = rest == NULL ? url : rest + 3;
    at = rest + strcspn(rest, "/?#");
    while (at > rest && *at != '@')
        at--;
    colon = memchr(rest, ':', (size_t)(at - rest));
    if (colon != NULL) {
        vv_buffer_add(&out, url, (size_t)(colon + 1 - url));
        vv_buffer_text(&out, "********");
        rest = at;
    } else {
        rest = url;
    }
    /* libpq takes passwords among the parameters too: password, sslpassword. */
    for (at = strcasestr(rest, "password="); at != NULL; at = strcasestr(rest, "password=")) {
        vv_buffer_add(&out, rest, (size_t)(at + 9 - rest));
        vv_buffer_text(&out, "********");
        rest = at + 9 + strcspn(at + 9, "&#");
    }
    vv_buffer_text(&out, rest);
    return out.data;
}

static const char *option_format_list(struct vv_arena *arena, const char *const *list)
{
    struct vv_buffer text;

    vv_buffer_init(&text, arena);
    for (; list != NULL && *list != NULL; list++) {
        if (text.length > 0)
            vv_buffer_text(&text, ",\n");
        vv_buffer_text(&text, *list);
    }
    return text.length == 0 ? NULL : text.data;
}

static const char *option_format_rate(struct vv_arena *arena, const struct vv_rate *rate)
{
    if (rate->count == 0)
        return "off";
    return vv_arena_printf(arena, "%lld/%c", (long long)rate->count,
                           rate->period == 1000      ? 's'
                           : rate->period == 60000   ? 'm'
                           : rate->period == 3600000 ? 'h'
                                                     : 'd');
}

static const char *option_format_enum(struct vv_arena *arena, const char *choices, int64_t index)
{
    for (; index > 0 && choices != NULL; index--) {
        choices = strchr(choices, '|');
        choices = choices == NULL ? NULL : choices + 1;
    }
    return choices == NULL ? NULL : vv_arena_strndup(arena, choices, strcspn(choices, "|"));
}

/* Members are read by memcpy: a plugin says where they lie. */
const char *vv_option_format(struct vv_arena *arena, const struct vv_option *option,
                             const void *member)
{
    const char *text = NULL;
    int64_t number = 0;
    bool flag;

    switch (option->type) {
    case VV_OPTION_TYPE_INT:
    case VV_OPTION_TYPE_SIZE:
    case VV_OPTION_TYPE_DURATION:
        memcpy(&number, member, sizeof number);
        text = option_bound(arena, option, number);
        break;
    case VV_OPTION_TYPE_ENUM:
        memcpy(&number, member, sizeof number);
        text = option_format_enum(arena, option->choices, number);
        break;
    case VV_OPTION_TYPE_BOOL:
        memcpy(&flag, member, sizeof flag);
        text = flag ? "true" : "false";
        break;
    case VV_OPTION_TYPE_RATE:
        text = option_format_rate(arena, member);
        break;
    case VV_OPTION_TYPE_LIST:
        text = option_format_list(arena, *(const char *const *const *)member);
        break;
    default:
        memcpy(&text, member, sizeof text);
        break;
    }
    if (text == NULL || (option->flags & VV_SECRET) == 0)
        return text;
    return option->type == VV_OPTION_TYPE_URL ? option_mask_url(arena, text) : "********";
}
