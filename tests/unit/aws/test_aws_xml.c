/* STS's XML: what is read, and what hostile input is refused. */
#include "host.h"
#include "xml.h"

static char value[64], other[8];
static struct aws_xml_field fields[2];

static bool read_bytes(const char *text, size_t length)
{
    fields[0] = (struct aws_xml_field){"a/b", value, sizeof value, false};
    fields[1] = (struct aws_xml_field){"a/c/d", other, sizeof other, false};
    return aws_xml_read(text, length, fields, 2);
}

static bool read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

static void an_answer_is_read(void **state)
{
    (void)state;
    assert_true(read_text("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a xmlns=\"https://x/\">\n"
                          "  <c x='1' y = \"2\"><d>deep</d><b>not this</b></c><empty/>"
                          "<b >text</b ></a>\n\n") == false);
    assert_true(read_text("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a xmlns=\"https://x/\">\n"
                          "  <c x='1' y=\"2\"><d>deep</d><b>not this</b></c><empty/>"
                          "<b >text</b ></a>\n\n"));
    assert_string_equal(value, "text");
    assert_string_equal(other, "deep");
    assert_true(fields[0].found && fields[1].found);
}

static void what_is_absent_is_empty(void **state)
{
    (void)state;
    assert_true(read_text("<a><b/></a>"));
    assert_string_equal(value, "");
    assert_true(fields[0].found);
    assert_false(fields[1].found);
    assert_true(read_text("<x><b>1</b></x>"));
    assert_false(fields[0].found);
    assert_true(read_text("<aa><b>1</b></aa>"));
    assert_false(fields[0].found);
    assert_true(read_text("<a><c.d>1</c.d></a>"));
    assert_false(fields[1].found);
}

static void entities_are_undone(void **state)
{
    (void)state;
    assert_true(read_text("<a><b>&lt;&amp;&gt;&quot;&apos;&#65;&#x1F600;&#xe9;&#10;</b></a>"));
    assert_string_equal(value, "<&>\"'A\xf0\x9f\x98\x80\xc3\xa9\n");
    /* Once, not twice. */
    assert_true(read_text("<a><b>&amp;lt;</b></a>"));
    assert_string_equal(value, "&lt;");
}

static void what_is_not_well_formed(void **state)
{
    static const char *const bad[] = {
        "",
        "   ",
        "text",
        "<",
        "<a",
        "<a>",
        "<a><b></a>",
        "<a><b></a></b>",
        "<a></a></a>",
        "<a></a><a></a>",
        "<a/>x",
        "x<a/>",
        "<a></b>",
        "</a>",
        "<a b></a>",
        "<a b=c></a>",
        "<a b=\"c></a>",
        "<a b=\"<\"></a>",
        "<a b=\"c\"d=\"e\"></a>",
        "< a></a>",
        "<1></1>",
        "<a><b>&</b></a>",
        "<a><b>&nbsp;</b></a>",
        "<a><b>&lt</b></a>",
        "<a><b>&#;</b></a>",
        "<a><b>&#x;</b></a>",
        "<a><b>&#xZ;</b></a>",
        "<a><b>&#0;</b></a>",
        "<a><b>&#1;</b></a>",
        "<a><b>&#xD800;</b></a>",
        "<a><b>&#x110000;</b></a>",
        "<a><b>&#99999999999;</b></a>",
        "<a><b>\x01</b></a>",
        "<?xml version=\"1.0\"?",
        "<?xml version=\"1.0\">",
        "<?xml version=\"1.0\"?>",
        " <?xml version=\"1.0\"?><a/>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (read_text(bad[i]))
            fail_msg("was taken: %s", bad[i]);
}

static void what_sts_never_sends(void **state)
{
    static const char *const bad[] = {
        "<!DOCTYPE a [<!ENTITY x \"y\">]><a><b>&x;</b></a>",
        "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
        "<a><b><![CDATA[text]]></b></a>",
        "<a><!-- comment --><b>text</b></a>",
        "<a><?php ?><b>text</b></a>",
        "<a><b>one</b><b>two</b></a>",
        "<a><b>one</b><b/></a>",
        "<a><b>one<c>two</c></b></a>",
        "<html><body><p>Bad Gateway<br></body></html>",
        "{\"json\": true}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (read_text(bad[i]))
            fail_msg("was taken: %s", bad[i]);
    assert_false(read_bytes("<a><b>x\0y</b></a>", 17));
}

static void what_is_too_much(void **state)
{
    static char text[AWS_XML_MAX + 16];

    (void)state;
    assert_true(read_text("<a><c><d>1234567</d></c></a>"));
    assert_false(read_text("<a><c><d>12345678</d></c></a>"));
    assert_false(read_text("<a><c><d>1234567&#233;</d></c></a>"));
    for (size_t i = 0; i < 17; i++)
        memcpy(text + 3 * i, "<a>", 3);
    assert_false(read_bytes(text, 51));
    snprintf(text, sizeof text, "<a>%*s</a>", AWS_XML_MAX - 7, "");
    assert_true(read_text(text));
    snprintf(text, sizeof text, "<a>%*s</a>", AWS_XML_MAX - 6, "");
    assert_false(read_text(text));
    memset(text, 'n', 1000);
    text[0] = '<';
    text[1000] = '>';
    assert_false(read_bytes(text, 1001));
}

/* Every beginning of a good answer, and every byte of it changed: no crash, and no half answer. */
static void broken_off_and_bent(void **state)
{
    static const char good[] =
        "<?xml version=\"1.0\"?><a x=\"1\"><b>t&amp;x&#65;</b><c><d/></c></a>";
    char bent[sizeof good];

    (void)state;
    assert_true(read_text(good));
    for (size_t length = 0; length < sizeof good - 1; length++) {
        char *copy = malloc(length + 1);

        memcpy(copy, good, length);
        assert_false(read_bytes(copy, length));
        free(copy);
    }
    for (size_t at = 0; at < sizeof good - 1; at++)
        for (int byte = 0; byte < 256; byte++) {
            memcpy(bent, good, sizeof good);
            bent[at] = (char)byte;
            (void)read_bytes(bent, sizeof good - 1);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_read),    cmocka_unit_test(what_is_absent_is_empty),
        cmocka_unit_test(entities_are_undone),  cmocka_unit_test(what_is_not_well_formed),
        cmocka_unit_test(what_sts_never_sends), cmocka_unit_test(what_is_too_much),
        cmocka_unit_test(broken_off_and_bent),
    };

    return cmocka_run_group_tests(tests, host_setup, host_teardown);
}
