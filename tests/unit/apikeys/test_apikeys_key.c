/* Keys: their shape, what tells garbage from them, and the words kept of what was called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "apikeys.h"

#define CHARACTERS "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

#define ZEROS "0000000000000000000000000000000000000"

static void has_the_shape(void **state)
{
    char key[KEY_SIZE], other[KEY_SIZE];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        apikeys_key_make("vv_", key);
        assert_int_equal(strlen(key), 46);
        assert_memory_equal(key, "vv_", 3);
        assert_int_equal(strspn(key + 3, CHARACTERS), 43);
        assert_true(apikeys_key_genuine(key));
        apikeys_key_make("vv_", other);
        assert_string_not_equal(key, other);
    }
    apikeys_key_make("abcdefgh01234567_", key);
    assert_int_equal(strlen(key), KEY_SIZE - 1);
    assert_true(apikeys_key_genuine(key));
}

/* Every character is about as frequent as every other: 1,000 each of 62,000, give or take six
 * standard deviations. */
static void draws_evenly(void **state)
{
    unsigned seen[256] = {0}, total = 0;
    char key[KEY_SIZE];

    (void)state;
    while (total < 62000) {
        apikeys_key_make("vv_", key);
        for (int i = 0; i < KEY_RANDOM && total < 62000; i++, total++)
            seen[(unsigned char)key[3 + i]]++;
    }
    for (const char *c = CHARACTERS; *c != '\0'; c++)
        assert_in_range(seen[(unsigned char)*c], 810, 1190);
}

/* Checksums of zlib. The form never changes: keys that are out there must go on working. */
static void knows_keys_of_yesterday(void **state)
{
    (void)state;
    assert_true(apikeys_key_genuine("vv_00000000000000000000000000000000000003jnQlY"));
    assert_true(apikeys_key_genuine("other9_00000000000000000000000000000000000003jnQlY"));
    assert_true(apikeys_key_genuine("vv_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZa33EDWO"));
}

static void refuses_every_single_change(void **state)
{
    char key[KEY_SIZE], changed[KEY_SIZE];

    (void)state;
    apikeys_key_make("vv_", key);
    for (size_t at = 3; at < 46; at++) {
        for (const char *c = CHARACTERS "-_ .\x01\xff"; *c != '\0'; c++) {
            memcpy(changed, key, sizeof changed);
            changed[at] = *c;
            assert_int_equal(apikeys_key_genuine(changed), *c == key[at]);
        }
    }
    for (size_t at = 3; at < 45; at++) {
        memcpy(changed, key, sizeof changed);
        changed[at] = key[at + 1];
        changed[at + 1] = key[at];
        assert_int_equal(apikeys_key_genuine(changed), key[at] == key[at + 1]);
    }
}

static void refuses_garbage(void **state)
{
    static const char *const garbage[] = {"",         "_",        "vv",          "vv_",
                                          "vv__",     " ",        ("vv_" ZEROS), "null",
                                          "Bearer x", "\xff\xfe", "vv_\xc3\xa4"};
    char key[KEY_SIZE], text[1024];

    (void)state;
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++)
        assert_false(apikeys_key_genuine(garbage[i]));
    apikeys_key_make("vv_", key);
    for (size_t length = 0; length < 46; length++) {
        memcpy(text, key, length);
        text[length] = '\0';
        assert_false(apikeys_key_genuine(text));
    }
    snprintf(text, sizeof text, "%s0", key);
    assert_false(apikeys_key_genuine(text));
    snprintf(text, sizeof text, " %s", key);
    assert_false(apikeys_key_genuine(text));
    snprintf(text, sizeof text, "VV_%s", key + 3);
    assert_false(apikeys_key_genuine(text));
    snprintf(text, sizeof text, "abcdefgh012345678_%s", key + 3);
    assert_false(apikeys_key_genuine(text));
    assert_false(apikeys_key_genuine(key + 2));
    assert_false(apikeys_key_genuine(key + 3));
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_false(apikeys_key_genuine(text));
}

static void checks_prefixes(void **state)
{
    static const struct {
        const char *prefix;
        bool valid;
    } rows[] = {{"vv_", true},
                {"a_", true},
                {"0123456789abcdef_", true},
                {"sk9_", true},
                {"", false},
                {"_", false},
                {"vv", false},
                {"Vv_", false},
                {"vv__", false},
                {"v-v_", false},
                {"0123456789abcdefg_", false},
                {"vv_x", false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(apikeys_prefix_valid(rows[i].prefix), rows[i].valid);
}

static void digests(void **state)
{
    static const uint8_t abc[KEY_DIGEST] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                            0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                                            0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
                                            0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    uint8_t digest[KEY_DIGEST];

    (void)state;
    apikeys_digest("abc", 3, digest);
    assert_memory_equal(digest, abc, sizeof abc);
    assert_true(apikeys_digest_equal(digest, abc));
    digest[31] ^= 1;
    assert_false(apikeys_digest_equal(digest, abc));
}

static void keeps_the_path(void **state)
{
    static const struct {
        const char *uri, *endpoint;
    } rows[] = {
        {"/", "/"},
        {"/search/v1?q=secret", "/search/v1"},
        {"/a#b", "/a"},
        {"/a?b#c?d", "/a"},
        {"https://example.com/a/b?c", "/a/b"},
        {"http://example.com?x=/y", NULL},
        {"/go?to=https://example.com/b", "/go"},
        {"/go/https://example.com/b", "/go/https://example.com/b"},
        {"search", "search"},
        {"/%C3%A4", "/%C3%A4"},
        {"/\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\xbb", "/\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\xbb"},
        {"", NULL},
        {"?x", NULL},
        {"/\xc3", NULL},
        {"/\xc3?\xa4", NULL},
        {"/\xff", NULL},
        {"/\xc0\xaf", NULL},
        {"/\xe0\x80\xaf", NULL},
        {"/\xed\xa0\x80", NULL},
        {"/\xf4\x90\x80\x80", NULL},
        {"/\x7f", NULL},
        {"/\t", NULL},
    };
    char endpoint[APIKEYS_ENDPOINT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool kept = apikeys_endpoint(rows[i].uri, endpoint);

        assert_int_equal(kept, rows[i].endpoint != NULL);
        if (kept)
            assert_string_equal(endpoint, rows[i].endpoint);
    }
}

static void cuts_between_characters(void **state)
{
    char uri[1024], endpoint[APIKEYS_ENDPOINT_SIZE];

    (void)state;
    for (size_t count = 98; count < 104; count++) {
        size_t kept = count < VV_ENDPOINT_MAX ? count : VV_ENDPOINT_MAX;

        for (size_t i = 0; i < count; i++)
            memcpy(uri + 4 * i, "\xf0\x9f\x8e\xbb", 4);
        memcpy(uri + 4 * count, "?x", 3);
        assert_true(apikeys_endpoint(uri, endpoint));
        assert_int_equal(strlen(endpoint), 4 * kept);
        memset(uri, 'a', count);
        uri[count] = '\0';
        assert_true(apikeys_endpoint(uri, endpoint));
        assert_int_equal(strlen(endpoint), kept);
        /* What is cut off has to be text as well. */
        uri[count - 1] = '\xc3';
        assert_false(apikeys_endpoint(uri, endpoint));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_shape),
        cmocka_unit_test(draws_evenly),
        cmocka_unit_test(knows_keys_of_yesterday),
        cmocka_unit_test(refuses_every_single_change),
        cmocka_unit_test(refuses_garbage),
        cmocka_unit_test(checks_prefixes),
        cmocka_unit_test(digests),
        cmocka_unit_test(keeps_the_path),
        cmocka_unit_test(cuts_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
