/* INI files: inih parses, but sees only lines that it will not cut, and we count them for it. */
#include "ini_file.h"
#include "buffer.h"
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>

/* inih copies section and key into arrays of this size, silently cutting what is longer. */
#define INI_NAME_SIZE 50

struct ini_reader {
    FILE *file;
    const struct vv_ini_handler *handler;
    char *line;
    size_t capacity;
    unsigned number;
    char section[INI_NAME_SIZE];
    char key[INI_NAME_SIZE]; /* that an indented line would continue; "" = none */
    char hint[96];
    bool more;     /* the line in inih's hands is such a line */
    bool skipping; /* its key was refused, and so are the lines that continue it */
    bool lost;     /* so was the section: its keys belong nowhere */
    int error;
};

VV_PRINTF(2, 3)
static void ini_mistake(struct ini_reader *reader, const char *format, ...)
{
    struct vv_buffer text;
    va_list args;
    char piece[512];

    va_start(args, format);
    vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    vv_buffer_init(&text, NULL);
    if (reader->section[0] != '\0')
        vv_buffer_printf(&text, "[%s] ", reader->section);
    vv_buffer_text(&text, piece);
    reader->handler->mistake(reader->handler->arg, reader->number, text.data);
    vv_buffer_free(&text);
}

/* Where inih would begin a comment inside a line: at a ';' after a space. NULL: nowhere. */
static const char *ini_comment(const char *text)
{
    const char *p;

    for (p = text; *p != '\0'; p++)
        if (*p == ';' && p > text && isspace((unsigned char)p[-1]))
            return p;
    return NULL;
}

static void ini_copy_name(char *ret_name, const char *start, size_t length)
{
    memcpy(ret_name, start, length);
    ret_name[length] = '\0';
}

static bool ini_check_section(struct ini_reader *reader, const char *start)
{
    const char *end = strchr(start, ']');
    const char *rest;
    size_t length;

    reader->section[0] = reader->key[0] = '\0';
    reader->skipping = reader->lost = true;
    if (end == NULL) {
        ini_mistake(reader, "this section has no ']'");
        return false;
    }
    length = (size_t)(end - start - 1);
    if (length == 0 || length >= INI_NAME_SIZE) {
        ini_mistake(reader, "a section's name has 1 to %d characters, not %zu", INI_NAME_SIZE - 1,
                    length);
        return false;
    }
    for (rest = end + 1; isspace((unsigned char)*rest); rest++)
        continue;
    if (*rest != '\0' && *rest != ';' && *rest != '#') {
        ini_mistake(reader, "nothing may follow the ']' of a section; begin a new line for it");
        return false;
    }
    ini_copy_name(reader->section, start + 1, length);
    if (strpbrk(reader->section, " \t[;") != NULL) {
        ini_mistake(reader, "a section's name has no spaces, '[' or ';'");
        return false;
    }
    reader->skipping = reader->lost = false;
    return true;
}

/* Whether the key is a secret is not known here; that it names a file already can be seen. */
static const char *ini_file_hint(struct ini_reader *reader)
{
    size_t length = strlen(reader->key);

    if (length > 5 && strcmp(reader->key + length - 5, "_file") == 0)
        return "";
    snprintf(reader->hint, sizeof reader->hint, ", or a secret into a file named by %s_file",
             reader->key);
    return reader->hint;
}

/* "key = value" at `start`; `room` is how many bytes of a line inih reads. */
static bool ini_check_key(struct ini_reader *reader, const char *start, size_t length, size_t room)
{
    const char *equals = strpbrk(start, "=:");
    const char *end = equals;
    size_t name;

    reader->key[0] = '\0';
    reader->skipping = true;
    if (reader->lost)
        return false;
    if (equals == NULL || equals == start) {
        /* Not shown: it may be the second line of a secret. */
        ini_mistake(reader, "this line is neither a [section] nor key = value; indent it if it "
                            "belongs to the value above");
        return false;
    }
    while (end > start && isspace((unsigned char)end[-1]))
        end--;
    name = (size_t)(end - start);
    if (name >= INI_NAME_SIZE) {
        ini_mistake(reader, "a key has at most %d characters, not %zu", INI_NAME_SIZE - 1, name);
        return false;
    }
    ini_copy_name(reader->key, start, name);
    if (reader->section[0] == '\0') {
        ini_mistake(reader, "'%s' stands before the first [section]", reader->key);
    } else if (length > room) {
        ini_mistake(reader,
                    "'%s' is a line of %zu characters, and only %zu can be read; put the rest on "
                    "indented lines below it%s",
                    reader->key, length, room, ini_file_hint(reader));
    } else if (ini_comment(equals) != NULL) {
        ini_mistake(reader,
                    "'%s' has a ';' after a space, which would cut its value there; put a comment "
                    "on a line of its own%s",
                    reader->key, ini_file_hint(reader));
    } else {
        reader->skipping = false;
        return true;
    }
    reader->key[0] = '\0';
    return false;
}

/* "   b = c" below "   a = b" was meant as a key of its own, and "   [c]" as a section. */
static bool ini_looks_like_key(const char *start)
{
    const char *p = start;

    if (*start == '[') {
        p += strcspn(start, "]");
        p += *p == ']';
        p += strspn(p, " \t");
        return *p == '\0' || *p == ';' || *p == '#';
    }
    while (islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '_')
        p++;
    return p > start && *p == ' ' && p[strspn(p, " ")] == '=';
}

static bool ini_check_more(struct ini_reader *reader, const char *start, size_t length, size_t room)
{
    if (reader->skipping)
        return false;
    if (ini_looks_like_key(start))
        ini_mistake(reader,
                    "'%.*s' is indented, which makes it a part of the value of '%s'; take the "
                    "spaces before it away",
                    (int)(*start == '[' ? strlen(start) : strcspn(start, " ")), start, reader->key);
    else if (length > room)
        ini_mistake(
            reader,
            "a line of '%s' has %zu characters, and only %zu can be read; make two indented "
            "lines of it",
            reader->key, length, room);
    else if (ini_comment(start) != NULL)
        ini_mistake(reader,
                    "'%s' has a ';' after a space, which would cut its value there; put a comment "
                    "on a line of its own",
                    reader->key);
    else
        return true;
    return false;
}

/* Whether inih may see the line; else it gets an empty one in its place. */
static bool ini_check(struct ini_reader *reader, size_t length, size_t room)
{
    const char *line = reader->line;
    const char *start = line + strspn(line, " \t\v\f\r");

    reader->more = false;
    if (*start == '\0' || *start == ';' || *start == '#')
        return false;
    if (strlen(line) != length) {
        ini_mistake(reader, "this line holds a NUL byte");
        reader->skipping = true;
        return false;
    }
    if (start > line && (reader->key[0] != '\0' || reader->skipping)) {
        reader->more = ini_check_more(reader, start, length, room);
        return reader->more;
    }
    if (*start == '[')
        return ini_check_section(reader, start);
    return ini_check_key(reader, start, length, room);
}

/* inih's fgets. */
static char *ini_line(char *ret_line, int size, void *arg)
{
    struct ini_reader *reader = arg;
    ssize_t length = getline(&reader->line, &reader->capacity, reader->file);

    if (length < 0) {
        /* A folder opens like a file, and fails here. */
        reader->error = ferror(reader->file) ? errno : 0;
        return NULL;
    }
    reader->number++;
    if (reader->number == 1 && strncmp(reader->line, "\xef\xbb\xbf", 3) == 0) {
        length -= 3;
        memmove(reader->line, reader->line + 3, (size_t)length + 1);
    }
    while (length > 0 && isspace((unsigned char)reader->line[length - 1]))
        reader->line[--length] = '\0';
    /* inih counts a line for each that it gets, so it gets an empty one for what it must not see.
     */
    ret_line[0] = '\0';
    if (ini_check(reader, (size_t)length, (size_t)size - 1))
        memcpy(ret_line, reader->line, (size_t)length + 1);
    return ret_line;
}

static int ini_key(void *arg, const char *section, const char *key, const char *value)
{
    struct ini_reader *reader = arg;

    reader->handler->key(reader->handler->arg, reader->number, section, key, value, reader->more);
    return 1;
}

int vv_ini_read(const char *path, const struct vv_ini_handler *handler)
{
    struct ini_reader reader = {.handler = handler};

    reader.file = fopen(path, "re");
    if (reader.file == NULL)
        return -errno;
    ini_parse_stream(ini_line, &reader, ini_key, &reader);
    fclose(reader.file);
    free(reader.line);
    return -reader.error;
}
