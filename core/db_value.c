/* Decodes what PostgreSQL sends in binary, type by type. */
#include "db_value.h"

#include <arpa/inet.h>
#include <stdio.h>

/* src/include/catalog/pg_type.dat: these numbers never change. */
enum value_oid {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_CHAR = 18,
    OID_NAME = 19,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_OID = 26,
    OID_JSON = 114,
    OID_XML = 142,
    OID_CIDR = 650,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_UNKNOWN = 705,
    OID_INET = 869,
    OID_BPCHAR = 1042,
    OID_VARCHAR = 1043,
    OID_DATE = 1082,
    OID_TIMESTAMP = 1114,
    OID_TIMESTAMPTZ = 1184,
    OID_NUMERIC = 1700,
    OID_VOID = 2278,
    OID_UUID = 2950,
    OID_JSONB = 3802,
    OID_FIRST_USER = 16384, /* from here on: types that somebody made in this database */
};

#define DAYS_TO_2000         10957
#define MICROSECONDS_TO_2000 INT64_C(946684800000000)
#define NUMERIC_LONGEST      1000 /* groups of four digits */

static uint64_t value_bits(const char *data, size_t length)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < length; i++)
        bits = bits << 8 | (unsigned char)data[i];
    return bits;
}

static int64_t value_signed(const char *data, size_t length)
{
    uint64_t bits = value_bits(data, length);

    switch (length) {
    case 2:
        return (int16_t)bits;
    case 4:
        return (int32_t)bits;
    default:
        return (int64_t)bits;
    }
}

static bool value_int(const char *data, size_t length, size_t expected, struct vv_param *ret)
{
    if (length != expected)
        return false;
    *ret = VV_INT(value_signed(data, length));
    return true;
}

static bool value_real(const char *data, size_t length, size_t expected, struct vv_param *ret)
{
    uint64_t bits = value_bits(data, length);

    if (length != expected)
        return false;
    if (length == 4) {
        uint32_t half = (uint32_t)bits;
        float value;

        memcpy(&value, &half, sizeof value);
        *ret = VV_REAL((double)value);
        return true;
    }
    *ret = vv_param_make_(VV_TYPE_REAL, (int64_t)bits, NULL, 0);
    return true;
}

/* "infinity" keeps the extreme that PostgreSQL uses for it, and is sent back as it came. */
static bool value_time(const char *data, size_t length, struct vv_param *ret)
{
    int64_t time;

    if (length != 8)
        return false;
    time = value_signed(data, 8);
    if (time != INT64_MAX && time != INT64_MIN)
        time += MICROSECONDS_TO_2000;
    *ret = VV_TIME(time);
    return true;
}

/* Days since 2000 as YYYY-MM-DD (Howard Hinnant's algorithm). */
static bool value_date(struct vv_arena *arena, const char *data, size_t length,
                       struct vv_param *ret)
{
    int64_t days, era, of_era, year, of_year, month, day;

    if (length != 4)
        return false;
    days = value_signed(data, 4);
    if (days == INT32_MAX || days == INT32_MIN) {
        *ret = VV_TEXT(days < 0 ? "-infinity" : "infinity");
        return true;
    }
    days += DAYS_TO_2000 + 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    of_era = days - era * 146097;
    year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * year + year / 4 - year / 100);
    month = (5 * of_year + 2) / 153;
    day = of_year - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    year += era * 400 + (month <= 2 ? 1 : 0);
    *ret = VV_TEXT(vv_arena_printf(arena, "%04lld-%02d-%02d%s",
                                   (long long)(year <= 0 ? 1 - year : year), (int)month, (int)day,
                                   year <= 0 ? " BC" : ""));
    return true;
}

static bool value_uuid(struct vv_arena *arena, const char *data, size_t length,
                       struct vv_param *ret)
{
    const unsigned char *b = (const unsigned char *)data;

    if (length != 16)
        return false;
    *ret = VV_TEXT(vv_arena_printf(
        arena, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
        b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]));
    return true;
}

/* Family (2 = IPv4, 3 = IPv6), bits of the mask, whether it is a cidr, length, address. */
static bool value_inet(struct vv_arena *arena, const char *data, size_t length,
                       struct vv_param *ret)
{
    const unsigned char *b = (const unsigned char *)data;
    char text[INET6_ADDRSTRLEN];
    size_t size;

    if (length < 4)
        return false;
    size = b[0] == 2 ? 4 : 16;
    if ((b[0] != 2 && b[0] != 3) || b[3] != size || length != 4 + size ||
        inet_ntop(b[0] == 2 ? AF_INET : AF_INET6, data + 4, text, sizeof text) == NULL)
        return false;
    if (b[2] == 0 && b[1] == size * 8)
        *ret = VV_TEXT(vv_arena_strdup(arena, text));
    else
        *ret = VV_TEXT(vv_arena_printf(arena, "%s/%d", text, b[1]));
    return true;
}

/* Where a numeric stands: groups of four digits, the first one times 10000^weight. */
struct numeric {
    const char *groups;
    int count, weight, scale;
};

static int numeric_group(const struct numeric *numeric, int index)
{
    return index < 0 || index >= numeric->count
               ? 0
               : (int)value_bits(numeric->groups + 2 * (size_t)index, 2);
}

static size_t numeric_write(const struct numeric *numeric, bool negative, char *out)
{
    char *at = out;
    char digits[8];

    if (negative)
        *at++ = '-';
    if (numeric->weight < 0)
        *at++ = '0';
    for (int i = 0; i <= numeric->weight; i++)
        at += snprintf(at, 8, i == 0 ? "%d" : "%04d", numeric_group(numeric, i));
    if (numeric->scale > 0)
        *at++ = '.';
    for (int done = 0; done < numeric->scale; done += 4) {
        int take = VV_MIN(4, numeric->scale - done);

        snprintf(digits, sizeof digits, "%04d",
                 numeric_group(numeric, numeric->weight + 1 + done / 4));
        memcpy(at, digits, (size_t)take);
        at += take;
    }
    *at = '\0';
    return (size_t)(at - out);
}

/* As text, so that no digit is lost. The integer part also stands in `integer` where it fits, since
 * sum() over bigint is a numeric. */
static bool value_numeric(struct vv_arena *arena, const char *data, size_t length,
                          struct vv_param *ret)
{
    struct numeric numeric;
    unsigned sign;
    char *text;
    size_t used;

    if (length < 8)
        return false;
    numeric.count = (int)value_signed(data, 2);
    numeric.weight = (int)value_signed(data + 2, 2);
    sign = (unsigned)value_bits(data + 4, 2);
    numeric.scale = (int)value_signed(data + 6, 2);
    numeric.groups = data + 8;
    if (sign == 0xC000 || sign == 0xD000 || sign == 0xF000) {
        *ret = VV_TEXT(sign == 0xC000 ? "NaN" : sign == 0xD000 ? "Infinity" : "-Infinity");
        return true;
    }
    if (numeric.count < 0 || length != 8 + 2 * (size_t)numeric.count || numeric.scale < 0 ||
        numeric.scale > 4 * NUMERIC_LONGEST || numeric.weight > NUMERIC_LONGEST)
        return false;
    text = vv_arena_alloc(arena,
                          16 + 4 * (size_t)VV_MAX(numeric.weight + 1, 0) + (size_t)numeric.scale);
    used = numeric_write(&numeric, sign == 0x4000, text);
    *ret = VV_TEXT_N(text, used);
    ret->integer = numeric.weight < 4 ? strtoll(text, NULL, 10) : 0;
    return true;
}

static bool value_text(const char *data, size_t length, struct vv_param *ret)
{
    *ret = VV_TEXT_N(data, length);
    return true;
}

/* What people define in SQL is sent as text when it is an enum or a citext, and otherwise (a
 * composite, a range, hstore) begins with a count that has NULs in it. */
static bool value_user(const char *data, size_t length, struct vv_param *ret)
{
    if (memchr(data, '\0', length) != NULL)
        return false;
    return value_text(data, length, ret);
}

bool vv_db_value_decode(struct vv_arena *arena, uint32_t type, const char *data, size_t length,
                        struct vv_param *ret_value)
{
    switch (type) {
    case OID_BOOL:
        *ret_value = VV_BOOL(length == 1 && data[0] != 0);
        return length == 1;
    case OID_INT2:
        return value_int(data, length, 2, ret_value);
    case OID_INT4:
        return value_int(data, length, 4, ret_value);
    case OID_INT8:
        return value_int(data, length, 8, ret_value);
    case OID_OID:
        *ret_value = VV_INT((int64_t)value_bits(data, length));
        return length == 4;
    case OID_FLOAT4:
        return value_real(data, length, 4, ret_value);
    case OID_FLOAT8:
        return value_real(data, length, 8, ret_value);
    case OID_TEXT:
    case OID_VARCHAR:
    case OID_BPCHAR:
    case OID_NAME:
    case OID_CHAR:
    case OID_UNKNOWN:
    case OID_XML:
        return value_text(data, length, ret_value);
    case OID_JSON:
        *ret_value = vv_param_make_(VV_TYPE_JSON, 0, data, length);
        return true;
    case OID_JSONB: /* a version, then the text */
        if (length < 1 || data[0] != 1)
            return false;
        *ret_value = vv_param_make_(VV_TYPE_JSON, 0, data + 1, length - 1);
        return true;
    case OID_BYTEA:
        *ret_value = VV_BYTES(data, length);
        return true;
    case OID_TIMESTAMP:
    case OID_TIMESTAMPTZ:
        return value_time(data, length, ret_value);
    case OID_DATE:
        return value_date(arena, data, length, ret_value);
    case OID_NUMERIC:
        return value_numeric(arena, data, length, ret_value);
    case OID_UUID:
        return value_uuid(arena, data, length, ret_value);
    case OID_INET:
    case OID_CIDR:
        return value_inet(arena, data, length, ret_value);
    case OID_VOID:
        *ret_value = VV_NULL();
        return true;
    default:
        return type >= OID_FIRST_USER && value_user(data, length, ret_value);
    }
}
