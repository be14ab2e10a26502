/* Checks Stripe-Signature: "t=SECONDS,v1=HEX[,v1=HEX…]", an HMAC-SHA256 over "SECONDS.BODY". */
#include "signature.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#define SIGNATURE_BYTES 32
#define SIGNATURE_MAX                                                           \
    16 /* v1 elements looked at; Stripe sends one for each secret that is valid \
        */
#define SIGNATURE_DIGITS 12

struct signature {
    const char *time; /* as it was written: that is what was signed */
    size_t time_length;
    int64_t seconds;
    unsigned char digests[SIGNATURE_MAX][SIGNATURE_BYTES];
    size_t count;
};

/* Only lower case, as Stripe writes it: every other spelling is a change by somebody else. */
static int signature_nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool signature_hex(const char *text, size_t length, unsigned char *ret_bytes)
{
    if (length != 2 * (size_t)SIGNATURE_BYTES)
        return false;
    for (size_t i = 0; i < SIGNATURE_BYTES; i++) {
        int high = signature_nibble(text[2 * i]), low = signature_nibble(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        ret_bytes[i] = (unsigned char)(high * 16 + low);
    }
    return true;
}

static bool signature_time(const char *text, size_t length, struct signature *signature)
{
    if (length == 0 || length > SIGNATURE_DIGITS || signature->time != NULL)
        return false;
    signature->seconds = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        signature->seconds = signature->seconds * 10 + (text[i] - '0');
    }
    signature->time = text;
    signature->time_length = length;
    return true;
}

/* One "key=value" of the header. Keys that we do not know are of schemes to come. */
static bool signature_element(const char *text, size_t length, struct signature *signature)
{
    const char *equals = memchr(text, '=', length);
    size_t key = equals == NULL ? 0 : (size_t)(equals - text);

    if (key == 1 && text[0] == 't')
        return signature_time(text + 2, length - 2, signature);
    if (key != 2 || memcmp(text, "v1", 2) != 0)
        return true;
    if (signature->count < SIGNATURE_MAX &&
        signature_hex(text + 3, length - 3, signature->digests[signature->count]))
        signature->count++;
    return true;
}

static bool signature_parse(const char *header, struct signature *ret_signature)
{
    memset(ret_signature, 0, sizeof *ret_signature);
    while (*header != '\0') {
        size_t length = strcspn(header, ",");

        if (!signature_element(header, length, ret_signature))
            return false;
        header += length;
        header += *header == ',';
    }
    return ret_signature->time != NULL && ret_signature->count > 0;
}

static bool signature_digest(const struct signature *signature, const char *secret,
                             const void *body, size_t length,
                             unsigned char ret_digest[SIGNATURE_BYTES])
{
    /* Found once: finding it again for every event costs as much as using it. */
    static EVP_MAC *algorithm;
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *context;
    size_t written = 0;
    bool done;

    if (algorithm == NULL)
        algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
    context = algorithm == NULL ? NULL : EVP_MAC_CTX_new(algorithm);
    done = context != NULL &&
           EVP_MAC_init(context, (const unsigned char *)secret, strlen(secret), params) == 1 &&
           EVP_MAC_update(context, (const unsigned char *)signature->time,
                          signature->time_length) == 1 &&
           EVP_MAC_update(context, (const unsigned char *)".", 1) == 1 &&
           EVP_MAC_update(context, body, length) == 1 &&
           EVP_MAC_final(context, ret_digest, &written, SIGNATURE_BYTES) == 1 &&
           written == SIGNATURE_BYTES;
    EVP_MAC_CTX_free(context);
    ERR_clear_error();
    return done;
}

enum stripe_signature stripe_signature_check(const char *header, const void *body, size_t length,
                                             const char *const *secrets, int64_t now)
{
    struct signature signature;
    unsigned char digest[SIGNATURE_BYTES];
    unsigned good = 0;

    if (header == NULL || !signature_parse(header, &signature))
        return STRIPE_SIGNATURE_ABSENT;
    /* All are compared, so that the time taken says nothing about which was nearly right. */
    for (; *secrets != NULL; secrets++) {
        if (**secrets == '\0' || !signature_digest(&signature, *secrets, body, length, digest))
            continue;
        for (size_t i = 0; i < signature.count; i++)
            good |= CRYPTO_memcmp(digest, signature.digests[i], sizeof digest) == 0;
    }
    OPENSSL_cleanse(digest, sizeof digest);
    if (good == 0)
        return STRIPE_SIGNATURE_DIFFERENT;
    if (signature.seconds < now - STRIPE_SIGNATURE_TOLERANCE ||
        signature.seconds > now + STRIPE_SIGNATURE_TOLERANCE)
        return STRIPE_SIGNATURE_STALE;
    return STRIPE_SIGNATURE_GOOD;
}
