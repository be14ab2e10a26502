/* JSON being written: members appended to a buffer in the request's arena, in the order given. */
#include "json.h"

#include <math.h>
#include <stdio.h>

#define JSON_DEPTH 32

struct vv_json {
    struct vv_buffer buffer;
    unsigned depth;  /* open objects and arrays; 0: finished */
    uint32_t arrays; /* bit n: the one at depth n is an array */
    bool first;      /* nothing stands in the innermost one yet */
};

static void json_begin(struct vv_json *json, uint32_t kind)
{
    vv_assert(json->depth < JSON_DEPTH);
    if (kind == VV_JSON_ARRAY)
        json->arrays |= 1U << json->depth;
    else
        json->arrays &= ~(1U << json->depth);
    json->depth++;
    json->first = true;
    vv_buffer_char(&json->buffer, kind == VV_JSON_ARRAY ? '[' : '{');
}

struct vv_json *vv_json_new(struct vv_request *req, uint32_t kind)
{
    struct vv_json *json = vv_arena_alloc(req->arena, sizeof *json);

    vv_buffer_init(&json->buffer, req->arena);
    json_begin(json, kind);
    return json;
}

/* The comma and the name. An array's elements have no name, whatever the caller says. */
static void json_name(struct vv_json *json, const char *name)
{
    bool array = json->arrays & (1U << (json->depth - 1));

    if (!json->first)
        vv_buffer_char(&json->buffer, ',');
    json->first = false;
    if (array)
        return;
    if (name == NULL)
        name = "";
    vv_buffer_json(&json->buffer, name, strlen(name));
    vv_buffer_char(&json->buffer, ':');
}

/* The shortest text that reads back as the same number. JSON has no infinity. */
static void json_real(struct vv_buffer *buffer, double value)
{
    char text[40];
    int digits;

    if (!isfinite(value) || value == 0) { /* and there is but one zero */
        vv_buffer_text(buffer, value == 0 ? "0" : "null");
        return;
    }
    for (digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    vv_buffer_text(buffer, text);
}

static void json_base64url(struct vv_buffer *buffer, const uint8_t *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    unsigned have = 0;
    size_t i;

    vv_buffer_char(buffer, '"');
    for (i = 0; i < length; i++) {
        bits = bits << 8 | bytes[i];
        for (have += 8; have >= 6; have -= 6)
            vv_buffer_char(buffer, digits[bits >> (have - 6) & 63]);
    }
    if (have > 0)
        vv_buffer_char(buffer, digits[bits << (6 - have) & 63]);
    vv_buffer_char(buffer, '"');
}

void vv_json_put(struct vv_json *json, const char *name, struct vv_param value)
{
    struct vv_buffer *buffer = &json->buffer;

    if (json->depth == 0)
        return;
    json_name(json, name);
    switch (value.type) {
    case VV_TYPE_BOOL:
        vv_buffer_text(buffer, value.integer != 0 ? "true" : "false");
        break;
    case VV_TYPE_INT:
        vv_buffer_int(buffer, value.integer);
        break;
    case VV_TYPE_REAL:
        json_real(buffer, vv_param_real(value));
        break;
    case VV_TYPE_TEXT:
        vv_buffer_json(buffer, value.data, value.length);
        break;
    case VV_TYPE_BYTES:
        json_base64url(buffer, value.data, value.length);
        break;
    case VV_TYPE_TIME:
        vv_buffer_char(buffer, '"');
        vv_buffer_time(buffer, value.integer);
        vv_buffer_char(buffer, '"');
        break;
    case VV_TYPE_JSON:
        vv_buffer_add(buffer, value.data, value.length);
        break;
    default:
        vv_buffer_text(buffer, "null");
    }
}

void vv_json_open(struct vv_json *json, const char *name, uint32_t kind)
{
    if (json->depth == 0)
        return;
    json_name(json, name);
    json_begin(json, kind);
}

void vv_json_close(struct vv_json *json)
{
    if (json->depth == 0)
        return;
    json->depth--;
    vv_buffer_char(&json->buffer, json->arrays & (1U << json->depth) ? ']' : '}');
    json->first = false;
}

const char *vv_json_finish(struct vv_json *json, size_t *ret_length)
{
    while (json->depth > 0)
        vv_json_close(json);
    if (ret_length != NULL)
        *ret_length = json->buffer.length;
    return json->buffer.data;
}
