/* Templates: what is refused when they are read, and what they look like when they are rendered. */
#include "mock_host.h"

#include "source.h"
#include "template.h"
#include <dirent.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static void write_file(const char *name, const char *text)
{
    char path[256], *slash;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (slash = strchr(path + strlen(folder) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* A folder with the one template "shop/order", whose variables are `name` and `count`. */
static int shop_setup(void **state)
{
    mock_setup(state);
    snprintf(folder, sizeof folder, "/tmp/vv-templates-XXXXXX");
    assert_non_null(mkdtemp(folder));
    write_file("layout.txt", "{{content}}-- {{product_name}}\n");
    write_file("layout.html", "<title>{{subject}}</title>{{content}}<i>{{product_name}}</i>\n");
    write_file("shop/order/variables.txt", "# a remark\nname = Zoë\n\ncount = 3\n");
    write_file("shop/order/subject.txt", "Order of {{name}}\n");
    write_file("shop/order/body.txt", "Hello {{ name }}, you ordered {{count}}.\n");
    write_file("shop/order/body.html", "<p title=\"{{name}}\">{{name}}: {{count}}</p>\n");
    return 0;
}

static int shop_teardown(void **state)
{
    char command[128];

    snprintf(command, sizeof command, "rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
    return mock_teardown(state);
}

static void expect_mistake(const char *sentence)
{
    const struct mail_templates *templates = NULL;

    assert_int_equal(mail_templates_load(NULL, folder, &templates), VV_EFAIL);
    if (strstr(mock_log_text, sentence) == NULL)
        fail_msg("expected '%s' in:\n%s", sentence, mock_log_text);
}

static void render(const struct mock_pair *pairs, struct mail_content *ret_content)
{
    const struct mail_templates *templates = NULL;
    const struct mail_template *template;
    const char **values, *bad;

    assert_int_equal(mail_templates_load(NULL, folder, &templates), 0);
    template = mail_templates_find(templates, "shop/order");
    assert_non_null(template);
    assert_int_equal(
        mail_template_values(NULL, template, "Shop & Co", (const void *)pairs, &values, &bad), 0);
    mail_template_render(NULL, templates, template, values, ret_content);
}

static void test_renders(void **state)
{
    struct mail_content content;
    struct mock_pair pairs[] = {{"name", VV_TEXT("Zoë")}, {"count", VV_INT(3)}, {0}};

    (void)state;
    render(pairs, &content);
    assert_string_equal(content.subject, "Order of Zoë");
    assert_string_equal(content.text, "Hello Zoë, you ordered 3.\n-- Shop & Co\n");
    assert_string_equal(content.html, "<title>Order of Zoë</title><p title=\"Zoë\">Zoë: 3</p>\n"
                                      "<i>Shop &amp; Co</i>\n");
}

static void test_escapes_html_only(void **state)
{
    struct mail_content content;
    struct mock_pair pairs[] = {
        {"name", VV_TEXT("<b a=\"1\">&'{{count}}")}, {"count", VV_INT(1)}, {0}};

    (void)state;
    render(pairs, &content);
    assert_non_null(strstr(content.text, "Hello <b a=\"1\">&'{{count}}, you"));
    assert_non_null(
        strstr(content.html, "<p title=\"&lt;b a=&quot;1&quot;&gt;&amp;&#39;{{count}}"));
    assert_null(strstr(content.html, "<b a"));
}

static void test_subject_stays_one_line(void **state)
{
    struct mail_content content;
    struct mock_pair pairs[] = {
        {"name", VV_TEXT("a\r\nBcc: victim@example.org\x01")}, {"count", VV_INT(1)}, {0}};

    (void)state;
    render(pairs, &content);
    assert_string_equal(content.subject, "Order of a  Bcc: victim@example.org ");
}

static void test_missing_variable_is_named(void **state)
{
    const struct mail_templates *templates = NULL;
    struct mock_pair pairs[] = {{"name", VV_TEXT("Zoë")}, {"count", VV_NULL()}, {0}};
    const char **values, *bad = "";

    (void)state;
    assert_int_equal(mail_templates_load(NULL, folder, &templates), 0);
    assert_int_equal(
        mail_template_values(NULL, &templates->list[0], "Shop", (const void *)pairs, &values, &bad),
        VV_EINVAL);
    assert_string_equal(bad, "count");
}

static void test_unknown_variable_fails_at_load(void **state)
{
    (void)state;
    write_file("shop/order/body.html", "<p>\n{{nmae}}</p>\n");
    expect_mistake("shop/order/body.html:2: unknown variable 'nmae'");
    assert_non_null(strstr(mock_fail_text, "1 mistake in the mail templates"));
}

static void test_all_mistakes_are_named(void **state)
{
    (void)state;
    write_file("shop/order/body.html", "{{wrong}}");
    write_file("shop/order/body.txt", "{{name}} {{other}}");
    expect_mistake("unknown variable 'wrong'");
    assert_non_null(strstr(mock_log_text, "unknown variable 'other'"));
    assert_non_null(strstr(mock_fail_text, "2 mistakes"));
}

static void test_broken_braces_fail(void **state)
{
    static const char *const broken[] = {"{{name",     "{{name}",   "{{}}",
                                         "{{{name}}}", "{{na me}}", "{{#if name}}"};

    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        mock_log_text[0] = '\0';
        write_file("shop/order/body.txt", broken[i]);
        expect_mistake("shop/order/body.txt:1: after {{ comes the name");
    }
}

static void test_incomplete_folders_fail(void **state)
{
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s/shop/order/body.html", folder);
    assert_int_equal(unlink(path), 0);
    expect_mistake("shop/order/body.html: No such file");
}

static void test_bad_subjects_fail(void **state)
{
    (void)state;
    write_file("shop/order/subject.txt", "one\ntwo\n");
    expect_mistake("subject.txt: a subject is one line");
    write_file("shop/order/subject.txt", "");
    expect_mistake("subject.txt: there is no subject");
}

static void test_bad_variables_fail(void **state)
{
    (void)state;
    write_file("shop/order/variables.txt", "name = Zoë\ncount\n");
    expect_mistake("variables.txt:2: a line is 'name = a sample value'");
}

static void test_missing_folder_fails(void **state)
{
    const struct mail_templates *templates = NULL;

    (void)state;
    assert_int_equal(mail_templates_load(NULL, "/nonexistent", &templates), VV_EFAIL);
    assert_non_null(strstr(mock_fail_text, "cannot read /nonexistent"));
}

/* ---- our own templates, against what they looked like when somebody last looked ---------------
 */

static void compare_golden(const char *name, const char *suffix, const char *text)
{
    char path[512], *slash, *golden;
    struct mail_mistakes mistakes = {0};
    FILE *file;
    size_t prefix = (size_t)snprintf(path, sizeof path, VV_SOURCE_DIR "/tests/golden/mail/");

    snprintf(path + prefix, sizeof path - prefix, "%s.%s", name, suffix);
    while ((slash = strchr(path + prefix, '/')) != NULL)
        *slash = '-';
    if (getenv("VV_GOLDEN_WRITE") != NULL) {
        file = fopen(path, "w");
        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
    }
    golden = mail_file_read(&mistakes, path);
    assert_non_null(golden);
    if (strcmp(golden, text) != 0)
        fail_msg("%s is not what was rendered (VV_GOLDEN_WRITE=1 writes it anew):\n%s", path, text);
}

static void test_golden(void **state)
{
    const struct mail_templates *templates = NULL;

    (void)state;
    assert_int_equal(mail_templates_load(NULL, VV_SOURCE_DIR "/templates", &templates), 0);
    assert_true(templates->count >= 7);
    for (size_t i = 0; i < templates->count; i++) {
        const struct mail_template *template = &templates->list[i];
        struct mail_content content;

        mail_template_render(NULL, templates, template,
                             mail_template_samples(NULL, template, "VerseVentures"), &content);
        compare_golden(template->name, "subject", content.subject);
        compare_golden(template->name, "txt", content.text);
        compare_golden(template->name, "html", content.html);
        assert_null(strstr(content.html, "<img"));
        assert_null(strstr(content.html, "{{"));
    }
}

#define SHOP_TEST(function) cmocka_unit_test_setup_teardown(function, shop_setup, shop_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_renders),
        SHOP_TEST(test_escapes_html_only),
        SHOP_TEST(test_subject_stays_one_line),
        SHOP_TEST(test_missing_variable_is_named),
        SHOP_TEST(test_unknown_variable_fails_at_load),
        SHOP_TEST(test_all_mistakes_are_named),
        SHOP_TEST(test_broken_braces_fail),
        SHOP_TEST(test_incomplete_folders_fail),
        SHOP_TEST(test_bad_subjects_fail),
        SHOP_TEST(test_bad_variables_fail),
        SHOP_TEST(test_missing_folder_fails),
        cmocka_unit_test_setup_teardown(test_golden, mock_setup, mock_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
