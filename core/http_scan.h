/* Watches the raw bytes of a connection and judges their framing before evhttp parses them. */
#ifndef VV_CORE_HTTP_SCAN_H
#define VV_CORE_HTTP_SCAN_H

#include "base.h"

#define VV_SCAN_MAX_TARGET  8192
#define VV_SCAN_MAX_HEADERS 16384
#define VV_SCAN_MAX_LINES   100

enum vv_scan_phase {
    VV_SCAN_IDLE = 0, /* between messages */
    VV_SCAN_HEAD = 1,
    VV_SCAN_BODY = 2,
};

/* The state of one connection. It only ever reads; two scanners fed the same bytes in different
 * pieces agree. */
struct vv_scan {
    uint64_t max_body;
    const char *why;   /* a sentence for `status` */
    uint32_t messages; /* messages that are complete */
    uint16_t status;   /* 0: fine so far; else what the message after those deserves, for good.
                        * 405: a method that nobody knows, with its path in `target` */
    uint8_t phase;     /* enum vv_scan_phase */
    bool close;        /* a message was such that the connection ends with its answer */

    /* inside */
    uint8_t state;
    bool head, get, old; /* HEAD; GET; HTTP/1.0 */
    bool has_host, has_length, has_chunked, unknown_method;
    uint8_t seen; /* which other headers that may come once have come */
    uint16_t lines, name_length, value_length, target_length;
    uint32_t header_bytes;
    uint64_t left, body_bytes; /* of the body or the chunk; of the body so far */
    char name[24];             /* in lower case, cut */
    char value[40];            /* cut; what is compared is shorter */
    char target[256];          /* cut; target_length is the whole length */
};

void vv_scan_init(struct vv_scan *scan, uint64_t max_body);

/* Feeds what came. False: `status` is set, and nothing more is looked at. */
bool vv_scan_feed(struct vv_scan *scan, const char *bytes, size_t length);

#endif
