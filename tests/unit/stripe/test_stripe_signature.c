/* Stripe-Signature: what is taken and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "signature.h"

#define NOW  INT64_C(1760000000)
#define BODY "{\"id\": \"evt_1\", \"object\": \"event\"}"

static const char *const secrets[] = {"whsec_new", "whsec_old", NULL};
static char header[512];

static const char *sign(const char *secret, int64_t at, const char *body)
{
    static char hex[65];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    char text[256];
    int written = snprintf(text, sizeof text, "%lld.%s", (long long)at, body);

    assert_non_null(HMAC(EVP_sha256(), secret, (int)strlen(secret), (unsigned char *)text,
                         (size_t)written, digest, &length));
    for (unsigned i = 0; i < length; i++)
        snprintf(hex + 2 * (size_t)i, 3, "%02x", digest[i]);
    return hex;
}

static enum stripe_signature check_at(int64_t now)
{
    return stripe_signature_check(header, BODY, strlen(BODY), secrets, now);
}

static void signature_of_any_secret(void **state)
{
    (void)state;
    for (size_t i = 0; secrets[i] != NULL; i++) {
        snprintf(header, sizeof header, "t=%lld,v1=%s", (long long)NOW,
                 sign(secrets[i], NOW, BODY));
        assert_int_equal(check_at(NOW), STRIPE_SIGNATURE_GOOD);
    }
    snprintf(header, sizeof header, "t=%lld,v1=%s", (long long)NOW, sign("whsec_other", NOW, BODY));
    assert_int_equal(check_at(NOW), STRIPE_SIGNATURE_DIFFERENT);
}

static void any_of_several_v1(void **state)
{
    char other[65];

    (void)state;
    snprintf(other, sizeof other, "%s", sign("whsec_other", NOW, BODY));
    snprintf(header, sizeof header, "t=%lld,v1=%s,v1=%s,v0=%s", (long long)NOW, other,
             sign("whsec_old", NOW, BODY), other);
    assert_int_equal(check_at(NOW), STRIPE_SIGNATURE_GOOD);
    snprintf(header, sizeof header, "t=%lld,v0=%s", (long long)NOW, sign("whsec_old", NOW, BODY));
    assert_int_equal(check_at(NOW), STRIPE_SIGNATURE_ABSENT);
}

static void tolerance_both_ways(void **state)
{
    (void)state;
    snprintf(header, sizeof header, "t=%lld,v1=%s", (long long)NOW, sign("whsec_new", NOW, BODY));
    assert_int_equal(check_at(NOW + 300), STRIPE_SIGNATURE_GOOD);
    assert_int_equal(check_at(NOW - 300), STRIPE_SIGNATURE_GOOD);
    assert_int_equal(check_at(NOW + 301), STRIPE_SIGNATURE_STALE);
    assert_int_equal(check_at(NOW - 301), STRIPE_SIGNATURE_STALE);
}

static void every_changed_byte(void **state)
{
    char body[] = BODY;

    (void)state;
    snprintf(header, sizeof header, "t=%lld,v1=%s", (long long)NOW, sign("whsec_new", NOW, BODY));
    for (size_t i = 0; header[i] != '\0'; i++) {
        const char was = header[i];

        for (int c = 1; c < 256; c++) {
            if ((char)c == was)
                continue;
            header[i] = (char)c;
            if (check_at(NOW) == STRIPE_SIGNATURE_GOOD)
                fail_msg("byte %zu as %d is taken: %s", i, c, header);
        }
        header[i] = was;
    }
    for (size_t i = 0; i + 1 < sizeof body; i++) {
        body[i] ^= 1;
        assert_int_equal(stripe_signature_check(header, body, sizeof body - 1, secrets, NOW),
                         STRIPE_SIGNATURE_DIFFERENT);
        body[i] ^= 1;
    }
    assert_int_equal(stripe_signature_check(header, body, sizeof body - 2, secrets, NOW),
                     STRIPE_SIGNATURE_DIFFERENT);
}

static void broken_headers(void **state)
{
    static const char *const broken[] = {
        "",
        ",",
        "t",
        "t=",
        "v1=",
        "t=1",
        "t=x,v1=y",
        "t=1,v1=00",
        "t==,v1==",
        "=,=,=",
        "t=99999999999999999999999999,v1=00",
    };
    const char *good = sign("whsec_new", NOW, BODY);

    (void)state;
    assert_int_equal(stripe_signature_check(NULL, BODY, strlen(BODY), secrets, NOW),
                     STRIPE_SIGNATURE_ABSENT);
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        assert_int_equal(stripe_signature_check(broken[i], BODY, strlen(BODY), secrets, NOW),
                         STRIPE_SIGNATURE_ABSENT);
    /* Two times: which of them was signed? */
    snprintf(header, sizeof header, "t=%lld,t=%lld,v1=%s", (long long)NOW, (long long)NOW, good);
    assert_int_equal(check_at(NOW), STRIPE_SIGNATURE_ABSENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signature_of_any_secret), cmocka_unit_test(any_of_several_v1),
        cmocka_unit_test(tolerance_both_ways),     cmocka_unit_test(every_changed_byte),
        cmocka_unit_test(broken_headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
