/* The framing of HTTP/1.1, byte by byte and strictly: what two parsers could read in two ways is
 * refused here, because the second parser may stand in front of us. */
#include "http_scan.h"
#include <strings.h>

enum scan_state {
    SCAN_START,
    SCAN_METHOD,
    SCAN_TARGET,
    SCAN_VERSION,
    SCAN_VERSION_LF,
    SCAN_LINE, /* the first byte of a header line */
    SCAN_NAME,
    SCAN_VALUE_START,
    SCAN_VALUE,
    SCAN_VALUE_LF,
    SCAN_HEAD_LF,
    SCAN_LENGTH, /* a body of Content-Length */
    SCAN_CHUNK_START,
    SCAN_CHUNK_SIZE,
    SCAN_CHUNK_SIZE_LF,
    SCAN_CHUNK,
    SCAN_CHUNK_CR,
    SCAN_CHUNK_LF,
    SCAN_LAST_CR,
    SCAN_LAST_LF,
};

enum scan_class {
    SCAN_TOKEN = 1, /* RFC 9110 tchar */
    SCAN_TEXT = 2,  /* what a header's value may hold */
    SCAN_URL = 4,   /* what a target may hold */
};

/* Classes of all bytes, filled by scan_classes(). */
static uint8_t scan_table[256];

static const char *const scan_once[] = {"authorization", "x-api-key", "content-type", "origin",
                                        "expect"};

static const char *const scan_methods[] = {"GET",   "POST",  "HEAD",    "PUT",    "DELETE",
                                           "PATCH", "TRACE", "OPTIONS", "CONNECT"};

static void scan_classes(void)
{
    int c;

    for (c = 0; c < 256; c++) {
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (letter || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL))
            scan_table[c] |= SCAN_TOKEN;
        if (c == '\t' || (c >= ' ' && c != 0x7f))
            scan_table[c] |= SCAN_TEXT;
        if (c > ' ' && c < 0x7f && c != '"' && c != '<' && c != '>' && c != '\\' && c != '^' &&
            c != '`' && c != '{' && c != '}' && c != '|' && c != '#')
            scan_table[c] |= SCAN_URL;
    }
}

void vv_scan_init(struct vv_scan *scan, uint64_t max_body)
{
    if (scan_table['a'] == 0)
        scan_classes();
    memset(scan, 0, sizeof *scan);
    scan->max_body = max_body;
}

static bool scan_refuse(struct vv_scan *scan, uint16_t status, const char *why)
{
    scan->status = status;
    scan->why = why;
    return false;
}

static void scan_message_done(struct vv_scan *scan)
{
    scan->messages++;
    scan->phase = VV_SCAN_IDLE;
    scan->state = SCAN_START;
}

static void scan_message_begin(struct vv_scan *scan)
{
    scan->phase = VV_SCAN_HEAD;
    scan->head = scan->get = scan->old = false;
    scan->has_host = scan->has_length = scan->has_chunked = scan->unknown_method = false;
    scan->seen = 0;
    scan->lines = scan->name_length = scan->value_length = scan->target_length = 0;
    scan->header_bytes = 0;
    scan->left = scan->body_bytes = 0;
    scan->state = SCAN_METHOD;
}

static void scan_method_done(struct vv_scan *scan)
{
    size_t i;

    scan->unknown_method = true;
    for (i = 0; i < VV_ARRAY_SIZE(scan_methods); i++) {
        if (strlen(scan_methods[i]) == scan->name_length &&
            memcmp(scan_methods[i], scan->name, scan->name_length) == 0)
            scan->unknown_method = false;
    }
    scan->get = scan->name[0] == 'G' && !scan->unknown_method;
    scan->head = scan->name[0] == 'H' && !scan->unknown_method;
    scan->state = SCAN_TARGET;
}

static bool scan_version_done(struct vv_scan *scan)
{
    if (scan->value_length != 8 || memcmp(scan->value, "HTTP/", 5) != 0 || scan->value[6] != '.')
        return scan_refuse(scan, 400, "The request line has no version of HTTP at its end");
    if (scan->value[5] != '1' || (scan->value[7] != '0' && scan->value[7] != '1'))
        return scan_refuse(scan, 505, "This server speaks HTTP/1.1");
    scan->old = scan->value[7] == '0';
    scan->state = SCAN_VERSION_LF;
    return true;
}

static bool scan_is(const struct vv_scan *scan, const char *name)
{
    return strlen(name) == scan->name_length && memcmp(scan->name, name, scan->name_length) == 0;
}

static bool scan_length_header(struct vv_scan *scan)
{
    size_t i;

    if (scan->has_length)
        return scan_refuse(scan, 400, "There are two Content-Length headers");
    if (scan->value_length == 0 || scan->value_length > 18)
        return scan_refuse(scan, 400, "Content-Length is not a number");
    scan->left = 0;
    for (i = 0; i < scan->value_length; i++) {
        if (scan->value[i] < '0' || scan->value[i] > '9')
            return scan_refuse(scan, 400, "Content-Length is not a number");
        scan->left = scan->left * 10 + (uint64_t)(scan->value[i] - '0');
    }
    scan->has_length = true;
    return true;
}

static bool scan_chunked_header(struct vv_scan *scan)
{
    if (scan->has_chunked)
        return scan_refuse(scan, 400, "There are two Transfer-Encoding headers");
    if (scan->value_length != 7 || strncasecmp(scan->value, "chunked", 7) != 0)
        return scan_refuse(scan, 400, "The only transfer encoding understood here is chunked");
    scan->has_chunked = true;
    return true;
}

static bool scan_host_header(struct vv_scan *scan)
{
    size_t i, length = VV_MIN(scan->value_length, sizeof scan->value);

    if (scan->has_host)
        return scan_refuse(scan, 400, "There are two Host headers");
    for (i = 0; i < length; i++) {
        if (strchr(" \t/@\\?#,", scan->value[i]) != NULL)
            return scan_refuse(scan, 400, "The Host header names no host");
    }
    scan->has_host = true;
    return true;
}

/* A header line is complete: only those that frame the message, or must be alone, matter here. */
static bool scan_header_done(struct vv_scan *scan)
{
    size_t i;

    while (
        scan->value_length > 0 && scan->value_length <= sizeof scan->value &&
        (scan->value[scan->value_length - 1] == ' ' || scan->value[scan->value_length - 1] == '\t'))
        scan->value_length--;
    scan->state = SCAN_LINE;
    if (scan->name_length > sizeof scan->name)
        return true;
    if (scan_is(scan, "content-length"))
        return scan_length_header(scan);
    if (scan_is(scan, "transfer-encoding"))
        return scan_chunked_header(scan);
    if (scan_is(scan, "host"))
        return scan_host_header(scan);
    for (i = 0; i < VV_ARRAY_SIZE(scan_once); i++) {
        if (!scan_is(scan, scan_once[i]))
            continue;
        if (scan->seen & (1U << i))
            return scan_refuse(scan, 400, "A header that may come once came twice");
        scan->seen |= (uint8_t)(1U << i);
    }
    if (scan_is(scan, "expect") &&
        (scan->value_length != 12 || strncasecmp(scan->value, "100-continue", 12) != 0))
        return scan_refuse(scan, 417, "The only expectation understood here is 100-continue");
    return true;
}

static bool scan_head_done(struct vv_scan *scan)
{
    if (!scan->has_host && !scan->old)
        return scan_refuse(scan, 400, "The Host header is missing");
    if (scan->has_chunked && (scan->has_length || scan->old))
        return scan_refuse(scan, 400, "The length of the body is ambiguous");
    if (scan->unknown_method)
        return scan_refuse(scan, 405, "This method is not known here");
    if (scan->has_length && scan->left > scan->max_body)
        return scan_refuse(scan, 413, "The body is too large");
    if ((scan->head || scan->get) && (scan->has_chunked || scan->left > 0))
        scan->close = true;
    scan->phase = VV_SCAN_BODY;
    if (scan->has_chunked)
        scan->state = SCAN_CHUNK_START;
    else if (scan->left > 0)
        scan->state = SCAN_LENGTH;
    else
        scan_message_done(scan);
    return true;
}

static bool scan_chunk_digit(struct vv_scan *scan, char c)
{
    unsigned digit;

    if (c >= '0' && c <= '9')
        digit = (unsigned)(c - '0');
    else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        digit = (unsigned)((c | 0x20) - 'a' + 10);
    else
        return scan_refuse(scan, 400, "The size of a chunk is not a hexadecimal number");
    if (++scan->value_length > 15)
        return scan_refuse(scan, 400, "The size of a chunk is too long");
    scan->left = scan->left * 16 + digit;
    if (scan->left > scan->max_body || scan->body_bytes + scan->left > scan->max_body)
        return scan_refuse(scan, 413, "The body is too large");
    scan->state = SCAN_CHUNK_SIZE;
    return true;
}

/* One byte of the request line. */
static bool scan_first_line(struct vv_scan *scan, char c)
{
    uint8_t class_ = scan_table[(uint8_t)c];

    switch (scan->state) {
    case SCAN_START:
        if (!(class_ & SCAN_TOKEN))
            return scan_refuse(scan, 400, "This is not a request of HTTP");
        scan_message_begin(scan);
        /* fall through */
    case SCAN_METHOD:
        if (c == ' ' && scan->name_length > 0) {
            scan_method_done(scan);
            return true;
        }
        if (!(class_ & SCAN_TOKEN) || scan->name_length >= sizeof scan->name)
            return scan_refuse(scan, 400, "The method is not a word");
        scan->name[scan->name_length++] = c;
        return true;
    case SCAN_TARGET:
        if (c == ' ' && scan->target_length > 0) {
            if (scan->target[0] != '/' && scan->target[0] != '*')
                return scan_refuse(scan, 400, "The address must be a path that begins with /");
            scan->state = SCAN_VERSION;
            scan->value_length = 0;
            return true;
        }
        if (!(class_ & SCAN_URL))
            return scan_refuse(scan, 400, "The address holds a character that must be encoded");
        if (scan->target_length >= VV_SCAN_MAX_TARGET)
            return scan_refuse(scan, 414, "The address is too long");
        if (scan->target_length < sizeof scan->target)
            scan->target[scan->target_length] = c;
        scan->target_length++;
        return true;
    case SCAN_VERSION:
        if (c == '\r')
            return scan_version_done(scan);
        if (scan->value_length >= 8)
            return scan_refuse(scan, 400, "The request line has no version of HTTP at its end");
        scan->value[scan->value_length++] = c;
        return true;
    default: /* SCAN_VERSION_LF */
        if (c != '\n')
            return scan_refuse(scan, 400, "A line ends with a carriage return alone");
        scan->state = SCAN_LINE;
        return true;
    }
}

static char scan_lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

/* One byte of a header line. */
static bool scan_header(struct vv_scan *scan, char c)
{
    switch (scan->state) {
    case SCAN_LINE:
        if (c == '\r') {
            scan->state = SCAN_HEAD_LF;
            return true;
        }
        if (c == ' ' || c == '\t')
            return scan_refuse(scan, 400, "A header line is folded");
        if (++scan->lines > VV_SCAN_MAX_LINES)
            return scan_refuse(scan, 431, "There are too many header lines");
        scan->name_length = scan->value_length = 0;
        scan->state = SCAN_NAME;
        /* fall through */
    case SCAN_NAME:
        if (c == ':' && scan->name_length > 0) {
            scan->state = SCAN_VALUE_START;
            return true;
        }
        if (!(scan_table[(uint8_t)c] & SCAN_TOKEN))
            return scan_refuse(scan, 400, "The name of a header is not a word");
        if (scan->name_length < sizeof scan->name)
            scan->name[scan->name_length] = scan_lower(c);
        scan->name_length++;
        return true;
    case SCAN_VALUE_START:
        if (c == ' ' || c == '\t')
            return true;
        scan->state = SCAN_VALUE;
        /* fall through */
    case SCAN_VALUE:
        if (c == '\r') {
            scan->state = SCAN_VALUE_LF;
            return true;
        }
        if (!(scan_table[(uint8_t)c] & SCAN_TEXT))
            return scan_refuse(scan, 400, "A header holds a control character");
        if (scan->value_length < sizeof scan->value)
            scan->value[scan->value_length] = c;
        scan->value_length++;
        return true;
    default: /* SCAN_VALUE_LF, SCAN_HEAD_LF */
        if (c != '\n')
            return scan_refuse(scan, 400, "A line ends with a carriage return alone");
        return scan->state == SCAN_HEAD_LF ? scan_head_done(scan) : scan_header_done(scan);
    }
}

/* One byte of what frames a chunk. */
static bool scan_chunk(struct vv_scan *scan, char c)
{
    static const char *const broken = "A chunk does not end where its size says";

    switch (scan->state) {
    case SCAN_CHUNK_START:
        scan->left = 0;
        scan->value_length = 0;
        return scan_chunk_digit(scan, c);
    case SCAN_CHUNK_SIZE:
        if (c != '\r')
            return scan_chunk_digit(scan, c);
        scan->state = SCAN_CHUNK_SIZE_LF;
        return true;
    case SCAN_CHUNK_SIZE_LF:
        scan->body_bytes += scan->left;
        scan->state = scan->left == 0 ? SCAN_LAST_CR : SCAN_CHUNK;
        break;
    case SCAN_CHUNK_CR:
        scan->state = SCAN_CHUNK_LF;
        return c == '\r' ? true : scan_refuse(scan, 400, broken);
    case SCAN_CHUNK_LF:
        scan->state = SCAN_CHUNK_START;
        break;
    case SCAN_LAST_CR:
        /* evhttp would take trailers for headers. */
        scan->state = SCAN_LAST_LF;
        return c == '\r' ? true : scan_refuse(scan, 400, "Trailers are not taken here");
    default: /* SCAN_LAST_LF */
        scan_message_done(scan);
        break;
    }
    return c == '\n' ? true : scan_refuse(scan, 400, broken);
}

/* Skips as much of a body as there is. */
static size_t scan_skip(struct vv_scan *scan, size_t length)
{
    size_t skipped = (size_t)VV_MIN(scan->left, (uint64_t)length);

    scan->left -= skipped;
    if (scan->left > 0)
        return skipped;
    if (scan->state == SCAN_CHUNK)
        scan->state = SCAN_CHUNK_CR;
    else
        scan_message_done(scan);
    return skipped;
}

/* Skips the plain bytes of a value. */
static size_t scan_value(struct vv_scan *scan, const char *bytes, size_t length)
{
    size_t count = 0, room = sizeof scan->value - VV_MIN(scan->value_length, sizeof scan->value);

    while (count < length && (scan_table[(uint8_t)bytes[count]] & SCAN_TEXT))
        count++;
    memcpy(scan->value + sizeof scan->value - room, bytes, VV_MIN(count, room));
    scan->value_length = (uint16_t)VV_MIN(scan->value_length + count, (size_t)UINT16_MAX);
    return count;
}

/* Skips the letters of a name after its first. */
static size_t scan_name(struct vv_scan *scan, const char *bytes, size_t length)
{
    size_t count = 0;

    for (; count < length && (scan_table[(uint8_t)bytes[count]] & SCAN_TOKEN); count++) {
        if (scan->name_length < sizeof scan->name)
            scan->name[scan->name_length] = scan_lower(bytes[count]);
        if (scan->name_length < UINT16_MAX)
            scan->name_length++;
    }
    return count;
}

/* Skips what needs no look at each byte: most of a head. */
static size_t scan_run(struct vv_scan *scan, const char *bytes, size_t length)
{
    if (scan->state == SCAN_VALUE)
        return scan_value(scan, bytes, length);
    return scan->state == SCAN_NAME ? scan_name(scan, bytes, length) : 0;
}

bool vv_scan_feed(struct vv_scan *scan, const char *bytes, size_t length)
{
    size_t i = 0, skipped;

    if (scan->status != 0)
        return false;
    while (i < length) {
        if (scan->state == SCAN_LENGTH || scan->state == SCAN_CHUNK) {
            i += scan_skip(scan, length - i);
            continue;
        }
        if (scan->state < SCAN_LINE) {
            if (!scan_first_line(scan, bytes[i++]))
                return false;
            continue;
        }
        if (scan->state > SCAN_LENGTH) {
            if (!scan_chunk(scan, bytes[i++]))
                return false;
            continue;
        }
        skipped = scan_run(scan, bytes + i, length - i);
        scan->header_bytes += (uint32_t)(skipped == 0 ? 1 : skipped);
        if (scan->header_bytes > VV_SCAN_MAX_HEADERS)
            return scan_refuse(scan, 431, "The headers are too large");
        if (skipped == 0 && !scan_header(scan, bytes[i]))
            return false;
        i += skipped == 0 ? 1 : skipped;
    }
    return true;
}
