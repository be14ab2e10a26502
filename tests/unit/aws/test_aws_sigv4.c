/* Presigned URLs against the signatures that AWS publishes. */
#include "host.h"
#include "sigv4.h"

#define AT_20150830_123600 INT64_C(1440938160000000)
#define AT_20130524        INT64_C(1369353600000000)
#define SCOPE                                                       \
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE" \
    "%2F20150830%2Fus-east-1%2Fservice%2Faws4_request"              \
    "&X-Amz-Date=20150830T123600Z&X-Amz-Expires=3600"
#define TOKEN "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"

#define STS_TOKEN                                                                                  \
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSP" \
    "fIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT" \
    "7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlz" \
    "m8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="

static const struct aws_pair nothing[] = {{NULL, NULL}};

/* What AWS's signing test suite (v4) is signed with. */
static struct aws_presign suite(const struct aws_pair *query)
{
    return (struct aws_presign){.scheme = "https",
                                .host = "example.amazonaws.com",
                                .path = "/",
                                .region = "us-east-1",
                                .service = "service",
                                .id = "AKIDEXAMPLE",
                                .secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                .now = AT_20150830_123600,
                                .expires = 3600,
                                .query = query};
}

/* "Authenticating Requests: Using Query Parameters" of the reference of Amazon S3. */
static void the_example_of_s3(void **state)
{
    const struct aws_presign what = {.scheme = "https",
                                     .host = "examplebucket.s3.amazonaws.com",
                                     .path = "/test.txt",
                                     .region = "us-east-1",
                                     .service = "s3",
                                     .id = "AKIAIOSFODNN7EXAMPLE",
                                     .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                                     .now = AT_20130524,
                                     .expires = 86400,
                                     .payload = "UNSIGNED-PAYLOAD",
                                     .query = nothing};

    (void)state;
    assert_string_equal(
        aws_presign(req, &what),
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

/* get-vanilla-query-order-key-case: the order is ours to make. */
static void parameters_are_sorted(void **state)
{
    const struct aws_pair query[] = {{"Param2", "value2"}, {"Param1", "value1"}, {NULL, NULL}};
    const struct aws_presign what = suite(query);

    (void)state;
    assert_string_equal(
        aws_presign(req, &what),
        "https://example.amazonaws.com/?Param1=value1&Param2=value2&" SCOPE
        "&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5");
}

/* get-vanilla-query-order-encoded: by the escaped names. */
static void what_is_not_ascii_is_escaped(void **state)
{
    const struct aws_pair query[] = {
        {"Param-3", "Value3"}, {"Param", "Value2"}, {"\xe1\x88\xb4", "Value1"}, {NULL, NULL}};
    const struct aws_presign what = suite(query);

    (void)state;
    assert_string_equal(
        aws_presign(req, &what),
        "https://example.amazonaws.com/?%E1%88%B4=Value1&Param=Value2&Param-3=Value3&" SCOPE
        "&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=c5f1848ceec943ac2ca68ee720460c23aaae30a2300586597ada94c4a65e4787");
}

/* get-vanilla-with-session-token. */
static void a_token_is_signed_with_the_rest(void **state)
{
    struct aws_presign what = suite(nothing);

    (void)state;
    what.token = TOKEN;
    assert_string_equal(
        aws_presign(req, &what),
        "https://example.amazonaws.com/?" SCOPE "&X-Amz-Security-Token=" TOKEN
        "&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f73cc53f67b6c");
}

static void too_many_parameters(void **state)
{
    struct aws_pair query[60];
    const struct aws_presign what = suite(query);

    (void)state;
    for (size_t i = 0; i < 59; i++)
        query[i] = (struct aws_pair){"a", "b"};
    query[59] = (struct aws_pair){NULL, NULL};
    assert_null(aws_presign(req, &what));
}

/* post-vanilla, and post-sts-header-before with a token. */
static void headers_of_a_post(void **state)
{
    struct aws_signed what = {.url = "https://example.amazonaws.com:443/",
                              .region = "us-east-1",
                              .service = "service",
                              .id = "AKIDEXAMPLE",
                              .secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                              .body = "",
                              .time = "20150830T123600Z"};
    const char *expected =
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b";

    (void)state;
    assert_string_equal(aws_sign_post(req, &what), expected);
    what.url = "http://example.amazonaws.com:80/";
    assert_string_equal(aws_sign_post(req, &what), expected);
    what.url = "http://example.amazonaws.com:443/";
    assert_string_not_equal(aws_sign_post(req, &what), expected);
    what.url = "https://example.amazonaws.com";
    what.token = STS_TOKEN;
    assert_string_equal(
        aws_sign_post(req, &what),
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date;x-amz-security-token, "
        "Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_s3),
        cmocka_unit_test(parameters_are_sorted),
        cmocka_unit_test(what_is_not_ascii_is_escaped),
        cmocka_unit_test(a_token_is_signed_with_the_rest),
        cmocka_unit_test(too_many_parameters),
        cmocka_unit_test(headers_of_a_post),
    };

    return cmocka_run_group_tests(tests, host_setup, host_teardown);
}
