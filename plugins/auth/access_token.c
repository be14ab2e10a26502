/* JSON Web Tokens over OpenSSL. libjwt 1.10 is of no use here: it writes `typ: JWT` over any other,
 * refuses tokens that say anything else, and parses the key anew for every token. */
#include "access_token.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <vv/json.h>

#define SIGNATURE_MAX 1024 /* RSA with 8192 bits */

static const char *jwt_base64(struct vv_request *req, const void *bytes, size_t length)
{
    char *text = vv_alloc(req, AUTH_BASE64_SIZE(length));

    auth_base64_encode(bytes, length, text);
    return text;
}

static const char *jwt_claims_text(struct vv_request *req, const struct auth_expected *expected,
                                   const struct auth_claims *claims)
{
    struct vv_json *json = vv_object(req);
    uint8_t id[16];

    auth_random(id, sizeof id);
    vv_put(json, "iss", VV_TEXT(expected->issuer));
    vv_put(json, "aud", VV_TEXT(expected->audience));
    vv_put(json, "client_id", VV_TEXT(expected->audience));
    vv_put(json, "sub", VV_TEXT(vv_printf(req, "%lld", (long long)claims->user_id)));
    vv_put(json, "sid", VV_TEXT(vv_printf(req, "%lld", (long long)claims->session_id)));
    vv_put(json, "iat", VV_INT(claims->issued));
    vv_put(json, "exp", VV_INT(claims->expires));
    vv_put(json, "jti", VV_TEXT(jwt_base64(req, id, sizeof id)));
    return vv_json_text(json);
}

/* OpenSSL's form of an ECDSA signature becomes the two numbers that a token carries. */
static bool jwt_ecdsa_raw(const uint8_t *der, size_t length, uint8_t ret_raw[64])
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)length);
    bool good = pair != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(pair), ret_raw, 32) == 32 &&
                BN_bn2binpad(ECDSA_SIG_get0_s(pair), ret_raw + 32, 32) == 32;

    ECDSA_SIG_free(pair);
    return good;
}

/* The signature's length; 0: the key refuses. */
static size_t jwt_make_signature(const struct auth_key *key, const char *text,
                                 uint8_t ret_signature[SIGNATURE_MAX])
{
    const EVP_MD *digest = key->alg == AUTH_EDDSA ? NULL : EVP_sha256();
    uint8_t made[SIGNATURE_MAX];
    size_t length = sizeof made;
    EVP_MD_CTX *context;
    bool good;

    if (key->alg == AUTH_HS256) {
        auth_hmac(key->secret, key->secret_length, text, strlen(text), ret_signature);
        return AUTH_DIGEST;
    }
    context = EVP_MD_CTX_new();
    good = context != NULL && EVP_DigestSignInit(context, NULL, digest, NULL, key->pkey) == 1 &&
           EVP_DigestSign(context, made, &length, (const uint8_t *)text, strlen(text)) == 1;
    EVP_MD_CTX_free(context);
    if (!good)
        return 0;
    if (key->alg == AUTH_ES256)
        return jwt_ecdsa_raw(made, length, ret_signature) ? 64 : 0;
    memcpy(ret_signature, made, length);
    return length;
}

char *auth_jwt_sign(struct vv_request *req, const struct auth_key *key,
                    const struct auth_expected *expected, const struct auth_claims *claims)
{
    const char *payload = jwt_claims_text(req, expected, claims);
    const char *header = vv_printf(req, "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}",
                                   auth_alg_name(key->alg), key->kid);
    const char *text = vv_printf(req, "%s.%s", jwt_base64(req, header, strlen(header)),
                                 jwt_base64(req, payload, strlen(payload)));
    uint8_t signature[SIGNATURE_MAX];
    size_t length = jwt_make_signature(key, text, signature);

    /* Stale errors make unrelated TLS connections look broken. */
    ERR_clear_error();
    return length == 0 ? NULL : vv_printf(req, "%s.%s", text, jwt_base64(req, signature, length));
}

/* One segment of a token, decoded and parsed as an object; NULL: it is none. */
static const struct vv_value *jwt_segment(struct vv_request *req, const char *text, size_t length)
{
    char *bytes = vv_alloc(req, length + 1);
    long count = auth_base64_decode(text, length, bytes, length);
    const struct vv_value *value;

    if (count <= 0 || vv_parse(req, bytes, (size_t)count, &value) < 0)
        return NULL;
    return value;
}

/* The key that the header names, if it names exactly what that key is for. What stands in the
 * header is the sender's word: it chooses among our keys, and nothing else. */
static const struct auth_key *jwt_header_key(const struct vv_value *header)
{
    const char *alg = vv_get_text(header, "alg"), *kid = vv_get_text(header, "kid"),
               *typ = vv_get_text(header, "typ");
    const struct auth_key *key;

    if (alg == NULL || kid == NULL || typ == NULL)
        return NULL;
    if (strcasecmp(typ, "at+jwt") != 0 && strcasecmp(typ, "application/at+jwt") != 0)
        return NULL;
    /* "crit" names extensions that must be understood: we understand none. */
    if (vv_has(header, "crit") || vv_has(header, "b64"))
        return NULL;
    key = auth_keys_find(kid);
    return key != NULL && strcmp(alg, auth_alg_name(key->alg)) == 0 ? key : NULL;
}

/* Two numbers of 32 bytes become the form that OpenSSL takes. Their number of bytes, 0: they do
 * not.
 */
static size_t jwt_ecdsa_der(const uint8_t *raw, uint8_t *ret_der, size_t size)
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, 32, NULL), *s = BN_bin2bn(raw + 32, 32, NULL);
    uint8_t *at = ret_der;
    int length = 0;

    if (pair == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
    } else if (i2d_ECDSA_SIG(pair, NULL) <= (int)size) {
        length = i2d_ECDSA_SIG(pair, &at);
    }
    ECDSA_SIG_free(pair);
    return length > 0 ? (size_t)length : 0;
}

static bool jwt_signature_public(const struct auth_key *key, const void *text, size_t text_length,
                                 const uint8_t *signature, size_t length)
{
    const EVP_MD *digest = key->alg == AUTH_EDDSA ? NULL : EVP_sha256();
    uint8_t der[80];
    EVP_MD_CTX *context;
    bool good;

    if (key->alg == AUTH_ES256) {
        length = length == 64 ? jwt_ecdsa_der(signature, der, sizeof der) : 0;
        signature = der;
    }
    if (length == 0)
        return false;
    context = EVP_MD_CTX_new();
    good = context != NULL && EVP_DigestVerifyInit(context, NULL, digest, NULL, key->pkey) == 1 &&
           EVP_DigestVerify(context, signature, length, text, text_length) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

/* By the one algorithm that the key is for. */
static bool jwt_signature(const struct auth_key *key, const char *text, size_t text_length,
                          const char *base64, size_t base64_length)
{
    uint8_t signature[SIGNATURE_MAX], mac[AUTH_DIGEST];
    long length = auth_base64_decode(base64, base64_length, signature, sizeof signature);

    if (length <= 0)
        return false;
    if (key->alg != AUTH_HS256)
        return jwt_signature_public(key, text, text_length, signature, (size_t)length);
    auth_hmac(key->secret, key->secret_length, text, text_length, mac);
    return length == AUTH_DIGEST && auth_equal(mac, signature, sizeof mac);
}

/* A positive number written as text without anything around it; 0: it is not. */
static int64_t jwt_number(const char *text)
{
    int64_t number = 0;

    if (text == NULL || text[0] < '1' || text[0] > '9' || strlen(text) > 18)
        return 0;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return 0;
        number = number * 10 + (*text - '0');
    }
    return number;
}

/* "aud" is a text or an array of texts. */
static bool jwt_audience(const struct vv_value *payload, const char *audience)
{
    const struct vv_value *aud = vv_get(payload, "aud");
    const char *text = vv_get_text(payload, "aud");

    if (text != NULL)
        return strcmp(text, audience) == 0;
    for (size_t i = 0; i < vv_count(aud); i++) {
        struct vv_param one = vv_value_param(vv_at(aud, i));

        if (one.type == VV_TYPE_TEXT && strcmp(one.data, audience) == 0)
            return true;
    }
    return false;
}

static bool jwt_claims(const struct vv_value *payload, const struct auth_expected *expected,
                       struct auth_claims *ret_claims)
{
    const char *issuer = vv_get_text(payload, "iss");
    int64_t not_before = vv_get_int(payload, "nbf", 0);

    if (issuer == NULL || strcmp(issuer, expected->issuer) != 0 ||
        !jwt_audience(payload, expected->audience))
        return false;
    ret_claims->user_id = jwt_number(vv_get_text(payload, "sub"));
    ret_claims->session_id = jwt_number(vv_get_text(payload, "sid"));
    ret_claims->issued = vv_get_int(payload, "iat", 0);
    ret_claims->expires = vv_get_int(payload, "exp", 0);
    if (ret_claims->user_id == 0 || ret_claims->session_id == 0 || ret_claims->issued <= 0 ||
        ret_claims->expires <= 0)
        return false;
    if (vv_has(payload, "nbf") && not_before <= 0)
        return false;
    /* A token begins when the later one of the two says. */
    if (not_before > ret_claims->issued)
        ret_claims->issued = not_before;
    /* After the lifetime was made shorter, what lives longer by its own word does not. */
    if (ret_claims->expires - ret_claims->issued > expected->lifetime)
        ret_claims->expires = ret_claims->issued + expected->lifetime;
    return true;
}

bool auth_jwt_verify(struct vv_request *req, const char *token, size_t length,
                     const struct auth_expected *expected, struct auth_claims *ret_claims)
{
    const char *payload, *signature;
    const struct auth_key *key;
    const struct vv_value *value;
    bool good;

    if (length > AUTH_TOKEN_MAX)
        return false;
    payload = memchr(token, '.', length);
    signature =
        payload == NULL ? NULL : memchr(payload + 1, '.', length - (size_t)(payload + 1 - token));
    if (signature == NULL)
        return false;
    value = jwt_segment(req, token, (size_t)(payload - token));
    key = value == NULL ? NULL : jwt_header_key(value);
    if (key == NULL)
        return false;
    good = jwt_signature(key, token, (size_t)(signature - token), signature + 1,
                         length - (size_t)(signature + 1 - token));
    ERR_clear_error();
    if (!good)
        return false;
    value = jwt_segment(req, payload + 1, (size_t)(signature - payload - 1));
    return value != NULL && jwt_claims(value, expected, ret_claims);
}

bool auth_jwt_current(const struct auth_claims *claims, int64_t now)
{
    return claims->issued <= now + AUTH_LEEWAY && now - AUTH_LEEWAY < claims->expires;
}
