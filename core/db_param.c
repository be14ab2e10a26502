/* Encodes parameters as PostgreSQL reads them: text, so that the statement decides on the type. */
#include "db_param.h"

#include "buffer.h"

#include <math.h>
#include <stdio.h>

#define SCALAR_SIZE 48 /* longest text of a number, a boolean or a time */

static const int64_t microseconds_a_day = INT64_C(86400000000);

/* The fewest digits that read back as the same number. */
static size_t param_real(double value, char *out)
{
    if (isnan(value))
        return (size_t)snprintf(out, SCALAR_SIZE, "NaN");
    if (isinf(value))
        return (size_t)snprintf(out, SCALAR_SIZE, value < 0 ? "-Infinity" : "Infinity");
    for (int digits = 15; digits < 17; digits++) {
        int length = snprintf(out, SCALAR_SIZE, "%.*g", digits, value);

        if (strtod(out, NULL) == value)
            return (size_t)length;
    }
    return (size_t)snprintf(out, SCALAR_SIZE, "%.17g", value);
}

/* Days since 1970 as a date of the proleptic Gregorian calendar (Howard Hinnant's algorithm). */
static void param_civil(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;

    *ret_day = (int)(of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_year = year + era * 400 + (*ret_month <= 2 ? 1 : 0);
}

static size_t param_time(int64_t time, char *out)
{
    int64_t days, rest, year;
    int month, day;
    bool ancient;

    if (time == INT64_MAX || time == INT64_MIN)
        return (size_t)snprintf(out, SCALAR_SIZE, time < 0 ? "-infinity" : "infinity");
    days = time / microseconds_a_day;
    rest = time % microseconds_a_day;
    if (rest < 0) {
        rest += microseconds_a_day;
        days--;
    }
    param_civil(days, &year, &month, &day);
    ancient = year <= 0;
    return (size_t)snprintf(out, SCALAR_SIZE, "%04lld-%02d-%02d %02d:%02d:%02d.%06d+00%s",
                            (long long)(ancient ? 1 - year : year), month, day,
                            (int)(rest / 3600000000), (int)(rest / 60000000 % 60),
                            (int)(rest / 1000000 % 60), (int)(rest % 1000000),
                            ancient ? " BC" : "");
}

/* BOOL, INT, REAL and TIME; at most SCALAR_SIZE bytes with the NUL. */
static size_t param_scalar(const struct vv_param *value, char *out)
{
    switch (value->type) {
    case VV_TYPE_BOOL:
        return (size_t)snprintf(out, SCALAR_SIZE, value->integer != 0 ? "t" : "f");
    case VV_TYPE_REAL:
        return param_real(vv_param_real(*value), out);
    case VV_TYPE_TIME:
        return param_time(value->integer, out);
    default:
        return vv_int_text(value->integer, out);
    }
}

bool vv_db_param_valid(const struct vv_param *value)
{
    switch (value->type) {
    case VV_TYPE_NULL:
    case VV_TYPE_BOOL:
    case VV_TYPE_INT:
    case VV_TYPE_REAL:
    case VV_TYPE_TIME:
    case VV_TYPE_BYTES:
        return true;
    case VV_TYPE_TEXT:
    case VV_TYPE_JSON:
        /* It would end there without a word. */
        return value->length == 0 || memchr(value->data, '\0', value->length) == NULL;
    default:
        return false;
    }
}

static bool param_is_data(const struct vv_param *value)
{
    return value->type == VV_TYPE_TEXT || value->type == VV_TYPE_JSON ||
           value->type == VV_TYPE_BYTES;
}

char *vv_db_params_alloc(struct vv_db_params *params, size_t count, size_t size)
{
    size_t each = sizeof(char *) + 2 * sizeof(int);
    char *memory = vv_xmalloc(count * each + size + 1);

    params->count = count;
    params->memory = memory;
    params->values = (const char **)(void *)memory;
    params->lengths = (int *)(void *)(memory + count * sizeof(char *));
    params->formats = params->lengths + count;
    memset(memory, 0, count * each);
    return memory + count * each;
}

void vv_db_params_free(struct vv_db_params *params)
{
    free(params->memory);
    memset(params, 0, sizeof *params);
}

int vv_db_params_encode(struct vv_db_params *params, const struct vv_param *values, size_t count)
{
    size_t size = 0;
    char *at;

    memset(params, 0, sizeof *params);
    if (count > VV_DB_PARAMS)
        return VV_EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (!vv_db_param_valid(&values[i]))
            return VV_EINVAL;
        size += param_is_data(&values[i]) ? (size_t)values[i].length + 1 : SCALAR_SIZE;
    }
    at = vv_db_params_alloc(params, count, size);
    for (size_t i = 0; i < count; i++) {
        const struct vv_param *value = &values[i];
        size_t length;

        if (value->type == VV_TYPE_NULL)
            continue;
        params->values[i] = at;
        if (param_is_data(value)) {
            length = value->length;
            if (length > 0)
                memcpy(at, value->data, length);
            at[length] = '\0';
            /* Bytes go in binary: as text they would be read as an escape format. */
            params->formats[i] = value->type == VV_TYPE_BYTES;
        } else {
            length = param_scalar(value, at);
        }
        params->lengths[i] = (int)length;
        at += length + 1;
    }
    return 0;
}

size_t vv_db_element_size(const struct vv_param *value)
{
    /* Text: quotes, and every byte escaped. Bytes: quotes, \\x, two digits each. */
    return param_is_data(value) ? 2 * (size_t)value->length + 6 : SCALAR_SIZE;
}

static size_t element_text(const char *text, size_t length, char *out)
{
    char *at = out;

    *at++ = '"';
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"' || text[i] == '\\')
            *at++ = '\\';
        *at++ = text[i];
    }
    *at++ = '"';
    return (size_t)(at - out);
}

static size_t element_bytes(const unsigned char *bytes, size_t length, char *out)
{
    static const char digits[] = "0123456789abcdef";
    char *at = out;

    memcpy(at, "\"\\\\x", 4);
    at += 4;
    for (size_t i = 0; i < length; i++) {
        *at++ = digits[bytes[i] >> 4];
        *at++ = digits[bytes[i] & 15];
    }
    *at++ = '"';
    return (size_t)(at - out);
}

size_t vv_db_element_write(const struct vv_param *value, char *out)
{
    switch (value->type) {
    case VV_TYPE_NULL:
        memcpy(out, "NULL", 4);
        return 4;
    case VV_TYPE_TEXT:
    case VV_TYPE_JSON:
        return element_text(value->data, value->length, out);
    case VV_TYPE_BYTES:
        return element_bytes(value->data, value->length, out);
    case VV_TYPE_TIME: {
        /* It has blanks and colons, and may be a word: quotes keep it in one piece. */
        char text[SCALAR_SIZE];
        size_t length = param_scalar(value, text);

        return element_text(text, length, out);
    }
    default:
        return param_scalar(value, out);
    }
}
