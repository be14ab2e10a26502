/* INI files: what is read, with which line numbers, and what is refused instead of being cut. */
#include "buffer.h"
#include "ini_file.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct vv_buffer seen;

static void on_key(void *arg, unsigned line, const char *section, const char *key,
                   const char *value, bool more)
{
    (void)arg;
    vv_buffer_printf(&seen, "%u [%s] %s %s {%s}\n", line, section, key, more ? "+" : "=", value);
}

static void on_mistake(void *arg, unsigned line, const char *what)
{
    (void)arg;
    vv_buffer_printf(&seen, "%u! %s\n", line, what);
}

/* Everything the reader reports for this text, one line each. */
static const char *read_bytes(const char *text, size_t length)
{
    const struct vv_ini_handler handler = {on_key, on_mistake, NULL};
    char path[] = "/tmp/vv-ini-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, length), length);
    close(fd);
    vv_buffer_clear(&seen);
    assert_int_equal(vv_ini_read(path, &handler), 0);
    unlink(path);
    return seen.data;
}

static const char *read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

static void reads_keys_with_their_lines(void **state)
{
    (void)state;
    assert_string_equal(read_text("\xef\xbb\xbf; a comment\r\n"
                                  "[server]\r\n"
                                  "listen = [::1]:80\r\n"
                                  "\n"
                                  "# another\n"
                                  "empty =\n"
                                  "[plan:pro] ; a remark\n"
                                  "  price: 19.99\n"
                                  "last=a;b=c"),
                        "3 [server] listen = {[::1]:80}\n"
                        "6 [server] empty = {}\n"
                        "8 [plan:pro] price = {19.99}\n"
                        "9 [plan:pro] last = {a;b=c}\n");
}

static void hands_on_indented_lines(void **state)
{
    (void)state;
    assert_string_equal(read_text("[a]\nlist = one,\n  two,\n\n# remark\n\tthree\nx = 1\n"),
                        "2 [a] list = {one,}\n"
                        "3 [a] list + {two,}\n"
                        "6 [a] list + {three}\n"
                        "7 [a] x = {1}\n");
}

static void refuses_long_lines(void **state)
{
    char text[512];

    (void)state;
    snprintf(text, sizeof text, "[a]\nk = %0195d\nl = %0196d\n  more\nm = 1\n", 1, 2);
    read_text(text);
    assert_non_null(strstr(seen.data, "2 [a] k = {0000"));
    assert_non_null(strstr(
        seen.data,
        "3! [a] 'l' is a line of 200 characters, and only 199 can be read; put the rest "
        "on indented lines below it, or a secret into a file named by l_file\n5 [a] m = {1}\n"));
    snprintf(text, sizeof text, "[a]\nk = 1\n  %0198d\n", 1);
    assert_string_equal(read_text(text),
                        "2 [a] k = {1}\n"
                        "3! [a] a line of 'k' has 200 characters, and only 199 can be read; make "
                        "two indented lines of it\n");
}

static void refuses_comments_inside_values(void **state)
{
    (void)state;
    assert_string_equal(
        read_text("[a]\npassword = abc ;def\n  ghi\nx = 1\n  2 ;3\n"),
        "2! [a] 'password' has a ';' after a space, which would cut its value there; put a comment "
        "on a line of its own, or a secret into a file named by password_file\n"
        "4 [a] x = {1}\n"
        "5! [a] 'x' has a ';' after a space, which would cut its value there; put a comment on a "
        "line of its own\n");
}

static void refuses_long_names(void **state)
{
    (void)state;
    assert_string_equal(read_text("[sssssssssssssssssssssssssssssssssssssssssssssssss]\n"
                                  "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk = 1\n"
                                  "[ssssssssssssssssssssssssssssssssssssssssssssssssss]\n"
                                  "lost = 1\n"),
                        "2! [sssssssssssssssssssssssssssssssssssssssssssssssss] a key has at most "
                        "49 characters, not "
                        "50\n"
                        "3! a section's name has 1 to 49 characters, not 50\n");
}

static void refuses_what_is_no_ini(void **state)
{
    (void)state;
    assert_string_equal(read_text("early = 1\n[a\n[b] c = 1\n[]\n[d]\nword\n= 2\n"),
                        "1! 'early' stands before the first [section]\n"
                        "2! this section has no ']'\n"
                        "3! nothing may follow the ']' of a section; begin a new line for it\n"
                        "4! a section's name has 1 to 49 characters, not 0\n"
                        "6! [d] this line is neither a [section] nor key = value; indent it if it "
                        "belongs to the value above\n"
                        "7! [d] this line is neither a [section] nor key = value; indent it if it "
                        "belongs to the value above\n");
    assert_string_equal(read_bytes("[a]\nx = 1\0002\ny = 2\n", 19),
                        "2! [a] this line holds a NUL byte\n3 [a] y = {2}\n");
}

static void refuses_indented_keys(void **state)
{
    (void)state;
    assert_string_equal(read_text("[a]\n  x = 1\n  y = 2\nz = 3\n  [b] ; c\n  [::1]:80\n"),
                        "2 [a] x = {1}\n"
                        "3! [a] 'y' is indented, which makes it a part of the value of 'x'; "
                        "take the spaces before it away\n"
                        "4 [a] z = {3}\n"
                        "5! [a] '[b] ; c' is indented, which makes it a part of the value of 'z'; "
                        "take the spaces before it away\n"
                        "6 [a] z + {[::1]:80}\n");
}

static void tells_why_a_file_cannot_be_read(void **state)
{
    const struct vv_ini_handler handler = {on_key, on_mistake, NULL};

    (void)state;
    assert_int_equal(vv_ini_read("/nowhere/at.all", &handler), -2 /* ENOENT */);
    assert_int_equal(vv_ini_read("/tmp", &handler), -21 /* EISDIR */);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_keys_with_their_lines),
        cmocka_unit_test(hands_on_indented_lines),
        cmocka_unit_test(refuses_long_lines),
        cmocka_unit_test(refuses_comments_inside_values),
        cmocka_unit_test(refuses_long_names),
        cmocka_unit_test(refuses_what_is_no_ini),
        cmocka_unit_test(refuses_indented_keys),
        cmocka_unit_test(tells_why_a_file_cannot_be_read),
    };
    int failed;

    vv_buffer_init(&seen, NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    vv_buffer_free(&seen);
    return failed;
}
