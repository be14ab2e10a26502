/* The framing scanner: what it lets pass, what it refuses, and that the pieces do not matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "http_scan.h"

#define HOST  "Host: h\r\n"
#define LIMIT 1000

static void feed_in_pieces(struct vv_scan *scan, const char *bytes, size_t length, size_t most)
{
    size_t at = 0, piece;

    vv_scan_init(scan, LIMIT);
    for (; at < length; at += piece) {
        piece = most == 0 ? 1 + (size_t)rand() % 7 : most;
        piece = VV_MIN(piece, length - at);
        if (!vv_scan_feed(scan, bytes + at, piece))
            return;
    }
}

static void expect_bytes(const char *bytes, size_t length, uint32_t messages, unsigned status)
{
    struct vv_scan scan;
    int round;

    for (round = 0; round < 20; round++) {
        feed_in_pieces(&scan, bytes, length, round == 0 ? length : round == 1 ? 1 : 0);
        if (scan.status != status || scan.messages != messages)
            print_error("%.*s\n: %u (%s), %u messages\n", (int)VV_MIN(length, 300), bytes,
                        scan.status, scan.why, scan.messages);
        assert_int_equal(scan.status, status);
        assert_int_equal(scan.messages, messages);
        assert_true(status == 0 || scan.why != NULL);
    }
}

static void expect(const char *bytes, uint32_t messages, unsigned status)
{
    expect_bytes(bytes, strlen(bytes), messages, status);
}

static void good_messages(void **state)
{
    (void)state;
    expect("GET / HTTP/1.1\r\n" HOST "\r\n", 1, 0);
    expect("GET / HTTP/1.0\r\n\r\n", 1, 0);
    expect("GET /a?b=%20 HTTP/1.1\r\nhOST:\th \r\nX-A:\r\nX-B: \xc3\xa9\r\n\r\n", 1, 0);
    expect("POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
           "GET / HTTP/1.1\r\n" HOST "\r\n",
           2, 0);
    expect("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n"
           "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n",
           2, 0);
    expect("POST / HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n", 0, 0);
    expect("POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n", 1, 0);
    expect("GET / HTTP/1.1\r\nHost: [::1]:8000\r\nContent-Type : x\r\n\r\n", 0, 400);
}

static void bad_first_lines(void **state)
{
    (void)state;
    expect("\r\n", 0, 400);
    expect(" GET / HTTP/1.1\r\n", 0, 400);
    expect("G\x01T / HTTP/1.1\r\n", 0, 400);
    expect("GET  / HTTP/1.1\r\n", 0, 400);
    expect("GET / HTTP/1.1\n", 0, 400);
    expect("GET / HTTP/1.1 \r\n", 0, 400);
    expect("GET / HTTP/1.2\r\n", 0, 505);
    expect("PRI * HTTP/2.0\r\n", 0, 505);
    expect("GET /\xc3\xa9 HTTP/1.1\r\n", 0, 400);
    expect("GET /a\tb HTTP/1.1\r\n", 0, 400);
    expect("GET /\r\n", 0, 400);
    expect("GET http://h/ HTTP/1.1\r\n", 0, 400);
    expect("CONNECT h:80 HTTP/1.1\r\n", 0, 400);
    expect("GET / http/1.1\r\n", 0, 400);
    expect("\x16\x03\x01\x02", 0, 400);
    expect("FOO / HTTP/1.1\r\n" HOST "\r\n", 0, 405);
    expect("get / HTTP/1.1\r\n" HOST "\r\n", 0, 405);
}

static void bad_headers(void **state)
{
    (void)state;
    expect("GET / HTTP/1.1\r\n\r\n", 0, 400);
    expect("GET / HTTP/1.1\r\n" HOST HOST "\r\n", 0, 400);
    expect("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 0, 400);
    expect("GET / HTTP/1.1\r\n" HOST "A: b\n\r\n", 0, 400);
    expect("GET / HTTP/1.1\r\n" HOST "A: b\rc\r\n\r\n", 0, 400);
    expect("GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", 0, 400);
    expect("GET / HTTP/1.1\r\n" HOST "A : b\r\n\r\n", 0, 400);
    expect("GET / HTTP/1.1\r\n" HOST ": b\r\n\r\n", 0, 400);
    expect("GET / HTTP/1.1\r\n" HOST "A\r\n\r\n", 0, 400);
    expect("GET / HTTP/1.1\r\n" HOST "A: b\x7f\r\n\r\n", 0, 400);
    expect_bytes("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", 26, 0, 400);
    expect("GET / HTTP/1.1\r\n" HOST "Authorization: a\r\nauthorization: b\r\n\r\n", 0, 400);
    expect("POST / HTTP/1.1\r\n" HOST "Expect: nothing\r\n\r\n", 0, 417);
}

static void bad_framing(void **state)
{
    const char *const headers[] = {
        "Content-Length: 1\r\nContent-Length: 1\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length: 3 3\r\n",
        "Content-Length:\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length : 3\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: \vchunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
    };
    char text[512];
    size_t i;

    (void)state;
    for (i = 0; i < VV_ARRAY_SIZE(headers); i++) {
        snprintf(text, sizeof text, "POST / HTTP/1.1\r\n" HOST "%s\r\n", headers[i]);
        expect(text, 0, 400);
    }
    expect("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 0, 400);
}

static void bad_chunks(void **state)
{
    const char *const chunks[] = {"0x3\r\n",
                                  "+3\r\n",
                                  "3;a=b\r\n",
                                  " 3\r\n",
                                  "3 \r\n",
                                  "\r\n",
                                  "3\n",
                                  "3\r\nabcd",
                                  "3\r\nabc\n",
                                  "3\r\nabc\rx",
                                  "3\rx",
                                  "g\r\n",
                                  "0\r\nA",
                                  "0\r\nA: b\r\n\r\n",
                                  "0000000000000000\r\n"};
    char text[512];
    size_t i;

    (void)state;
    for (i = 0; i < VV_ARRAY_SIZE(chunks); i++) {
        snprintf(text, sizeof text,
                 "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n%s", chunks[i]);
        expect(text, 0, 400);
    }
}

static void sizes(void **state)
{
    static char text[70000];
    size_t length;
    int i;

    (void)state;
    expect("POST / HTTP/1.1\r\n" HOST "Content-Length: 1001\r\n\r\n", 0, 413);
    expect("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3e9\r\n", 0, 413);
    expect("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3e7", 0, 413);
    expect("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nfffffffffffffff", 0, 413);

    length = (size_t)snprintf(text, sizeof text, "GET /%08191d HTTP/1.1\r\n" HOST "\r\n", 0);
    expect_bytes(text, length, 1, 0);
    length = (size_t)snprintf(text, sizeof text, "GET /%08192d HTTP/1.1\r\n" HOST "\r\n", 0);
    expect_bytes(text, length, 0, 414);
    length = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" HOST "A: %016400d", 0);
    expect_bytes(text, length, 0, 431);

    length = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" HOST);
    for (i = 0; i < 99; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "A: b\r\n");
    memcpy(text + length, "\r\n", 3);
    expect_bytes(text, length + 2, 1, 0);
    memcpy(text + length, "A: b\r\n", 7);
    expect_bytes(text, length + 6, 0, 431);
}

/* What comes after a bad message is never looked at, and what came before it stands. */
static void poison(void **state)
{
    struct vv_scan scan;
    const char *good = "GET / HTTP/1.1\r\n" HOST "\r\n";

    (void)state;
    expect("GET / HTTP/1.1\r\n" HOST "\r\nGET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 1,
           400);
    vv_scan_init(&scan, LIMIT);
    assert_false(vv_scan_feed(&scan, "\r", 1));
    assert_false(vv_scan_feed(&scan, good, strlen(good)));
    assert_int_equal(scan.messages, 0);
}

static void close_after_odd_bodies(void **state)
{
    struct vv_scan scan;
    const char *const texts[] = {
        "HEAD / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc",
        "GET / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc",
        "GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
    };
    size_t i;

    (void)state;
    for (i = 0; i < VV_ARRAY_SIZE(texts); i++) {
        feed_in_pieces(&scan, texts[i], strlen(texts[i]), 0);
        assert_int_equal(scan.messages, 1);
        assert_int_equal(scan.close, i < 3);
    }
}

/* Random changes of good messages: no crash, and any two ways of cutting them agree. */
static void mutations(void **state)
{
    const char *seed =
        "POST /a?b HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nA: b\r\n\r\n"
        "3\r\nabc\r\n0\r\n\r\nPOST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc";
    char text[256];
    struct vv_scan one, two;
    size_t length = strlen(seed);
    int round, i;

    (void)state;
    srand(7);
    for (round = 0; round < 200000; round++) {
        memcpy(text, seed, length);
        for (i = rand() % 4; i >= 0; i--)
            text[(size_t)rand() % length] =
                (char)("\r\n :0129aAf,;\t"[rand() % 14] + (rand() % 50 == 0));
        feed_in_pieces(&one, text, length, length);
        feed_in_pieces(&two, text, length, 0);
        assert_int_equal(one.status, two.status);
        assert_int_equal(one.messages, two.messages);
        assert_int_equal(one.phase, two.phase);
        assert_int_equal(one.left, two.left);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_messages), cmocka_unit_test(bad_first_lines),
        cmocka_unit_test(bad_headers),   cmocka_unit_test(bad_framing),
        cmocka_unit_test(bad_chunks),    cmocka_unit_test(sizes),
        cmocka_unit_test(poison),        cmocka_unit_test(close_after_odd_bodies),
        cmocka_unit_test(mutations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
