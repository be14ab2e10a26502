/* Bodies and query strings against tables of fields: every fault is named, in one answer. */
#include "schema.h"

#include "json_value.h"
#include <math.h>
#include <stdio.h>

#define SCHEMA_FAULTS 50 /* an answer never grows with what a stranger sends */
#define SCHEMA_DEPTH  16

struct schema {
    struct vv_request *req;
    unsigned faults, depth;
};

static bool schema_object(struct schema *schema, const char *path, const struct vv_field *fields,
                          const struct vv_value *from, struct vv_value *to);

VV_PRINTF(3, 4)
static bool schema_fault(struct schema *schema, const char *path, const char *format, ...)
{
    char text[512];
    va_list args;

    if (schema->faults++ >= SCHEMA_FAULTS)
        return false;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)vv_request_fail_field(schema->req, path, text);
    return false;
}

static const char *schema_path(struct schema *schema, const char *path, const char *name)
{
    if (path[0] == '\0')
        return name;
    return vv_arena_printf(schema->req->arena, "%s.%s", path, name);
}

static bool schema_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void schema_trim(struct vv_arena *arena, struct vv_value *text)
{
    const char *start = text->u.text;
    size_t length = text->length;

    while (length > 0 && schema_space(start[0]))
        start++, length--;
    while (length > 0 && schema_space(start[length - 1]))
        length--;
    if (length == text->length)
        return;
    text->u.text = vv_arena_strndup(arena, start, length);
    text->length = (uint32_t)length;
}

/* C0, DEL, C1, and the two separators that break lines in some programs. */
static bool schema_controls(const char *text, size_t length)
{
    const uint8_t *at = (const uint8_t *)text;
    size_t i;

    for (i = 0; i < length; i++) {
        if (at[i] < ' ' || at[i] == 0x7f)
            return true;
        if (at[i] == 0xc2 && i + 1 < length && at[i + 1] < 0xa0)
            return true;
        if (at[i] == 0xe2 && i + 2 < length && at[i + 1] == 0x80 && (at[i + 2] & 0xfe) == 0xa8)
            return true;
    }
    return false;
}

/* What all texts have in common, whichever their type. */
static bool schema_text_plain(struct schema *schema, const char *path, const struct vv_value *text)
{
    size_t characters;

    if (text->type != VV_TYPE_TEXT)
        return schema_fault(schema, path, "This must be a text");
    if (memchr(text->u.text, '\0', text->length) != NULL)
        return schema_fault(schema, path, "This must not hold a NUL character");
    if (!vv_utf8_valid(text->u.text, text->length, &characters))
        return schema_fault(schema, path, "This must be valid UTF-8");
    return true;
}

static bool schema_text(struct schema *schema, const char *path, const struct vv_field *field,
                        struct vv_value *text)
{
    size_t characters;

    if (!schema_text_plain(schema, path, text))
        return false;
    if (field->flags & VV_TRIMMED)
        schema_trim(schema->req->arena, text);
    if ((field->flags & VV_ONE_LINE) && schema_controls(text->u.text, text->length))
        return schema_fault(schema, path, "This must not hold control characters or line breaks");
    (void)vv_utf8_valid(text->u.text, text->length, &characters);
    if (field->min > 0 && characters == 0)
        return schema_fault(schema, path, "This must not be empty");
    if ((int64_t)characters < field->min)
        return schema_fault(schema, path, "This must have at least %lld characters",
                            (long long)field->min);
    if (field->max > 0 && (int64_t)characters > field->max)
        return schema_fault(schema, path, "This must have at most %lld characters",
                            (long long)field->max);
    return true;
}

static bool schema_email(struct schema *schema, const char *path, struct vv_value *text)
{
    if (!schema_text_plain(schema, path, text))
        return false;
    schema_trim(schema->req->arena, text);
    if (text->length > 254)
        return schema_fault(schema, path, "An e-mail address has at most 254 characters");
    if (!vv_email_valid(text->u.text))
        return schema_fault(schema, path, "This must be an e-mail address");
    return true;
}

static bool schema_bounds(struct schema *schema, const char *path, const struct vv_field *field,
                          double number)
{
    if (field->min == 0 && field->max == 0)
        return true;
    if (number >= (double)field->min && number <= (double)field->max)
        return true;
    return schema_fault(schema, path, "This must be between %lld and %lld", (long long)field->min,
                        (long long)field->max);
}

static bool schema_int(struct schema *schema, const char *path, const struct vv_field *field,
                       struct vv_value *value)
{
    double real = vv_param_real(vv_value_scalar(value));

    /* 5.0 and 5 are the same number. */
    if (value->type == VV_TYPE_REAL && real == trunc(real) && fabs(real) < 9e15) {
        value->type = VV_TYPE_INT;
        value->u.integer = (int64_t)real;
    }
    if (value->type != VV_TYPE_INT)
        return schema_fault(schema, path, "This must be a whole number");
    if ((field->min != 0 || field->max != 0) &&
        (value->u.integer < field->min || value->u.integer > field->max))
        return schema_fault(schema, path, "This must be between %lld and %lld",
                            (long long)field->min, (long long)field->max);
    return true;
}

static bool schema_real(struct schema *schema, const char *path, const struct vv_field *field,
                        struct vv_value *value)
{
    double real;

    if (value->type == VV_TYPE_INT) {
        real = (double)value->u.integer;
        value->type = VV_TYPE_REAL;
        memcpy(&value->u.integer, &real, sizeof real);
    }
    if (value->type != VV_TYPE_REAL)
        return schema_fault(schema, path, "This must be a number");
    return schema_bounds(schema, path, field, vv_param_real(vv_value_scalar(value)));
}

static bool schema_enum(struct schema *schema, const char *path, const struct vv_field *field,
                        struct vv_value *text)
{
    const char *at = field->choices;
    struct vv_buffer list;

    if (!schema_text_plain(schema, path, text))
        return false;
    vv_buffer_init(&list, schema->req->arena);
    while (at != NULL) {
        size_t length = strcspn(at, "|");

        if (length == text->length && memcmp(at, text->u.text, length) == 0)
            return true;
        if (list.length > 0)
            vv_buffer_text(&list, ", ");
        vv_buffer_add(&list, at, length);
        at = at[length] == '|' ? at + length + 1 : NULL;
    }
    return schema_fault(schema, path, "This must be one of: %s", list.data);
}

/* Where the table says nothing of the insides, only the NUL is refused. */
static bool schema_free_form(struct schema *schema, const char *path, const struct vv_value *value)
{
    size_t i;

    if (value->type == VV_TYPE_TEXT)
        return schema_text_plain(schema, path, value);
    if (value->type != VV_TYPE_OBJECT && value->type != VV_TYPE_ARRAY)
        return true;
    for (i = 0; i < value->length; i++) {
        if (!schema_free_form(schema, path, &value->u.items[i]))
            return false;
    }
    return true;
}

static bool schema_array(struct schema *schema, const char *path, const struct vv_field *field,
                         struct vv_value *value)
{
    struct vv_value *copy;
    bool fine = true;
    size_t i;

    if (value->type != VV_TYPE_ARRAY)
        return schema_fault(schema, path, "This must be a list");
    if ((int64_t)value->length < field->min)
        return schema_fault(schema, path, "This must have at least %lld elements",
                            (long long)field->min);
    if (field->max > 0 && (int64_t)value->length > field->max)
        return schema_fault(schema, path, "This must have at most %lld elements",
                            (long long)field->max);
    if (field->fields == NULL)
        return schema_free_form(schema, path, value);
    copy = vv_arena_alloc(schema->req->arena, (value->length + 1) * sizeof *copy);
    for (i = 0; i < value->length; i++) {
        const char *at = vv_arena_printf(schema->req->arena, "%s[%zu]", path, i);

        if (!schema_object(schema, at, field->fields, &value->u.items[i], &copy[i]))
            fine = false;
    }
    value->u.items = copy;
    return fine;
}

/* `value` is the checked copy's own node, holding what was sent. */
static bool schema_value(struct schema *schema, const char *path, const struct vv_field *field,
                         struct vv_value *value)
{
    struct vv_value sent = *value;

    switch (field->type) {
    case VV_FIELD_TYPE_TEXT:
        return schema_text(schema, path, field, value);
    case VV_FIELD_TYPE_EMAIL:
        return schema_email(schema, path, value);
    case VV_FIELD_TYPE_INT:
        return schema_int(schema, path, field, value);
    case VV_FIELD_TYPE_REAL:
        return schema_real(schema, path, field, value);
    case VV_FIELD_TYPE_BOOL:
        return value->type == VV_TYPE_BOOL ||
               schema_fault(schema, path, "This must be true or false");
    case VV_FIELD_TYPE_ENUM:
        return schema_enum(schema, path, field, value);
    case VV_FIELD_TYPE_TIME:
        if (!schema_text_plain(schema, path, value))
            return false;
        return vv_time_valid(value->u.text) ||
               schema_fault(schema, path, "This must be a time such as 2026-01-31T12:00:00Z");
    case VV_FIELD_TYPE_OBJECT:
        if (value->type != VV_TYPE_OBJECT)
            return schema_fault(schema, path, "This must be an object");
        if (field->fields == NULL)
            return schema_free_form(schema, path, value);
        return schema_object(schema, path, field->fields, &sent, value);
    default:
        return schema_array(schema, path, field, value);
    }
}

/* A text as the value its field wants: query strings, path parameters and defaults are text. */
static void schema_from_text(const struct vv_field *field, const char *text, struct vv_value *to)
{
    char *end = NULL;
    double real;

    to->type = VV_TYPE_TEXT;
    to->length = (uint32_t)strlen(text);
    to->u.text = text;
    if (text[0] == '\0' || schema_space(text[0]))
        return;
    if (field->type == VV_FIELD_TYPE_INT && to->length <= 18) {
        long long number = strtoll(text, &end, 10);

        if (*end == '\0' && text[0] != '+') {
            to->type = VV_TYPE_INT;
            to->u.integer = number;
        }
    } else if (field->type == VV_FIELD_TYPE_REAL && strspn(text, "0123456789.-+eE") == to->length) {
        real = strtod(text, &end);
        if (*end == '\0' && isfinite(real)) {
            to->type = VV_TYPE_REAL;
            memcpy(&to->u.integer, &real, sizeof real);
        }
    } else if (field->type == VV_FIELD_TYPE_BOOL) {
        bool yes = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;

        if (!yes && strcmp(text, "false") != 0 && strcmp(text, "0") != 0)
            return;
        to->type = VV_TYPE_BOOL;
        to->u.integer = yes;
    }
}

static const struct vv_field *schema_named(const struct vv_field *fields, const char *name)
{
    for (; fields->type != VV_FIELD_TYPE_END; fields++) {
        if (strcmp(fields->name, name) == 0)
            return fields;
    }
    return NULL;
}

static size_t schema_count(const struct vv_field *fields)
{
    size_t count = 0;

    while (fields != NULL && fields[count].type != VV_FIELD_TYPE_END)
        count++;
    return count;
}

static bool schema_unknown(struct schema *schema, const char *path, const struct vv_field *fields,
                           const struct vv_value *from)
{
    bool fine = true;
    size_t i;

    for (i = 0; i < from->length && schema->faults < SCHEMA_FAULTS; i++) {
        if (schema_named(fields, from->u.items[i].name) == NULL)
            fine = schema_fault(schema, schema_path(schema, path, from->u.items[i].name),
                                "There is no such field here");
    }
    return fine;
}

static bool schema_object(struct schema *schema, const char *path, const struct vv_field *fields,
                          const struct vv_value *from, struct vv_value *to)
{
    struct vv_value *items =
        vv_arena_alloc(schema->req->arena, (schema_count(fields) + 1) * sizeof *items);
    const char *name = to->name;
    const struct vv_field *field;
    uint32_t count = 0;
    bool fine;

    if (from->type != VV_TYPE_OBJECT)
        return schema_fault(schema, path, "This must be an object");
    vv_assert(++schema->depth <= SCHEMA_DEPTH);
    fine = schema_unknown(schema, path, fields, from);
    for (field = fields; field->type != VV_FIELD_TYPE_END; field++) {
        const struct vv_value *sent = vv_value_member(from, field->name);
        const char *at = schema_path(schema, path, field->name);
        struct vv_value *item = &items[count];

        if (sent != NULL && sent->type == VV_TYPE_NULL && (field->flags & VV_NULLABLE))
            sent = NULL;
        if (sent == NULL && (field->flags & VV_REQUIRED)) {
            fine = schema_fault(schema, at, "This is required");
            continue;
        }
        if (sent == NULL && field->value == NULL)
            continue;
        if (sent == NULL)
            schema_from_text(field, field->value, item);
        else
            *item = *sent;
        item->name = field->name;
        if (!schema_value(schema, at, field, item))
            fine = false;
        item->name = field->name;
        count++;
    }
    schema->depth--;
    to->type = VV_TYPE_OBJECT;
    to->length = count;
    to->u.items = items;
    to->name = name;
    return fine;
}

const struct vv_value *vv_schema_check(struct vv_request *req, const struct vv_field *fields,
                                       const struct vv_value *object)
{
    struct schema schema = {.req = req};
    struct vv_value *checked = vv_arena_alloc(req->arena, sizeof *checked);

    return schema_object(&schema, "", fields, object, checked) ? checked : NULL;
}

const struct vv_value *vv_schema_check_args(struct vv_request *req, const struct vv_field *fields,
                                            const struct vv_schema_pair *pairs, size_t count)
{
    static const struct vv_field none[] = {VV_END};
    struct schema schema = {.req = req};
    struct vv_value sent = {.type = VV_TYPE_OBJECT}, *checked, *items;
    size_t known, i;
    bool fine = true;

    if (fields == NULL)
        fields = none;
    known = schema_count(fields);
    sent.u.items = vv_arena_alloc(req->arena, (count + 1) * sizeof *sent.u.items);
    checked = vv_arena_alloc(req->arena, sizeof *checked);
    for (i = 0; i < count; i++) {
        const struct vv_field *field = schema_named(fields, pairs[i].name);

        if (field == NULL)
            continue;
        if (vv_value_member(&sent, pairs[i].name) != NULL) {
            fine = schema_fault(&schema, pairs[i].name, "This is given twice");
            continue;
        }
        schema_from_text(field, pairs[i].value, &sent.u.items[sent.length]);
        sent.u.items[sent.length++].name = pairs[i].name;
    }
    if (!schema_object(&schema, "", fields, &sent, checked) || !fine)
        return NULL;
    items = vv_arena_alloc(req->arena, (known + count + 1) * sizeof *items);
    memcpy(items, checked->u.items, checked->length * sizeof *items);
    checked->u.items = items;
    for (i = 0; i < count; i++) {
        if (!pairs[i].path || schema_named(fields, pairs[i].name) != NULL)
            continue;
        items[checked->length].type = VV_TYPE_TEXT;
        items[checked->length].length = (uint32_t)strlen(pairs[i].value);
        items[checked->length].u.text = pairs[i].value;
        items[checked->length++].name = pairs[i].name;
    }
    return checked;
}
