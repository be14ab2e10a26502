/* Reads the signing keys at start, and answers which one a token names. */
#include "keys.h"

#include "auth.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_MIN 32
#define PEM_MAX    16384

static struct auth_key keys[3]; /* the present one, and those before it */
static size_t key_count;

const char *auth_alg_name(enum auth_alg alg)
{
    static const char *const names[] = {"HS256", "ES256", "RS256", "EdDSA"};

    return names[alg];
}

static void *keys_copy(const void *data, size_t length)
{
    char *copy = malloc(length + 1);

    if (copy == NULL)
        abort();
    memcpy(copy, data, length);
    copy[length] = '\0';
    return copy;
}

void auth_key_from_secret(struct auth_key *key, const char *secret)
{
    uint8_t label[AUTH_DIGEST];

    memset(key, 0, sizeof *key);
    key->alg = AUTH_HS256;
    key->secret_length = strlen(secret);
    key->secret = keys_copy(secret, key->secret_length);
    /* A label that says which secret it was, and nothing about it. */
    auth_hkdf(secret, key->secret_length, "vvserver key id", label, sizeof label);
    auth_base64_encode(label, 16, key->kid);
}

/* A public number of the key in base64url, left-padded to `length` bytes when that is not 0. */
static bool keys_number(EVP_PKEY *pkey, const char *name, size_t length, char *ret_text,
                        size_t size)
{
    uint8_t bytes[1024];
    BIGNUM *number = NULL;
    size_t needed;
    bool good;

    if (EVP_PKEY_get_bn_param(pkey, name, &number) != 1)
        return false;
    needed = length != 0 ? length : (size_t)BN_num_bytes(number);
    good = needed <= sizeof bytes && AUTH_BASE64_SIZE(needed) <= size &&
           BN_bn2binpad(number, bytes, (int)needed) == (int)needed;
    if (good)
        auth_base64_encode(bytes, needed, ret_text);
    BN_free(number);
    return good;
}

/* The members that RFC 7638 digests, in its order. NULL: another kind of key. */
static const char *keys_members(EVP_PKEY *pkey, enum auth_alg *ret_alg, char *ret_json, size_t size)
{
    char a[1400], b[1400], group[32];
    uint8_t raw[64];
    size_t length = sizeof raw;

    if (EVP_PKEY_is_a(pkey, "EC")) {
        *ret_alg = AUTH_ES256;
        if (EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) != 1 ||
            strcmp(group, "prime256v1") != 0 ||
            !keys_number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, 32, a, sizeof a) ||
            !keys_number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, 32, b, sizeof b))
            return "an EC key must be of the curve P-256";
        snprintf(ret_json, size, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", a,
                 b);
        return NULL;
    }
    if (EVP_PKEY_is_a(pkey, "RSA")) {
        *ret_alg = AUTH_RS256;
        if (EVP_PKEY_get_bits(pkey) < 2048 || EVP_PKEY_get_bits(pkey) > 8192 ||
            !keys_number(pkey, OSSL_PKEY_PARAM_RSA_E, 0, a, sizeof a) ||
            !keys_number(pkey, OSSL_PKEY_PARAM_RSA_N, 0, b, sizeof b))
            return "an RSA key must have 2048 to 8192 bits";
        snprintf(ret_json, size, "{\"e\":\"%s\",\"kty\":\"RSA\",\"n\":\"%s\"}", a, b);
        return NULL;
    }
    *ret_alg = AUTH_EDDSA;
    if (!EVP_PKEY_is_a(pkey, "ED25519") || EVP_PKEY_get_raw_public_key(pkey, raw, &length) != 1)
        return "it must be an RSA, a P-256 or an Ed25519 key";
    auth_base64_encode(raw, length, a);
    snprintf(ret_json, size, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"%s\"}", a);
    return NULL;
}

const char *auth_key_from_pem(struct auth_key *key, const char *pem, size_t length)
{
    char members[3000];
    uint8_t thumb[AUTH_DIGEST];
    const char *problem;
    size_t jwk_size;
    BIO *in;

    memset(key, 0, sizeof *key);
    in = BIO_new_mem_buf(pem, (int)length);
    /* An empty passphrase instead of a question on the terminal. */
    key->pkey = in == NULL ? NULL : PEM_read_bio_PrivateKey(in, NULL, NULL, (void *)"");
    BIO_free(in);
    ERR_clear_error();
    if (key->pkey == NULL)
        return "it holds no private key (PKCS #8 PEM, without a passphrase)";
    problem = keys_members(key->pkey, &key->alg, members, sizeof members);
    ERR_clear_error();
    if (problem != NULL) {
        auth_key_free(key);
        return problem;
    }
    auth_sha256(members, strlen(members), thumb);
    auth_base64_encode(thumb, sizeof thumb, key->kid);
    jwk_size = strlen(members) + 160;
    key->jwk = malloc(jwk_size);
    if (key->jwk == NULL)
        abort();
    snprintf(key->jwk, jwk_size, "%.*s,\"use\":\"sig\",\"alg\":\"%s\",\"kid\":\"%s\"}",
             (int)strlen(members) - 1, members, auth_alg_name(key->alg), key->kid);
    return NULL;
}

void auth_key_free(struct auth_key *key)
{
    if (key->secret != NULL)
        auth_wipe(key->secret, key->secret_length);
    free(key->secret);
    free(key->jwk);
    EVP_PKEY_free(key->pkey);
    memset(key, 0, sizeof *key);
}

static int keys_read(struct vv_request *req, const char *option, const char *path)
{
    char pem[PEM_MAX];
    const char *problem;
    size_t length;
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return vv_fail(req, 500, "bad_key", "[auth] %s: %s: %s", option, path, strerror(errno));
    length = fread(pem, 1, sizeof pem, file);
    (void)fclose(file);
    if (length == sizeof pem)
        problem = "it is too long for a key";
    else
        problem = auth_key_from_pem(&keys[key_count], pem, length);
    auth_wipe(pem, sizeof pem);
    if (problem != NULL)
        return vv_fail(req, 500, "bad_key", "[auth] %s: %s: %s", option, path, problem);
    key_count++;
    return 0;
}

static int keys_take_secret(struct vv_request *req, const char *option, const char *secret)
{
    if (strlen(secret) < SECRET_MIN)
        return vv_fail(req, 500, "bad_key",
                       "[auth] %s is too short (%zu bytes; at least %d are needed): make one with "
                       "`openssl rand -base64 48`",
                       option, strlen(secret), SECRET_MIN);
    auth_key_from_secret(&keys[key_count++], secret);
    return 0;
}

static int keys_load_present(struct vv_request *req, const struct auth_conf *conf)
{
    static const char *const commands[] = {
        [AUTH_ES256] = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256",
        [AUTH_RS256] = "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072",
        [AUTH_EDDSA] = "openssl genpkey -algorithm ED25519",
    };
    enum auth_alg alg = (enum auth_alg)conf->jwt_algorithm;

    if (alg == AUTH_HS256) {
        if (conf->jwt_secret == NULL || conf->jwt_secret[0] == '\0')
            return vv_fail(req, 500, "bad_key",
                           "[auth] jwt_secret is missing: make one with `openssl rand -base64 48`");
        return keys_take_secret(req, "jwt_secret", conf->jwt_secret);
    }
    if (conf->jwt_key_file == NULL)
        return vv_fail(req, 500, "bad_key",
                       "[auth] jwt_key_file is missing, which %s needs: make one with `%s`",
                       auth_alg_name(alg), commands[alg]);
    VV_TRY(keys_read(req, "jwt_key_file", conf->jwt_key_file));
    if (keys[0].alg != alg)
        return vv_fail(req, 500, "bad_key",
                       "[auth] jwt_key_file: %s: this key is for %s, and jwt_algorithm is %s",
                       conf->jwt_key_file, auth_alg_name(keys[0].alg), auth_alg_name(alg));
    return 0;
}

int auth_keys_load(struct vv_request *req)
{
    const struct auth_conf *conf = auth_conf();

    VV_TRY(keys_load_present(req, conf));
    if (conf->jwt_key_file_previous != NULL)
        VV_TRY(keys_read(req, "jwt_key_file_previous", conf->jwt_key_file_previous));
    if (conf->jwt_secret_previous != NULL && conf->jwt_secret_previous[0] != '\0')
        VV_TRY(keys_take_secret(req, "jwt_secret_previous", conf->jwt_secret_previous));
    return 0;
}

void auth_keys_unload(void)
{
    while (key_count > 0)
        auth_key_free(&keys[--key_count]);
}

const struct auth_key *auth_keys_at(size_t index)
{
    return index < key_count ? &keys[index] : NULL;
}

const struct auth_key *auth_keys_find(const char *kid)
{
    for (size_t i = 0; i < key_count; i++)
        if (strcmp(keys[i].kid, kid) == 0)
            return &keys[i];
    return NULL;
}

bool auth_keys_derive(const char *label, bool previous, uint8_t *ret_key, size_t length)
{
    const struct auth_key *key = auth_keys_at(previous ? 1 : 0);
    uint8_t *der = NULL;
    int der_length;

    if (key == NULL)
        return false;
    if (key->pkey == NULL) {
        auth_hkdf(key->secret, key->secret_length, label, ret_key, length);
        return true;
    }
    /* The key itself, not its file, in which a blank line more or less means nothing. */
    der_length = i2d_PrivateKey(key->pkey, &der);
    if (der_length <= 0)
        return false;
    auth_hkdf(der, (size_t)der_length, label, ret_key, length);
    OPENSSL_clear_free(der, (size_t)der_length);
    return true;
}
