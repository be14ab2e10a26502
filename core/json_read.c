/* JSON being read: json-c parses, and what it parsed is copied into the request's arena. */
#include "json_value.h"

#include <json-c/json.h>

/* Returns how many members all objects together have. */
static size_t read_copy(struct vv_arena *arena, struct json_object *from, struct vv_value *to)
{
    size_t i = 0, members = 0;
    double real;

    switch (json_object_get_type(from)) {
    case json_type_boolean:
        to->type = VV_TYPE_BOOL;
        to->u.integer = json_object_get_boolean(from);
        break;
    case json_type_int:
        to->type = VV_TYPE_INT;
        to->u.integer = json_object_get_int64(from);
        break;
    case json_type_double:
        to->type = VV_TYPE_REAL;
        real = json_object_get_double(from);
        memcpy(&to->u.integer, &real, sizeof real);
        break;
    case json_type_string:
        to->type = VV_TYPE_TEXT;
        to->length = (uint32_t)json_object_get_string_len(from);
        to->u.text = vv_arena_strndup(arena, json_object_get_string(from), to->length);
        break;
    case json_type_array:
        to->type = VV_TYPE_ARRAY;
        to->length = (uint32_t)json_object_array_length(from);
        to->u.items = vv_arena_alloc(arena, (to->length + 1) * sizeof *to);
        for (i = 0; i < to->length; i++)
            members += read_copy(arena, json_object_array_get_idx(from, i), &to->u.items[i]);
        break;
    case json_type_object:
        to->type = VV_TYPE_OBJECT;
        to->length = (uint32_t)json_object_object_length(from);
        to->u.items = vv_arena_alloc(arena, (to->length + 1) * sizeof *to);
        members = to->length;
        json_object_object_foreach(from, name, member)
        {
            to->u.items[i].name = vv_arena_strdup(arena, name);
            members += read_copy(arena, member, &to->u.items[i++]);
        }
        break;
    default:
        to->type = VV_TYPE_NULL;
    }
    return members;
}

/* A name with an escaped NUL would be cut by json-c, and so be another name. */
static bool read_name_has_nul(const char *text, size_t length)
{
    size_t i, start;
    bool nul;

    if (memmem(text, length, "\\u0000", 6) == NULL)
        return false;
    for (i = 0; i < length; i++) {
        if (text[i] != '"')
            continue;
        nul = false;
        for (++i; i < length && text[i] != '"'; i++) {
            if (text[i] != '\\')
                continue;
            nul = nul || (length - i > 5 && memcmp(text + i, "\\u0000", 6) == 0);
            i++;
        }
        for (start = i + 1; start < length && strchr(" \t\r\n", text[start]) != NULL; start++)
            ;
        if (nul && start < length && text[start] == ':')
            return true;
    }
    return false;
}

/* One for all: a new one is several allocations, and large. Only the loop's thread parses. */
static struct json_tokener *read_tokener(void)
{
    static struct json_tokener *tokener;

    if (tokener == NULL) {
        tokener = json_tokener_new_ex(64);
        vv_assert(tokener != NULL);
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    }
    json_tokener_reset(tokener);
    return tokener;
}

int vv_json_parse(struct vv_request *req, const char *text, size_t length,
                  const struct vv_value **ret_value, const char **ret_why)
{
    struct json_tokener *tokener;
    struct json_object *parsed;
    struct vv_value *value;
    const char *why, *unused;
    size_t members = 0;
    bool complete;

    *ret_value = NULL;
    if (ret_why == NULL)
        ret_why = &unused;
    *ret_why = length > INT32_MAX / 2 ? "The JSON is too long" : NULL;
    why = *ret_why != NULL ? *ret_why : vv_json_lint(text, length, &members);
    *ret_why = why;
    if (why != NULL)
        return VV_EINVAL;
    tokener = read_tokener();
    /* The NUL tells json-c that a number at the very end is complete. */
    text = vv_arena_strndup(req->arena, text, length);
    parsed = json_tokener_parse_ex(tokener, text, (int)length + 1);
    complete = json_tokener_get_error(tokener) == json_tokener_success &&
               json_tokener_get_parse_end(tokener) >= length;
    if (complete) {
        value = vv_arena_alloc(req->arena, sizeof *value);
        if (read_copy(req->arena, parsed, value) != members)
            *ret_why = "A name stands twice in one object";
        else if (read_name_has_nul(text, length))
            *ret_why = "A name holds a NUL character";
        else
            *ret_value = value;
    } else {
        *ret_why = "This is not valid JSON";
    }
    json_object_put(parsed);
    return *ret_value == NULL ? VV_EINVAL : 0;
}

int vv_json_parse_host(struct vv_request *req, const char *text, size_t length,
                       const struct vv_value **ret_value)
{
    return vv_json_parse(req, text, length, ret_value, NULL);
}

uint32_t vv_value_kind(const struct vv_value *value)
{
    return value == NULL ? VV_TYPE_NULL : value->type;
}

size_t vv_value_length(const struct vv_value *value)
{
    if (value == NULL || (value->type != VV_TYPE_OBJECT && value->type != VV_TYPE_ARRAY))
        return 0;
    return value->length;
}

const struct vv_value *vv_value_member(const struct vv_value *value, const char *name)
{
    size_t i;

    if (value == NULL || value->type != VV_TYPE_OBJECT || name == NULL)
        return NULL;
    for (i = 0; i < value->length; i++) {
        if (strcmp(value->u.items[i].name, name) == 0)
            return &value->u.items[i];
    }
    return NULL;
}

const struct vv_value *vv_value_element(const struct vv_value *value, size_t index)
{
    if (value == NULL || value->type != VV_TYPE_ARRAY || index >= value->length)
        return NULL;
    return &value->u.items[index];
}

struct vv_param vv_value_scalar(const struct vv_value *value)
{
    if (value == NULL)
        return VV_NULL();
    switch (value->type) {
    case VV_TYPE_BOOL:
    case VV_TYPE_INT:
    case VV_TYPE_REAL:
        return vv_param_make_(value->type, value->u.integer, NULL, 0);
    case VV_TYPE_TEXT:
        return VV_TEXT_N(value->u.text, value->length);
    default:
        return VV_NULL();
    }
}

static void read_write(struct vv_json *json, const char *name, const struct vv_value *value)
{
    size_t i;

    if (value->type != VV_TYPE_OBJECT && value->type != VV_TYPE_ARRAY) {
        vv_json_put(json, name, vv_value_scalar(value));
        return;
    }
    vv_json_open(json, name, value->type == VV_TYPE_OBJECT ? VV_JSON_OBJECT : VV_JSON_ARRAY);
    for (i = 0; i < value->length; i++)
        read_write(json, value->u.items[i].name, &value->u.items[i]);
    vv_json_close(json);
}

const char *vv_value_text(struct vv_request *req, const struct vv_value *value)
{
    struct vv_json *json = vv_json_new(req, VV_JSON_ARRAY);
    char *text;
    size_t length;

    if (value == NULL)
        return "null";
    /* Written as the one element of an array, whose brackets are then cut off. */
    read_write(json, NULL, value);
    text = vv_arena_strdup(req->arena, vv_json_finish(json, &length));
    text[length - 1] = '\0';
    return text + 1;
}
