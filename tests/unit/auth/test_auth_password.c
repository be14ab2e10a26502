/* The password scheme against published hashes, its upgrades, and the list of common passwords. */
#include "host.h"

#include "password.h"

#include <crypt.h>

static void passlib_hashes_verify(void **state)
{
    /* From passlib's documentation of bcrypt_sha256. */
    static const char hash[] =
        "$bcrypt-sha256$v=2,t=2b,r=12$n79VH.0Q2TMWmt3Oqt9uku$Kq4Noyk3094Y2QlB8NdRT8SvGiI4ft2";

    (void)state;
    assert_true(auth_password_verify("password", hash));
    assert_false(auth_password_verify("Password", hash));
    assert_false(auth_password_verify("", hash));
}

static void own_hashes_verify(void **state)
{
    char hash[AUTH_PASSWORD_HASH], again[AUTH_PASSWORD_HASH];

    (void)state;
    assert_true(auth_password_hash("p\xc3\xa4sswort", 4, hash));
    assert_true(auth_password_hash("p\xc3\xa4sswort", 4, again));
    assert_string_not_equal(hash, again);
    assert_int_equal(strncmp(hash, "$bcrypt-sha256$v=2,t=2b,r=4$", 28), 0);
    assert_int_equal(strlen(hash), 28 + 22 + 1 + 31);
    assert_true(auth_password_verify("p\xc3\xa4sswort", hash));
    assert_false(auth_password_verify("passwort", hash));
}

static void what_comes_after_72_bytes_counts(void **state)
{
    char hash[AUTH_PASSWORD_HASH], password[1025];

    (void)state;
    memset(password, 'x', 1024);
    password[1024] = '\0';
    assert_true(auth_password_hash(password, 4, hash));
    assert_true(auth_password_verify(password, hash));
    password[72] = 'y';
    assert_false(auth_password_verify(password, hash));
    password[72] = 'x';
    password[1023] = 'y';
    assert_false(auth_password_verify(password, hash));
}

static void plain_bcrypt_still_verifies(void **state)
{
    /* From the test vectors of the original implementation. */
    static const char *const hashes[] = {
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_true(auth_password_verify("U*U", hashes[i]));
        assert_false(auth_password_verify("U*V", hashes[i]));
        assert_true(auth_password_outdated(hashes[i], 4));
    }
}

static void what_is_no_hash_matches_nothing(void **state)
{
    static const char *const texts[] = {
        "",
        "*",
        "*0",
        "bogus",
        "ab",
        "$2b$",
        "$1$abcdefgh$",
        "U*U",
        "$2b$05$CCCCCCCCCCCCCCCCCCCCC.",
        "$2b$99$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$bcrypt-sha256$v=2,t=2b,r=12$n79VH.0Q2TMWmt3Oqt9uku$",
        "$bcrypt-sha256$v=2,t=2b,r=3$n79VH.0Q2TMWmt3Oqt9uku$Kq4Noyk3094Y2QlB8NdRT8SvGiI4ft2",
        "$bcrypt-sha256$v=1,t=2b,r=12$n79VH.0Q2TMWmt3Oqt9uku$Kq4Noyk3094Y2QlB8NdRT8SvGiI4ft2",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_false(auth_password_verify("", texts[i]));
        assert_false(auth_password_verify("U*U", texts[i]));
        assert_false(auth_password_verify("password", texts[i]));
    }
}

static void a_decoy_costs_the_same_and_matches_nothing(void **state)
{
    char hash[AUTH_PASSWORD_HASH];

    (void)state;
    auth_password_decoy(5, hash);
    assert_int_equal(strlen(hash), 28 + 22 + 1 + 31);
    assert_false(auth_password_outdated(hash, 5));
    assert_false(auth_password_verify("password", hash));
}

static void lower_costs_are_outdated(void **state)
{
    char hash[AUTH_PASSWORD_HASH];

    (void)state;
    assert_true(auth_password_hash("password", 4, hash));
    assert_false(auth_password_outdated(hash, 4));
    assert_true(auth_password_outdated(hash, 5));
}

static void common_passwords_are_known(void **state)
{
    static const char *const common[] = {"password", "PassWord", "12345678",  "qwertyuiop",
                                         "iloveyou", "trustno1", "Passw0rd!", "letmein123",
                                         "zzzzzzzz", "p@ssw0rd"};
    static const char *const others[] = {
        "Tr0mbone-and-cello",
        "",
        "assword",
        "password\npassw0rd",
        "correct horse battery staple and more words than any list has",
        "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f"};

    (void)state;
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
        assert_true(auth_password_common(common[i]));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(auth_password_common(others[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passlib_hashes_verify),
        cmocka_unit_test(own_hashes_verify),
        cmocka_unit_test(what_comes_after_72_bytes_counts),
        cmocka_unit_test(plain_bcrypt_still_verifies),
        cmocka_unit_test(what_is_no_hash_matches_nothing),
        cmocka_unit_test(a_decoy_costs_the_same_and_matches_nothing),
        cmocka_unit_test(lower_costs_are_outdated),
        cmocka_unit_test(common_passwords_are_known),
    };

    return cmocka_run_group_tests(tests, host_setup, host_teardown);
}
