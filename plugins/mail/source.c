/* Reads one file of a template and puts values in: a name in double braces, and nothing cleverer.
 */
#include "source.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOURCE_LIMIT (256 * 1024)

void mail_mistake(struct mail_mistakes *mistakes, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    vv_log(mistakes->req, VV_LOG_ERROR, "%s", text);
    if (mistakes->count++ == 0)
        mistakes->first = vv_strdup(mistakes->req, text);
}

/* Reads until the end or the limit. -1: errno says why. */
static ssize_t source_read_all(int fd, char *data, size_t size)
{
    size_t length = 0;

    while (length < size) {
        ssize_t got = read(fd, data + length, size - length);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

char *mail_file_read(struct mail_mistakes *mistakes, const char *path)
{
    struct stat about;
    char *data = NULL;
    ssize_t length = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0 && fstat(fd, &about) == 0) {
        if (about.st_size > SOURCE_LIMIT) {
            mail_mistake(mistakes, "%s: larger than 256 KiB", path);
            close(fd);
            return NULL;
        }
        data = vv_alloc(mistakes->req, (size_t)about.st_size + 1);
        length = source_read_all(fd, data, (size_t)about.st_size);
    }
    if (length < 0)
        mail_mistake(mistakes, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (length < 0)
        return NULL;
    if (memchr(data, 0, (size_t)length) != NULL) {
        mail_mistake(mistakes, "%s: holds a NUL byte", path);
        return NULL;
    }
    data[length] = '\0';
    return data;
}

static void source_add(struct mail_mistakes *mistakes, struct mail_source *source,
                       struct mail_part part)
{
    /* Room for 8, 16, 32, ...: whenever the count is one of these, it is full. */
    if (source->count == 0 || (source->count >= 8 && (source->count & (source->count - 1)) == 0)) {
        size_t room = source->count == 0 ? 8 : source->count * 2;
        struct mail_part *parts = vv_alloc(mistakes->req, room * sizeof *parts);

        if (source->count > 0)
            memcpy(parts, source->parts, source->count * sizeof *parts);
        source->parts = parts;
    }
    source->parts[source->count++] = part;
}

static unsigned source_line(const char *text, const char *at)
{
    unsigned line = 1;

    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

static bool source_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* The variable whose braces open at `open`; returns what follows it, NULL after a mistake. */
static const char *source_variable(struct mail_mistakes *mistakes, const char *path,
                                   const char *text, const char *open,
                                   const struct mail_variable *variables, size_t count,
                                   struct mail_source *source)
{
    const char *name = open + 2, *end;
    unsigned line = source_line(text, open);
    size_t length, i;

    while (*name == ' ')
        name++;
    for (end = name; source_name_char(*end); end++)
        ;
    length = (size_t)(end - name);
    while (*end == ' ')
        end++;
    if (length == 0 || end[0] != '}' || end[1] != '}') {
        mail_mistake(mistakes, "%s:%u: after {{ comes the name of a variable and }}", path, line);
        return NULL;
    }
    for (i = 0; i < count; i++) {
        if (strlen(variables[i].name) == length && memcmp(variables[i].name, name, length) == 0) {
            source_add(mistakes, source, (struct mail_part){.variable = i});
            return end + 2;
        }
    }
    mail_mistake(mistakes, "%s:%u: unknown variable '%.*s': variables.txt does not name it", path,
                 line, (int)length, name);
    return end + 2;
}

void mail_source_read(struct mail_mistakes *mistakes, const char *path,
                      const struct mail_variable *variables, size_t count,
                      struct mail_source *ret_source)
{
    const char *text = mail_file_read(mistakes, path), *at, *open;

    memset(ret_source, 0, sizeof *ret_source);
    for (at = text; at != NULL && *at != '\0';) {
        open = strstr(at, "{{");
        if (open != at) {
            size_t length = open == NULL ? strlen(at) : (size_t)(open - at);

            source_add(mistakes, ret_source, (struct mail_part){.literal = at, .length = length});
        }
        at = open == NULL
                 ? NULL
                 : source_variable(mistakes, path, text, open, variables, count, ret_source);
    }
}

static void source_escape_html(const char *value, struct mail_text *out)
{
    for (; *value != '\0'; value++) {
        switch (*value) {
        case '&':
            mail_text_put(out, "&amp;");
            break;
        case '<':
            mail_text_put(out, "&lt;");
            break;
        case '>':
            mail_text_put(out, "&gt;");
            break;
        case '"':
            mail_text_put(out, "&quot;");
            break;
        case '\'':
            mail_text_put(out, "&#39;");
            break;
        default:
            mail_text_add(out, value, 1);
        }
    }
}

static void source_escape_line(const char *value, struct mail_text *out)
{
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;

        mail_text_add(out, c < 0x20 || c == 0x7f ? " " : value, 1);
    }
}

void mail_source_render(const struct mail_source *source, const char *const *values,
                        enum mail_escape escape, size_t raw, struct mail_text *out)
{
    size_t i;

    for (i = 0; i < source->count; i++) {
        const struct mail_part *part = &source->parts[i];

        if (part->literal != NULL)
            mail_text_add(out, part->literal, part->length);
        else if (escape == MAIL_ESCAPE_NONE || part->variable == raw)
            mail_text_put(out, values[part->variable]);
        else if (escape == MAIL_ESCAPE_LINE)
            source_escape_line(values[part->variable], out);
        else
            source_escape_html(values[part->variable], out);
    }
}
