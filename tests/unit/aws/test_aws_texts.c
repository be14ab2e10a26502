/* Times, forms, policies, tags, and the files with profiles. */
#include "host.h"
#include "profile.h"

#define NOON INT64_C(1790856000000000) /* 2026-10-01T12:00:00Z */

static void times_of_answers(void **state)
{
    static const char *const bad[] = {"",
                                      "2026-10-01T12:00:00",
                                      "2026-10-01 12:00:00Z",
                                      "2026-10-01T12:00:00+00:00",
                                      "2026-13-01T12:00:00Z",
                                      "2026-02-30T12:00:00Z",
                                      "2026-10-01T25:00:00Z",
                                      "2026-10-01T12:00:00.Z",
                                      "2026-10-01T12:00:00ZZ",
                                      "2026-1-01T12:00:00ZZZ",
                                      "1960-10-01T12:00:00Z"};

    (void)state;
    assert_int_equal(aws_time_iso("2026-10-01T12:00:00Z"), NOON);
    assert_int_equal(aws_time_iso("2026-10-01T12:00:00.123Z"), NOON);
    assert_int_equal(aws_time_iso(NULL), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(aws_time_iso(bad[i]), 0);
}

static void times_of_headers(void **state)
{
    static const char *const bad[] = {"",
                                      "Thu, 01 Xxx 2026 12:00:00 GMT",
                                      "Thu, 01 Oct 2026 12:00:00 CET",
                                      "Thu, 32 Oct 2026 12:00:00 GMT",
                                      "2026-10-01T12:00:00Z",
                                      "Thu, 1 Oct 2026 12:00:00 GMT"};
    char text[17];

    (void)state;
    assert_int_equal(aws_time_http("Thu, 01 Oct 2026 12:00:00 GMT"), NOON);
    assert_int_equal(aws_time_http(NULL), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(aws_time_http(bad[i]), 0);
    aws_time_basic(NOON + 5, text);
    assert_string_equal(text, "20261001T120000Z");
}

static void forms(void **state)
{
    const char *form = aws_form_add(req, NULL, "Action", "AssumeRole");

    (void)state;
    form = aws_form_add(req, form, "ExternalId", NULL);
    form = aws_form_add(req, form, "Value", "a b&c=d+e%/\xc3\xa9~._-*'()");
    assert_string_equal(form,
                        "Action=AssumeRole&Value=a%20b%26c%3Dd%2Be%25%2F%C3%A9~._-%2A%27%28%29");
}

static void policies(void **state)
{
    static const char *const good[] = {"transcribe:StartStreamTranscription", "s3:Get*", NULL};
    static const char *const none[] = {NULL};
    static const char *const bad[][2] = {
        {"*", NULL},    {"transcribe", NULL}, {"transcribe:*", NULL},
        {":a", NULL},   {"a:", NULL},         {"a:b\",\"Resource\":\"", NULL},
        {"a b:c", NULL}};
    const char *why, *many[61] = {NULL};

    (void)state;
    assert_string_equal(aws_policy_make(req, good, &why),
                        "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\","
                        "\"Action\":[\"transcribe:StartStreamTranscription\",\"s3:Get*\"],"
                        "\"Resource\":\"*\"}]}");
    assert_null(aws_policy_make(req, none, &why));
    assert_non_null(strstr(why, "is empty"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_null(aws_policy_make(req, bad[i], &why));
        assert_non_null(strstr(why, "is no action"));
    }
    for (size_t i = 0; i < 60; i++)
        many[i] = "transcribe:StartStreamTranscription";
    assert_null(aws_policy_make(req, many, &why));
    assert_non_null(strstr(why, "2048"));
}

static void tags(void **state)
{
    char longest[400];

    (void)state;
    assert_string_equal(aws_tag_value(req, "pro-yearly_2.0:/=+@ x"), "pro-yearly_2.0:/=+@ x");
    assert_string_equal(aws_tag_value(req, "a\"b<c>\n\xc3\xa9"), "a_b_c____");
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(strlen(aws_tag_value(req, longest)), 256);
}

static const char credentials[] = "# keys\r\n"
                                  "[default]\r\n"
                                  "aws_access_key_id = AKIADEFAULT\r\n"
                                  "aws_secret_access_key=a/b+c==  ; not this\r\n"
                                  "\r\n"
                                  "[ other ]\n"
                                  "aws_access_key_id=AKIAOTHER\n"
                                  "aws_secret_access_key = se#cret\n"
                                  "aws_session_token = token\n"
                                  "  aws_access_key_id = NESTED\n"
                                  "junk\n"
                                  "[third]\n"
                                  "aws_access_key_id =\n";
static const char config[] = "[default]\nregion = eu-central-1\n"
                             "[profile other]\naws_access_key_id = AKIACONFIG\n"
                             "[other]\naws_access_key_id = AKIAWRONG\n"
                             "[profile sso]\nsso_session = corp\n"
                             "[services x]\naws_access_key_id = AKIASERVICE\n[broken\n";

static void profiles_with_keys(void **state)
{
    struct aws_profile profile;

    (void)state;
    aws_profile_read(req, credentials, "default", false, &profile);
    assert_true(profile.found);
    assert_string_equal(profile.id, "AKIADEFAULT");
    assert_string_equal(profile.secret, "a/b+c==");
    assert_null(profile.token);
    aws_profile_read(req, credentials, "other", false, &profile);
    assert_string_equal(profile.id, "AKIAOTHER");
    assert_string_equal(profile.secret, "se#cret");
    assert_string_equal(profile.token, "token");
    aws_profile_read(req, config, "other", true, &profile);
    assert_string_equal(profile.id, "AKIACONFIG");
}

static void profiles_without(void **state)
{
    struct aws_profile profile;

    (void)state;
    aws_profile_read(req, credentials, "third", false, &profile);
    assert_true(profile.found);
    assert_null(profile.id);
    aws_profile_read(req, credentials, "fourth", false, &profile);
    assert_false(profile.found);
    aws_profile_read(req, config, "default", true, &profile);
    assert_true(profile.found);
    assert_null(profile.other);
    aws_profile_read(req, config, "sso", true, &profile);
    assert_string_equal(profile.other, "sso_session");
    aws_profile_read(req, config, "x", true, &profile);
    assert_false(profile.found);
    aws_profile_read(req, "", "default", true, &profile);
    assert_false(profile.found);
}

static void local_credentials(void **state)
{
    static const char good[] = "{\"Code\":\"Success\",\"AccessKeyId\":\"ASIA\","
                               "\"SecretAccessKey\":\"s\",\"Token\":\"t\","
                               "\"Expiration\":\"2026-10-01T12:00:00Z\"}";
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}",
        "{\"AccessKeyId\":\"ASIA\"}",
        "{\"AccessKeyId\":1,\"SecretAccessKey\":\"s\"}",
        "{\"AccessKeyId\":\"ASIA\",\"SecretAccessKey\":\"s\",\"Expiration\":\"soon\"}"};
    struct aws_finding finding = {.until = 0};

    (void)state;
    assert_int_equal(aws_read_json(req, good, strlen(good), &finding), 0);
    assert_string_equal(finding.keys.id, "ASIA");
    assert_string_equal(finding.keys.token, "t");
    assert_int_equal(finding.keys.expires, NOON);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(aws_read_json(req, bad[i], strlen(bad[i]), &finding), VV_EFAIL);
}

static void kept_sessions(void **state)
{
    const struct aws_keys keys = {
        .id = "ASIA", .secret = "s", .token = "t", .expires = aws_clock() + INT64_C(3600000000)};
    struct aws_who who = {.plan = "pro"};
    struct aws_keys found;

    (void)state;
    aws_reuse_store(7, &who, &keys);
    assert_false(aws_reuse_find(req, 7, &who, &found));
    test_conf.reuse_seconds = 60;
    aws_reuse_store(7, &who, &keys);
    assert_true(aws_reuse_find(req, 7, &who, &found));
    assert_string_equal(found.id, "ASIA");
    assert_false(aws_reuse_find(req, 8, &who, &found));
    who.left = 1800; /* access ends before they do */
    assert_false(aws_reuse_find(req, 7, &who, &found));
    who.left = 3700;
    assert_true(aws_reuse_find(req, 7, &who, &found));
    who.plan = "basic";
    assert_false(aws_reuse_find(req, 7, &who, &found));
    who.plan = "pro";
    aws_reuse_sweep();
    assert_true(aws_reuse_find(req, 7, &who, &found));
    test_conf.reuse_seconds = 0;
    aws_reuse_sweep();
    test_conf.reuse_seconds = 60;
    assert_false(aws_reuse_find(req, 7, &who, &found));
    aws_reuse_wipe();
    assert_false(aws_reuse_find(req, 7, &who, &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_of_answers),
        cmocka_unit_test(times_of_headers),
        cmocka_unit_test(forms),
        cmocka_unit_test(policies),
        cmocka_unit_test(tags),
        cmocka_unit_test(profiles_with_keys),
        cmocka_unit_test(profiles_without),
        cmocka_unit_test(local_credentials),
        cmocka_unit_test(kept_sessions),
    };

    return cmocka_run_group_tests(tests, host_setup, host_teardown);
}
