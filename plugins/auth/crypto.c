/* Digests, keys derived from keys, randomness, and base64url. */
#include "crypto.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void auth_base64_encode(const void *bytes, size_t length, char *ret_text)
{
    const uint8_t *in = bytes;
    uint32_t bits = 0;
    unsigned held = 0;

    while (length-- > 0) {
        bits = bits << 8 | *in++;
        held += 8;
        while (held >= 6) {
            held -= 6;
            *ret_text++ = alphabet[bits >> held & 63];
        }
    }
    if (held > 0)
        *ret_text++ = alphabet[bits << (6 - held) & 63];
    *ret_text = '\0';
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-')
        return 62;
    return c == '_' ? 63 : -1;
}

long auth_base64_decode(const char *text, size_t length, void *ret_bytes, size_t size)
{
    uint8_t *out = ret_bytes;
    uint32_t bits = 0;
    unsigned held = 0;
    size_t count = 0;

    if (length % 4 == 1)
        return -1;
    for (size_t i = 0; i < length; i++) {
        int value = base64_value(text[i]);

        if (value < 0)
            return -1;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held < 8)
            continue;
        held -= 8;
        if (count == size)
            return -1;
        out[count++] = (uint8_t)(bits >> held);
    }
    /* Left-over bits that are not zero would give one token several texts. */
    return (bits & ((1U << held) - 1)) == 0 ? (long)count : -1;
}

/* OpenSSL fails here only without memory, and nothing sensible can go on then. */
static void crypto_must(bool done)
{
    if (!done)
        abort();
}

void auth_sha256(const void *data, size_t length, uint8_t ret_digest[AUTH_DIGEST])
{
    static EVP_MD *sha256;

    /* Fetched once: looking an algorithm up costs more than a short digest. */
    if (sha256 == NULL)
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    crypto_must(EVP_Digest(data, length, ret_digest, NULL, sha256, NULL) == 1);
}

void auth_hmac(const void *key, size_t key_length, const void *data, size_t length,
               uint8_t ret_digest[AUTH_DIGEST])
{
    crypto_must(HMAC(EVP_sha256(), key, (int)key_length, data, length, ret_digest, NULL) != NULL);
}

void auth_hkdf(const void *secret, size_t secret_length, const char *label, uint8_t *ret_key,
               size_t length)
{
    static const uint8_t no_salt[AUTH_DIGEST];
    uint8_t prk[AUTH_DIGEST], block[AUTH_DIGEST] = {0}, in[AUTH_DIGEST + 256 + 1];
    size_t label_length = strnlen(label, 256), held = 0, done = 0;

    auth_hmac(no_salt, sizeof no_salt, secret, secret_length, prk);
    for (uint8_t i = 1; done < length; i++) {
        size_t part = length - done < AUTH_DIGEST ? length - done : AUTH_DIGEST;

        crypto_must(i != 0);
        memcpy(in, block, held);
        memcpy(in + held, label, label_length);
        in[held + label_length] = i;
        auth_hmac(prk, sizeof prk, in, held + label_length + 1, block);
        memcpy(ret_key + done, block, part);
        done += part;
        held = AUTH_DIGEST;
    }
    auth_wipe(prk, sizeof prk);
    auth_wipe(block, sizeof block);
    auth_wipe(in, sizeof in);
}

void auth_random(void *bytes, size_t length)
{
    uint8_t *at = bytes;

    while (length > 0) {
        ssize_t got = getrandom(at, length, 0);

        if (got <= 0)
            continue;
        at += got;
        length -= (size_t)got;
    }
}

bool auth_equal(const void *a, const void *b, size_t length)
{
    return CRYPTO_memcmp(a, b, length) == 0;
}

void auth_wipe(void *bytes, size_t length)
{
    OPENSSL_cleanse(bytes, length);
}
