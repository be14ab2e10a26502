/* Makes keys, and tells texts that can be keys from garbage without asking anybody. */
#include "key.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define KEY_BODY (KEY_RANDOM + KEY_CHECK)

static const char key_alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
#define KEY_BASE 62

/* The length of a prefix that `text` begins with, its '_' included; 0: there is none. */
static size_t key_prefix(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789");

    return length > 0 && length < KEY_PREFIX_MAX && text[length] == '_' ? length + 1 : 0;
}

bool apikeys_prefix_valid(const char *prefix)
{
    size_t length = key_prefix(prefix);

    return length > 0 && prefix[length] == '\0';
}

/* CRC-32 as in zlib, four bits at a time. */
static uint32_t key_crc(const char *text, size_t length)
{
    static const uint32_t steps[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                       0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                       0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                       0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < length; i++) {
        crc ^= (unsigned char)text[i];
        crc = steps[crc & 15] ^ crc >> 4;
        crc = steps[crc & 15] ^ crc >> 4;
    }
    return ~crc;
}

static void key_check(const char *random, char ret_check[KEY_CHECK])
{
    uint32_t crc = key_crc(random, KEY_RANDOM);

    for (size_t i = KEY_CHECK; i-- > 0; crc /= KEY_BASE)
        ret_check[i] = key_alphabet[crc % KEY_BASE];
}

/* Every character is as likely as any other: bytes past the last whole 62 are not used. */
static void key_random(char *at, size_t count)
{
    uint8_t bytes[2 * KEY_RANDOM];
    size_t made = 0;

    while (made < count) {
        ssize_t got = getrandom(bytes, sizeof bytes, 0);

        for (ssize_t i = 0; i < got && made < count; i++)
            if (bytes[i] < 256 / KEY_BASE * KEY_BASE)
                at[made++] = key_alphabet[bytes[i] % KEY_BASE];
    }
    OPENSSL_cleanse(bytes, sizeof bytes);
}

void apikeys_key_make(const char *prefix, char ret_key[KEY_SIZE])
{
    size_t length = strnlen(prefix, KEY_PREFIX_MAX);

    memcpy(ret_key, prefix, length);
    key_random(ret_key + length, KEY_RANDOM);
    key_check(ret_key + length, ret_key + length + KEY_RANDOM);
    ret_key[length + KEY_BODY] = '\0';
}

bool apikeys_key_genuine(const char *text)
{
    size_t prefix = key_prefix(text);
    char check[KEY_CHECK];

    if (prefix == 0 || strnlen(text + prefix, KEY_BODY + 1) != KEY_BODY ||
        strspn(text + prefix, key_alphabet) != KEY_BODY)
        return false;
    key_check(text + prefix, check);
    return memcmp(check, text + prefix + KEY_RANDOM, KEY_CHECK) == 0;
}

void apikeys_digest(const void *data, size_t length, uint8_t ret_digest[KEY_DIGEST])
{
    static EVP_MD_CTX *context;

    /* Made once: to look an algorithm up and to allocate for it costs more than a short digest. */
    if (context == NULL && ((context = EVP_MD_CTX_new()) == NULL ||
                            EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1))
        abort();
    /* It fails only without memory, and nothing sensible can go on then. */
    if (EVP_DigestInit_ex(context, NULL, NULL) != 1 ||
        EVP_DigestUpdate(context, data, length) != 1 ||
        EVP_DigestFinal_ex(context, ret_digest, NULL) != 1)
        abort();
}

bool apikeys_digest_equal(const uint8_t *a, const uint8_t *b)
{
    return CRYPTO_memcmp(a, b, KEY_DIGEST) == 0;
}
