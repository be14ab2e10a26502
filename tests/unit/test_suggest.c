/* "Did you mean": what is near enough to be meant, and what is not. */
#include "suggest.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void counts_edits(void **state)
{
    (void)state;
    assert_int_equal(vv_suggest_distance("token", "token"), 0);
    assert_int_equal(vv_suggest_distance("", "abc"), 3);
    assert_int_equal(vv_suggest_distance("abc", ""), 3);
    assert_int_equal(vv_suggest_distance("acess", "access"), 1);
    assert_int_equal(vv_suggest_distance("tokne", "token"), 1);
    assert_int_equal(vv_suggest_distance("kitten", "sitting"), 3);
}

static const char *suggest(const char *word)
{
    static const char *const known[] = {"access_token_ttl", "refresh_token_ttl", "bcrypt_cost",
                                        "enabled", "url"};
    struct vv_suggestion near = {.word = word};
    size_t i;

    for (i = 0; i < VV_ARRAY_SIZE(known); i++)
        vv_suggest_offer(&near, known[i]);
    return near.best == NULL ? "" : near.best;
}

static void names_the_nearest_word(void **state)
{
    char endless[200];

    (void)state;
    assert_string_equal(suggest("acess_token_ttl"), "access_token_ttl");
    assert_string_equal(suggest("refresh_tokenttl"), "refresh_token_ttl");
    assert_string_equal(suggest("enable"), "enabled");
    assert_string_equal(suggest("uri"), "url");
    assert_string_equal(suggest("colour"), "");
    assert_string_equal(suggest("xyz"), "");
    memset(endless, 'a', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    assert_string_equal(suggest(endless), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_edits),
        cmocka_unit_test(names_the_nearest_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
