/* Access tokens with each algorithm, and what must not pass for one. */
#include "host.h"

#include "access_token.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

static const struct auth_expected expected = {"https://vv.test", "https://vv.test", 900};
static const struct auth_claims claims = {7, 12, 1700000000, 1700000900};

static char *make_pem(const char *type, const char *detail)
{
    EVP_PKEY *pkey = strcmp(type, "EC") == 0    ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", detail)
                     : strcmp(type, "RSA") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
                                                : EVP_PKEY_Q_keygen(NULL, NULL, type);
    BIO *out = BIO_new(BIO_s_mem());
    char *data, *copy;
    long length;

    assert_non_null(pkey);
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(out, pkey, NULL, NULL, 0, NULL, NULL), 1);
    length = BIO_get_mem_data(out, &data);
    copy = calloc(1, (size_t)length + 1);
    assert_non_null(copy);
    memcpy(copy, data, (size_t)length);
    BIO_free(out);
    EVP_PKEY_free(pkey);
    return copy;
}

/* Makes the plugin load a key as the configuration would; the table of keys has room for three. */
static void load_key(enum auth_alg alg, const char *pem)
{
    static char path[] = "/tmp/vv-test-key-XXXXXX";
    int fd;

    test_conf.jwt_algorithm = alg;
    if (alg == AUTH_HS256 || pem == NULL) {
        assert_int_equal(auth_keys_load(req), 0);
        return;
    }
    memcpy(path + strlen(path) - 6, "XXXXXX", 6);
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, pem, strlen(pem)), (ssize_t)strlen(pem));
    close(fd);
    test_conf.jwt_key_file_previous = path;
    test_conf.jwt_algorithm = AUTH_HS256;
    auth_keys_unload();
    assert_int_equal(auth_keys_load(req), 0);
    unlink(path);
    test_conf.jwt_key_file_previous = NULL;
}

static bool verify(const char *token, struct auth_claims *ret)
{
    bool good = auth_jwt_verify(req, token, strlen(token), &expected, ret);

    assert_int_equal(ERR_peek_error(), 0);
    return good;
}

static void round_trip(size_t index)
{
    char *token = auth_jwt_sign(req, auth_keys_at(index), &expected, &claims);
    struct auth_claims got;

    assert_non_null(token);
    assert_true(verify(token, &got));
    assert_int_equal(got.user_id, 7);
    assert_int_equal(got.session_id, 12);
    assert_int_equal(got.issued, 1700000000);
    assert_int_equal(got.expires, 1700000900);
    /* Any one character that is another one makes it another token. */
    for (size_t i = 0; token[i] != '\0'; i++) {
        char was = token[i];

        token[i] = was == 'A' ? 'B' : 'A';
        assert_false(verify(token, &got));
        token[i] = was;
    }
    token[strlen(token) - 1] = '\0';
    assert_false(verify(token, &got));
}

static void hs256(void **state)
{
    (void)state;
    load_key(AUTH_HS256, NULL);
    round_trip(0);
}

static void asymmetric(const char *type, const char *detail, enum auth_alg alg)
{
    char *pem = make_pem(type, detail);

    load_key(alg, pem);
    assert_non_null(auth_keys_at(1));
    assert_int_equal(auth_keys_at(1)->alg, alg);
    assert_null(strstr(auth_keys_at(1)->jwk, "\"d\""));
    round_trip(1);
    free(pem);
}

static void es256(void **state)
{
    (void)state;
    asymmetric("EC", "P-256", AUTH_ES256);
}

static void rs256(void **state)
{
    (void)state;
    asymmetric("RSA", NULL, AUTH_RS256);
}

static void eddsa(void **state)
{
    (void)state;
    asymmetric("ED25519", NULL, AUTH_EDDSA);
}

static void thumbprint(void **state)
{
    /* The key of RFC 8037, appendix A.1, and its thumbprint of appendix A.3. */
    static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                              "-----END PRIVATE KEY-----\n";
    struct auth_key key;

    (void)state;
    assert_null(auth_key_from_pem(&key, pem, strlen(pem)));
    assert_string_equal(key.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_non_null(strstr(key.jwk, "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""));
    auth_key_free(&key);
}

static void other_keys_are_refused(void **state)
{
    static const char *const curves[] = {"P-384", "secp256k1"};
    struct auth_key key;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char *pem = make_pem("EC", curves[i]);

        assert_string_equal(auth_key_from_pem(&key, pem, strlen(pem)),
                            "an EC key must be of the curve P-256");
        free(pem);
    }
    assert_non_null(auth_key_from_pem(&key, "", 0));
    assert_non_null(auth_key_from_pem(&key, "nonsense", 8));
}

/* The input of the previous versions' header, made by hand: header and payload, HS256. */
static const char *forge(const char *header, const char *payload, const void *key, size_t length)
{
    char h[400], p[800], s[64];
    uint8_t mac[AUTH_DIGEST];
    char *text;

    auth_base64_encode(header, strlen(header), h);
    auth_base64_encode(payload, strlen(payload), p);
    text = vv_printf(req, "%s.%s", h, p);
    auth_hmac(key, length, text, strlen(text), mac);
    auth_base64_encode(mac, sizeof mac, s);
    return vv_printf(req, "%s.%s", text, s);
}

#define PAYLOAD                                                                              \
    "{\"iss\":\"https://vv.test\",\"aud\":\"https://vv.test\",\"sub\":\"7\",\"sid\":\"12\"," \
    "\"iat\":1700000000,\"exp\":1700000900%s}"

/* The header with the key's name in place of KID. */
static const char *named(const char *header, const char *kid)
{
    const char *place = strstr(header, "KID");

    if (place == NULL)
        return header;
    return vv_printf(req, "%.*s%s%s", (int)(place - header), header, kid, place + 3);
}

static bool accepts(const char *header, const char *payload)
{
    const struct auth_key *key = auth_keys_at(0);
    struct auth_claims got;

    return verify(forge(named(header, key->kid), payload, key->secret, key->secret_length), &got);
}

#define GOOD_HEADER "{\"alg\":\"HS256\",\"kid\":\"KID\",\"typ\":\"at+jwt\"}"

static void headers(void **state)
{
    char payload[800];
    const struct auth_key *key;
    struct auth_claims got;

    (void)state;
    auth_keys_unload();
    load_key(AUTH_HS256, NULL);
    key = auth_keys_at(0);
    snprintf(payload, sizeof payload, PAYLOAD, "");
    assert_true(accepts(GOOD_HEADER, payload));
    assert_true(
        accepts("{\"kid\":\"KID\",\"typ\":\"application/AT+JWT\",\"alg\":\"HS256\"}", payload));
    assert_false(accepts("{\"alg\":\"HS256\",\"kid\":\"KID\",\"typ\":\"JWT\"}", payload));
    assert_false(accepts("{\"alg\":\"HS256\",\"kid\":\"KID\"}", payload));
    assert_false(accepts("{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", payload));
    assert_false(accepts("{\"alg\":\"HS512\",\"kid\":\"KID\",\"typ\":\"at+jwt\"}", payload));
    assert_false(accepts("{\"alg\":\"none\",\"kid\":\"KID\",\"typ\":\"at+jwt\"}", payload));
    assert_false(accepts("{\"alg\":\"hs256\",\"kid\":\"KID\",\"typ\":\"at+jwt\"}", payload));
    assert_false(accepts("{\"alg\":\"HS256\",\"kid\":\"xKID\",\"typ\":\"at+jwt\"}", payload));
    assert_false(
        accepts("{\"alg\":\"HS256\",\"kid\":\"KID\",\"typ\":\"at+jwt\",\"crit\":[\"x\"],\"x\":1}",
                payload));
    assert_false(accepts("{\"alg\":\"HS256\",\"alg\":\"HS256\",\"kid\":\"KID\",\"typ\":\"at+jwt\"}",
                         payload));
    assert_false(verify("", &got));
    assert_false(verify(".", &got));
    assert_false(verify("..", &got));
    assert_false(verify("a.b.c.d.e", &got));
    assert_false(verify(vv_printf(req, "%s.x", forge("{}", payload, key->secret, 4)), &got));
}

static const char *public_pem(const struct auth_key *key)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *data, *copy;
    long length;

    assert_int_equal(PEM_write_bio_PUBKEY(out, key->pkey), 1);
    length = BIO_get_mem_data(out, &data);
    copy = vv_alloc(req, (size_t)length + 1);
    memcpy(copy, data, (size_t)length);
    BIO_free(out);
    return copy;
}

static void confusion(void **state)
{
    static const char *const types[] = {"EC", "RSA", "ED25519"};
    static const enum auth_alg algs[] = {AUTH_ES256, AUTH_RS256, AUTH_EDDSA};
    const char *header;
    char payload[800];
    struct auth_claims got;

    (void)state;
    snprintf(payload, sizeof payload, PAYLOAD, "");
    for (size_t i = 0; i < 3; i++) {
        char *pem = make_pem(types[i], "P-256");
        const struct auth_key *key;

        load_key(algs[i], pem);
        key = auth_keys_at(1);
        header = named(GOOD_HEADER, key->kid);
        assert_false(
            verify(forge(header, payload, public_pem(key), strlen(public_pem(key))), &got));
        assert_false(verify(forge(header, payload, key->jwk, strlen(key->jwk)), &got));
        /* The secret's own token under the other key's name, and the other way round. */
        assert_false(verify(
            forge(header, payload, auth_keys_at(0)->secret, auth_keys_at(0)->secret_length), &got));
        free(pem);
    }
}

static void payloads(void **state)
{
    static const char *const extra_bad[] = {",\"nbf\":\"soon\"", ",\"nbf\":-1", ",\"exp\":1"};
    static const char *const bad[] = {
        "{}",
        "[]",
        "{\"iss\":\"https://evil.test\",\"aud\":\"https://"
        "vv.test\",\"sub\":\"7\",\"sid\":\"12\",\"iat\":1,\"exp\":2}",
        "{\"iss\":\"https://"
        "vv.test\",\"aud\":\"other\",\"sub\":\"7\",\"sid\":\"12\",\"iat\":1,\"exp\":2}",
        "{\"iss\":\"https://"
        "vv.test\",\"aud\":[\"other\"],\"sub\":\"7\",\"sid\":\"12\",\"iat\":1,\"exp\":2}",
        "{\"iss\":\"https://vv.test\",\"aud\":\"https://"
        "vv.test\",\"sub\":7,\"sid\":\"12\",\"iat\":1,\"exp\":2}",
        "{\"iss\":\"https://vv.test\",\"aud\":\"https://"
        "vv.test\",\"sub\":\"-7\",\"sid\":\"12\",\"iat\":1,\"exp\":2}",
        "{\"iss\":\"https://vv.test\",\"aud\":\"https://"
        "vv.test\",\"sub\":\"7x\",\"sid\":\"12\",\"iat\":1,\"exp\":2}",
        "{\"iss\":\"https://vv.test\",\"aud\":\"https://"
        "vv.test\",\"sub\":\"7\",\"iat\":1,\"exp\":2}",
        "{\"iss\":\"https://vv.test\",\"aud\":\"https://"
        "vv.test\",\"sub\":\"7\",\"sid\":\"12\",\"exp\":2}",
        "{\"iss\":\"https://vv.test\",\"aud\":\"https://"
        "vv.test\",\"sub\":\"7\",\"sid\":\"12\",\"iat\":1}",
        "{\"iss\":\"https://vv.test\",\"aud\":\"https://"
        "vv.test\",\"sub\":\"7\",\"sid\":\"12\",\"iat\":1,\"exp\":\"2\"}",
    };
    char payload[800];

    (void)state;
    auth_keys_unload();
    load_key(AUTH_HS256, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(accepts(GOOD_HEADER, bad[i]));
    for (size_t i = 0; i < sizeof extra_bad / sizeof extra_bad[0]; i++) {
        snprintf(payload, sizeof payload, PAYLOAD, extra_bad[i]);
        assert_false(accepts(GOOD_HEADER, payload));
    }
    snprintf(payload, sizeof payload, PAYLOAD, ",\"nbf\":1700000000");
    assert_true(accepts(GOOD_HEADER, payload));
    assert_true(accepts(GOOD_HEADER,
                        "{\"iss\":\"https://vv.test\",\"aud\":[\"a\",\"https://vv.test\"],"
                        "\"sub\":\"7\",\"sid\":\"12\",\"iat\":1,\"exp\":2}"));
}

static void clocks(void **state)
{
    const struct auth_key *key;
    struct auth_claims got;

    (void)state;
    assert_true(auth_jwt_current(&claims, claims.issued));
    assert_true(auth_jwt_current(&claims, claims.issued - 2));
    assert_true(auth_jwt_current(&claims, claims.issued - 30));
    assert_false(auth_jwt_current(&claims, claims.issued - 31));
    assert_false(auth_jwt_current(&claims, claims.issued - 300));
    assert_true(auth_jwt_current(&claims, claims.expires + 29));
    assert_false(auth_jwt_current(&claims, claims.expires + 30));

    /* A token begins when nbf says, and never lives longer than a token may. */
    key = auth_keys_at(0);
    assert_true(
        verify(forge(named(GOOD_HEADER, key->kid), vv_printf(req, PAYLOAD, ",\"nbf\":1700000100"),
                     key->secret, key->secret_length),
               &got));
    assert_int_equal(got.issued, 1700000100);
    assert_true(
        verify(forge(named(GOOD_HEADER, key->kid),
                     "{\"iss\":\"https://vv.test\",\"aud\":\"https://vv.test\",\"sub\":\"7\","
                     "\"sid\":\"12\",\"iat\":1700000000,\"exp\":1800000000}",
                     key->secret, key->secret_length),
               &got));
    assert_int_equal(got.expires, 1700000900);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hs256),      cmocka_unit_test(es256),
        cmocka_unit_test(rs256),      cmocka_unit_test(eddsa),
        cmocka_unit_test(thumbprint), cmocka_unit_test(other_keys_are_refused),
        cmocka_unit_test(headers),    cmocka_unit_test(confusion),
        cmocka_unit_test(payloads),   cmocka_unit_test(clocks),
    };

    return cmocka_run_group_tests(tests, host_setup, host_teardown);
}
