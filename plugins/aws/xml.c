/* Reads the flat XML of STS: strictly, and only so much of XML as STS writes. */
#include "xml.h"

#include <stdint.h>
#include <string.h>

#define XML_DEPTH 16
#define XML_PATH  512

struct xml {
    const char *at, *end;
    struct aws_xml_field *fields, *open; /* `open`: the one whose text is being read */
    size_t count;
    size_t used; /* bytes of the open one's text */
    char path[XML_PATH];
    size_t path_length, depth;
    bool root_seen;
};

/* ---- small steps ------------------------------------------------------------------------------
 */

static bool xml_skip(struct xml *xml, const char *text)
{
    size_t length = strlen(text);

    if ((size_t)(xml->end - xml->at) < length || memcmp(xml->at, text, length) != 0)
        return false;
    xml->at += length;
    return true;
}

static bool xml_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t xml_skip_space(struct xml *xml)
{
    const char *from = xml->at;

    while (xml->at < xml->end && xml_is_space(*xml->at))
        xml->at++;
    return (size_t)(xml->at - from);
}

static bool xml_is_name(char c, bool first)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_')
        return true;
    return !first && ((c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':');
}

/* The length of the name at the current place; 0: there is none. */
static size_t xml_name(const struct xml *xml)
{
    size_t length = 0;

    while (xml->at + length < xml->end && xml_is_name(xml->at[length], length == 0))
        length++;
    return length;
}

/* ---- text -------------------------------------------------------------------------------------
 */

/* Adds to the text of the element that is looked for; elsewhere text is of no interest. */
static bool xml_put(struct xml *xml, const char *bytes, size_t length)
{
    struct aws_xml_field *field = xml->open;

    if (field == NULL)
        return true;
    if (length >= field->size - xml->used)
        return false;
    memcpy(field->value + xml->used, bytes, length);
    xml->used += length;
    field->value[xml->used] = '\0';
    return true;
}

static size_t xml_utf8(uint32_t code, char ret_bytes[4])
{
    if (code < 0x80) {
        ret_bytes[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        ret_bytes[0] = (char)(0xC0 | code >> 6);
        ret_bytes[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        ret_bytes[0] = (char)(0xE0 | code >> 12);
        ret_bytes[1] = (char)(0x80 | (code >> 6 & 0x3F));
        ret_bytes[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    ret_bytes[0] = (char)(0xF0 | code >> 18);
    ret_bytes[1] = (char)(0x80 | (code >> 12 & 0x3F));
    ret_bytes[2] = (char)(0x80 | (code >> 6 & 0x3F));
    ret_bytes[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

static int xml_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

/* What follows "&#": digits and a ';', of a character that XML may hold. */
static bool xml_number(struct xml *xml)
{
    int base = xml_skip(xml, "x") ? 16 : 10;
    uint32_t code = 0;
    size_t digits = 0;
    char bytes[4];

    for (; xml->at < xml->end && xml_digit(*xml->at) < base; xml->at++) {
        if (++digits > 8)
            return false;
        code = code * (uint32_t)base + (uint32_t)xml_digit(*xml->at);
    }
    if (digits == 0 || !xml_skip(xml, ";") || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return false;
    if (code < 0x20 && code != '\t' && code != '\n' && code != '\r')
        return false;
    return xml_put(xml, bytes, xml_utf8(code, bytes));
}

static bool xml_entity(struct xml *xml)
{
    static const struct {
        const char *name, *text;
    } entities[] = {{"amp;", "&"}, {"lt;", "<"}, {"gt;", ">"}, {"quot;", "\""}, {"apos;", "'"}};

    if (xml_skip(xml, "#"))
        return xml_number(xml);
    for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++)
        if (xml_skip(xml, entities[i].name))
            return xml_put(xml, entities[i].text, 1);
    return false;
}

/* Outside the root nothing but space may stand. */
static bool xml_text(struct xml *xml)
{
    if (xml_is_space(*xml->at) && xml->depth == 0) {
        (void)xml_skip_space(xml);
        return true;
    }
    if (xml->depth == 0)
        return false;
    if (xml_skip(xml, "&"))
        return xml_entity(xml);
    if ((unsigned char)*xml->at < 0x20 && !xml_is_space(*xml->at))
        return false;
    return xml_put(xml, xml->at++, 1);
}

/* ---- elements ---------------------------------------------------------------------------------
 */

static bool xml_enter(struct xml *xml, const char *name, size_t length)
{
    size_t slash = xml->depth > 0;

    if (xml->open != NULL || xml->depth == XML_DEPTH ||
        xml->path_length + slash + length >= sizeof xml->path ||
        (xml->depth == 0 && xml->root_seen))
        return false;
    if (slash == 1)
        xml->path[xml->path_length] = '/';
    memcpy(xml->path + xml->path_length + slash, name, length);
    xml->path_length += slash + length;
    xml->path[xml->path_length] = '\0';
    xml->depth++;
    xml->root_seen = true;
    for (size_t i = 0; i < xml->count; i++) {
        if (strcmp(xml->fields[i].path, xml->path) != 0)
            continue;
        if (xml->fields[i].found)
            return false;
        xml->fields[i].found = true;
        xml->open = &xml->fields[i];
        xml->used = 0;
    }
    return true;
}

/* Ends the innermost element, if it has that name. */
static bool xml_leave(struct xml *xml, const char *name, size_t length)
{
    size_t begin = xml->path_length < length ? 0 : xml->path_length - length;

    if (xml->depth == 0 || xml->path_length < length ||
        memcmp(xml->path + begin, name, length) != 0 || (begin > 0 && xml->path[begin - 1] != '/'))
        return false;
    xml->path_length = begin == 0 ? 0 : begin - 1;
    xml->path[xml->path_length] = '\0';
    xml->depth--;
    xml->open = NULL;
    return true;
}

/* name="value": what it says does not matter to us, only where it ends. */
static bool xml_attribute(struct xml *xml)
{
    size_t name = xml_name(xml);
    const char *end;
    char quote;

    xml->at += name;
    if (name == 0 || !xml_skip(xml, "=") || xml->at == xml->end)
        return false;
    quote = *xml->at++;
    if (quote != '"' && quote != '\'')
        return false;
    end = memchr(xml->at, quote, (size_t)(xml->end - xml->at));
    if (end == NULL || memchr(xml->at, '<', (size_t)(end - xml->at)) != NULL)
        return false;
    xml->at = end + 1;
    return true;
}

static bool xml_tag(struct xml *xml)
{
    bool ends = xml_skip(xml, "/");
    size_t length = xml_name(xml);
    const char *name = xml->at;

    if (length == 0)
        return false;
    xml->at += length;
    if (ends) {
        (void)xml_skip_space(xml);
        return xml_skip(xml, ">") && xml_leave(xml, name, length);
    }
    while (xml_skip_space(xml) > 0 && xml_name(xml) > 0)
        if (!xml_attribute(xml))
            return false;
    if (xml_skip(xml, "/>"))
        return xml_enter(xml, name, length) && xml_leave(xml, name, length);
    return xml_skip(xml, ">") && xml_enter(xml, name, length);
}

/* <?xml version="1.0" …?>, at the very beginning only. */
static bool xml_declaration(struct xml *xml)
{
    const char *end;

    if (!xml_skip(xml, "<?xml "))
        return true;
    end = memchr(xml->at, '>', (size_t)(xml->end - xml->at));
    if (end == NULL || end == xml->at || end[-1] != '?')
        return false;
    xml->at = end + 1;
    return true;
}

bool aws_xml_read(const char *text, size_t length, struct aws_xml_field *fields, size_t count)
{
    struct xml xml = {.at = text, .end = text + length, .fields = fields, .count = count};

    for (size_t i = 0; i < count; i++) {
        fields[i].found = false;
        fields[i].value[0] = '\0';
    }
    if (length > AWS_XML_MAX || !xml_declaration(&xml))
        return false;
    while (xml.at < xml.end)
        if (!(xml_skip(&xml, "<") ? xml_tag(&xml) : xml_text(&xml)))
            return false;
    return xml.root_seen && xml.depth == 0;
}
