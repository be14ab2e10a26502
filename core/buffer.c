/* Growing bytes, with the few forms of text that the core writes often. */
#include "buffer.h"

#include <stdio.h>

static char buffer_nothing[1];

void vv_buffer_init(struct vv_buffer *buffer, struct vv_arena *arena)
{
    buffer->data = buffer_nothing;
    buffer->length = buffer->capacity = 0;
    buffer->arena = arena;
}

void vv_buffer_free(struct vv_buffer *buffer)
{
    if (buffer->arena == NULL && buffer->capacity > 0)
        free(buffer->data);
    vv_buffer_init(buffer, buffer->arena);
}

void vv_buffer_clear(struct vv_buffer *buffer)
{
    buffer->length = 0;
    if (buffer->capacity > 0)
        buffer->data[0] = '\0';
}

/* Makes room for `more` bytes and the NUL. */
static void buffer_reserve(struct vv_buffer *buffer, size_t more)
{
    size_t capacity = buffer->capacity == 0 ? 256 : buffer->capacity;
    char *data;

    if (buffer->length + more + 1 <= buffer->capacity)
        return;
    vv_assert(more < SIZE_MAX / 4 && buffer->length < SIZE_MAX / 4);
    while (capacity < buffer->length + more + 1)
        capacity *= 2;
    if (buffer->arena == NULL) {
        data = vv_xrealloc(buffer->capacity == 0 ? NULL : buffer->data, capacity);
    } else {
        data = vv_arena_alloc(buffer->arena, capacity);
        memcpy(data, buffer->data, buffer->length);
    }
    buffer->data = data;
    buffer->capacity = capacity;
}

void vv_buffer_add(struct vv_buffer *buffer, const void *bytes, size_t length)
{
    if (length == 0)
        return;
    buffer_reserve(buffer, length);
    memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

void vv_buffer_text(struct vv_buffer *buffer, const char *text)
{
    vv_buffer_add(buffer, text, strlen(text));
}

void vv_buffer_char(struct vv_buffer *buffer, char c)
{
    buffer_reserve(buffer, 1);
    buffer->data[buffer->length++] = c;
    buffer->data[buffer->length] = '\0';
}

size_t vv_int_text(int64_t number, char ret_text[VV_INT_TEXT])
{
    char digits[VV_INT_TEXT], *at = digits + sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    size_t length;

    *--at = '\0';
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        *--at = '-';
    length = (size_t)(digits + sizeof digits - at);
    memcpy(ret_text, at, length);
    return length - 1;
}

void vv_buffer_int(struct vv_buffer *buffer, int64_t number)
{
    char text[VV_INT_TEXT];
    size_t length = vv_int_text(number, text);

    vv_buffer_add(buffer, text, length);
}

void vv_buffer_printf(struct vv_buffer *buffer, const char *format, ...)
{
    va_list args, again;
    size_t room;
    int length;

    buffer_reserve(buffer, 1);
    room = buffer->capacity - buffer->length;
    va_start(args, format);
    va_copy(again, args);
    length = vsnprintf(buffer->data + buffer->length, room, format, args);
    va_end(args);
    vv_assert(length >= 0);
    if ((size_t)length >= room) {
        buffer_reserve(buffer, (size_t)length);
        vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, again);
    }
    va_end(again);
    buffer->length += (size_t)length;
}

/* The length of the UTF-8 sequence at `at` (RFC 3629: no overlong forms, no surrogates), 0: none.
 */
static size_t buffer_utf8(const uint8_t *at, size_t left)
{
    uint8_t low = 0x80, high = 0xBF;
    size_t length;

    if (at[0] < 0x80)
        return 1;
    if (at[0] < 0xC2 || at[0] > 0xF4)
        return 0;
    length = at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    if (length > left)
        return 0;
    if (at[0] == 0xE0)
        low = 0xA0;
    else if (at[0] == 0xED)
        high = 0x9F;
    else if (at[0] == 0xF0)
        low = 0x90;
    else if (at[0] == 0xF4)
        high = 0x8F;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    }
    return length;
}

static void buffer_json_control(struct vv_buffer *buffer, uint8_t c)
{
    switch (c) {
    case '\n':
        vv_buffer_text(buffer, "\\n");
        return;
    case '\r':
        vv_buffer_text(buffer, "\\r");
        return;
    case '\t':
        vv_buffer_text(buffer, "\\t");
        return;
    default:
        vv_buffer_printf(buffer, "\\u%04x", c);
    }
}

/* What stands in a JSON string as it is: most of all text. */
static const bool buffer_plain[256] = {
    [' '] = true, ['!'] = true, ['#' ... '['] = true, [']' ... '~'] = true};

void vv_buffer_json(struct vv_buffer *buffer, const char *text, size_t length)
{
    const uint8_t *at = (const uint8_t *)text, *end = at + length, *run = at;

    buffer_reserve(buffer, length + 2); /* nearly always enough */
    vv_buffer_char(buffer, '"');
    while (at < end) {
        size_t step;

        if (buffer_plain[*at]) {
            at++;
            continue;
        }
        step = buffer_utf8(at, (size_t)(end - at));
        if (step > 1) {
            at += step;
            continue;
        }
        vv_buffer_add(buffer, run, (size_t)(at - run));
        if (step == 0) {
            vv_buffer_text(buffer, "\xEF\xBF\xBD");
        } else if (*at == '"' || *at == '\\') {
            vv_buffer_char(buffer, '\\');
            vv_buffer_char(buffer, (char)*at);
        } else {
            buffer_json_control(buffer, *at);
        }
        run = ++at;
    }
    vv_buffer_add(buffer, run, (size_t)(at - run));
    vv_buffer_char(buffer, '"');
}

/* Exactly so many digits, and what comes after them. */
static char *buffer_digits(char *at, int number, int digits, char after)
{
    for (int i = digits - 1; i >= 0; i--, number /= 10)
        at[i] = (char)('0' + number % 10);
    at[digits] = after;
    return at + digits + 1;
}

/* Without printf, which took as long for one time as the rest of an answer takes. */
void vv_buffer_time(struct vv_buffer *buffer, int64_t microseconds)
{
    int64_t fraction = microseconds % 1000000;
    time_t seconds = (time_t)(microseconds / 1000000);
    char text[40], *at = text;
    struct tm utc;
    int year;

    if (fraction < 0) {
        fraction += 1000000;
        seconds--;
    }
    gmtime_r(&seconds, &utc);
    year = utc.tm_year + 1900;
    if (year >= 0 && year <= 9999)
        at = buffer_digits(at, year, 4, '-');
    else
        vv_buffer_printf(buffer, "%04d-", year);
    at = buffer_digits(at, utc.tm_mon + 1, 2, '-');
    at = buffer_digits(at, utc.tm_mday, 2, 'T');
    at = buffer_digits(at, utc.tm_hour, 2, ':');
    at = buffer_digits(at, utc.tm_min, 2, ':');
    at = buffer_digits(at, utc.tm_sec, 2, fraction > 0 ? '.' : 'Z');
    if (fraction > 0)
        at = buffer_digits(at, (int)fraction, 6, 'Z');
    vv_buffer_add(buffer, text, (size_t)(at - text));
}
