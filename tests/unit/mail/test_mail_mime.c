/* Messages on the wire: encodings, line lengths, and headers that nothing can break out of. */
#include "mock_host.h"

#include "mime.h"

static const struct mail_content hello = {
    .subject = "Hello", .text = "Hi\n", .html = "<p>Hi</p>\n"};

static struct mail_envelope envelope_of(const char *name, const char *address)
{
    return (struct mail_envelope){
        .from = {"Shop", "shop@vv.test"},
        .to = {name, address},
        .message_id = "<0123456789abcdef@vv.test>",
        .date = INT64_C(1795372200000000),
    };
}

static const char *build(const struct mail_envelope *envelope, const struct mail_content *content)
{
    const char *data = NULL;
    size_t length = 0;

    if (mail_mime_build(NULL, envelope, content, &data, &length) < 0)
        return NULL;
    assert_int_equal(strlen(data), length);
    return data;
}

/* No bare CR or LF, nothing but ASCII, no line over 78 characters. */
static void assert_wire(const char *data)
{
    size_t column = 0;

    for (; *data != '\0'; data++) {
        assert_true((unsigned char)*data < 0x80);
        if (*data == '\r') {
            assert_int_equal(data[1], '\n');
            data++;
            column = 0;
            continue;
        }
        assert_true(*data != '\n');
        assert_true(++column <= 78);
    }
    assert_int_equal(column, 0);
}

static const char *words(const char *text)
{
    struct mail_text out;

    mail_text_init(&out, NULL);
    mail_mime_words(&out, text);
    return out.data;
}

static const char *quoted(const char *text)
{
    struct mail_text out;

    mail_text_init(&out, NULL);
    mail_mime_quoted(&out, text);
    return out.data;
}

static void test_whole_message(void **state)
{
    static const char expected[] = "Date: Sun, 22 Nov 2026 18:30:00 +0000\r\n"
                                   "From: \"Shop\" <shop@vv.test>\r\n"
                                   "To: =?UTF-8?B?Wm/DqyBMaW5kcXZpc3Q=?= <zoe@vv.test>\r\n"
                                   "Subject: Hello\r\n"
                                   "Message-ID: <0123456789abcdef@vv.test>\r\n"
                                   "MIME-Version: 1.0\r\n"
                                   "Auto-Submitted: auto-generated\r\n"
                                   "X-Auto-Response-Suppress: All\r\n"
                                   "Content-Type: multipart/alternative;\r\n"
                                   " boundary=\"=_vv_alternative_text_and_html\"\r\n"
                                   "\r\n"
                                   "--=_vv_alternative_text_and_html\r\n"
                                   "Content-Type: text/plain; charset=utf-8\r\n"
                                   "Content-Transfer-Encoding: quoted-printable\r\n"
                                   "\r\n"
                                   "Hi\r\n"
                                   "--=_vv_alternative_text_and_html\r\n"
                                   "Content-Type: text/html; charset=utf-8\r\n"
                                   "Content-Transfer-Encoding: quoted-printable\r\n"
                                   "\r\n"
                                   "<p>Hi</p>\r\n"
                                   "--=_vv_alternative_text_and_html--\r\n";
    struct mail_envelope envelope = envelope_of("Zoë Lindqvist", "zoe@vv.test");

    (void)state;
    assert_string_equal(build(&envelope, &hello), expected);
}

static void test_subjects(void **state)
{
    (void)state;
    assert_string_equal(words("Plain text"), "Plain text");
    assert_string_equal(words("Größe"), "=?UTF-8?B?R3LDtsOfZQ==?=");
    /* Looks like an encoded word, and must not be decoded into one. */
    assert_string_equal(words("=?UTF-8?Q?x?="), "=?UTF-8?B?PT9VVEYtOD9RP3g/PQ==?=");
    /* Twenty four-byte characters: words end between characters. */
    assert_string_equal(words("😀😀😀😀😀😀😀😀😀😀😀😀"),
                        "=?UTF-8?B?8J+YgPCfmIDwn5iA8J+YgPCfmIDwn5iA8J+YgPCfmIDwn5iA?=\r\n"
                        " =?UTF-8?B?8J+YgPCfmIDwn5iA?=");
}

static void test_long_subject_is_folded(void **state)
{
    struct mail_envelope envelope = envelope_of(NULL, "zoe@vv.test");
    struct mail_content content = hello;

    (void)state;
    content.subject = "one two three four five six seven eight nine ten eleven twelve thirteen "
                      "fourteen fifteen sixteen";
    assert_wire(build(&envelope, &content));
    content.subject = "Ünïcödé öf ä lëngth thät nëëds möre thän öne ëncödëd wörd, änd thën söme";
    assert_wire(build(&envelope, &content));
}

static void test_quoted_printable(void **state)
{
    (void)state;
    assert_string_equal(quoted("a=b\n"), "a=3Db\r\n");
    assert_string_equal(quoted("ü\r\n"), "=C3=BC\r\n");
    assert_string_equal(quoted("blank \ntab\t\nend "), "blank=20\r\ntab=09\r\nend=20\r\n");
    assert_string_equal(quoted(".\n..x\nFrom here\n"), "=2E\r\n=2E.x\r\n=46rom here\r\n");
    assert_string_equal(quoted("lone\rreturn"), "lone=0Dreturn\r\n");
    assert_string_equal(quoted(""), "");
}

static void test_long_lines_are_broken(void **state)
{
    struct mail_envelope envelope = envelope_of(NULL, "zoe@vv.test");
    struct mail_content content = hello;
    char body[4001];

    (void)state;
    memset(body, 'x', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    content.text = body;
    for (size_t i = 0; i + 1 < sizeof body; i += 3)
        memcpy(body + i, "\xc3\xbc=", i + 3 < sizeof body ? 3 : 1);
    assert_wire(build(&envelope, &content));
}

static void test_names(void **state)
{
    struct mail_envelope envelope = envelope_of("O\"Neil, \\ Bob", "bob@vv.test");

    (void)state;
    assert_non_null(
        strstr(build(&envelope, &hello), "To: \"O\\\"Neil, \\\\ Bob\" <bob@vv.test>\r\n"));
    envelope = envelope_of("A name of somebody whose parents liked long ones very much indeed",
                           "bob.with.a.long.address@mail.vv.test");
    assert_wire(build(&envelope, &hello));
    envelope = envelope_of("名前", "bob@vv.test");
    assert_non_null(strstr(build(&envelope, &hello), "To: =?UTF-8?B?5ZCN5YmN?= <bob@vv.test>"));
}

static void test_header_injection_is_refused(void **state)
{
    static const char *const addresses[] = {"a@vv.test\r\nBcc: b@vv.test",
                                            "a@vv.test\nBcc: b@vv.test",
                                            "a\r@vv.test",
                                            "a b@vv.test",
                                            "a@vv.test>",
                                            "<a@vv.test",
                                            "a@vv.test,b@vv.test",
                                            "\"a b\"@vv.test",
                                            "a@vv..test",
                                            "@vv.test",
                                            "a@",
                                            "a",
                                            "",
                                            "a@-vv.test",
                                            ".a@vv.test",
                                            "a..b@vv.test",
                                            "ü@vv.test",
                                            "a@vv.test\x7f"};
    static const char *const names[] = {"a\r\nBcc: b@vv.test", "a\nb", "a\x01", "a\x7f"};
    struct mail_envelope envelope;

    (void)state;
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        envelope = envelope_of(NULL, addresses[i]);
        assert_null(build(&envelope, &hello));
        envelope = envelope_of(NULL, "a@vv.test");
        envelope.reply_to.address = addresses[i];
        assert_null(build(&envelope, &hello));
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        envelope = envelope_of(names[i], "a@vv.test");
        assert_null(build(&envelope, &hello));
    }
    envelope = envelope_of(NULL, "a@vv.test");
    envelope.message_id = "<a@b>\r\nBcc: b@vv.test>";
    assert_null(build(&envelope, &hello));
    envelope = envelope_of(NULL, "a@vv.test");
    assert_null(build(&envelope, &(struct mail_content){"a\r\nBcc: b", "", ""}));
}

static void test_addresses(void **state)
{
    struct mail_address address;

    (void)state;
    assert_true(mail_address_valid("first.last+tag@mail.example.co.uk"));
    assert_true(mail_address_valid("x@[192.0.2.1]"));
    assert_int_equal(mail_address_parse(NULL, "Shop <shop@vv.test>", &address), 0);
    assert_string_equal(address.name, "Shop");
    assert_string_equal(address.address, "shop@vv.test");
    assert_int_equal(mail_address_parse(NULL, "\"A, \\\"B\\\"\" <a@vv.test> ", &address), 0);
    assert_string_equal(address.name, "A, \"B\"");
    assert_int_equal(mail_address_parse(NULL, " a@vv.test", &address), 0);
    assert_null(address.name);
    assert_int_equal(mail_address_parse(NULL, "Shop <shop@vv.test", &address), VV_EINVAL);
    assert_int_equal(mail_address_parse(NULL, "Shop\n <shop@vv.test>", &address), VV_EINVAL);
    assert_int_equal(mail_address_parse(NULL, "Shop shop@vv.test", &address), VV_EINVAL);
}

#define MIME_TEST(function) cmocka_unit_test_setup_teardown(function, mock_setup, mock_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MIME_TEST(test_whole_message),
        MIME_TEST(test_subjects),
        MIME_TEST(test_long_subject_is_folded),
        MIME_TEST(test_quoted_printable),
        MIME_TEST(test_long_lines_are_broken),
        MIME_TEST(test_names),
        MIME_TEST(test_header_injection_is_refused),
        MIME_TEST(test_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
