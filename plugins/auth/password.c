/* The password scheme: bcrypt over a keyed digest, and bcrypt alone for hashes of earlier days. */
#include "password.h"

#include "auth.h"
#include "crypto.h"

#include <crypt.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define SCHEME      "$bcrypt-sha256$v=2,t=2b,r="
#define SALT_LENGTH 22
#define HASH_LENGTH 31
#define PLAIN_SIZE  60 /* "$2b$12$" + salt + hash */

/* The digest's base64 in the classic alphabet with padding: 44 characters and the NUL. */
static void password_digest(const char *salt, const char *password, char ret_text[48])
{
    uint8_t digest[AUTH_DIGEST];

    auth_hmac(salt, SALT_LENGTH, password, strlen(password), digest);
    EVP_EncodeBlock((unsigned char *)ret_text, digest, sizeof digest);
    auth_wipe(digest, sizeof digest);
}

/* crypt() with a setting of bcrypt; its 32 KiB of scratch are too much for any stack. */
static bool password_bcrypt(const char *text, const char *setting, char ret_hash[PLAIN_SIZE + 1])
{
    struct crypt_data *data = calloc(1, sizeof *data);
    const char *made;
    bool good;

    if (data == NULL)
        return false;
    made = crypt_rn(text, setting, data, (int)sizeof *data);
    good = made != NULL && strlen(made) == PLAIN_SIZE && strncmp(made, setting, 7) == 0;
    if (good)
        memcpy(ret_hash, made, PLAIN_SIZE + 1);
    auth_wipe(data, sizeof *data);
    free(data);
    return good;
}

/* crypt_rn() takes a text it does not know for a setting of DES. */
static bool password_is_plain(const char *hash)
{
    return strlen(hash) == PLAIN_SIZE && hash[0] == '$' && hash[1] == '2' &&
           (hash[2] == 'a' || hash[2] == 'b' || hash[2] == 'y') && hash[3] == '$';
}

/* Takes a hash of the scheme apart: its cost and where the salt begins; NULL: it is none. */
static const char *password_parse(const char *hash, int *ret_cost)
{
    size_t prefix = strlen(SCHEME);
    char *end;
    long cost;

    if (strncmp(hash, SCHEME, prefix) != 0)
        return NULL;
    cost = strtol(hash + prefix, &end, 10);
    if (cost < 4 || cost > 31 || *end != '$' || strlen(end) != 1 + SALT_LENGTH + 1 + HASH_LENGTH ||
        end[1 + SALT_LENGTH] != '$')
        return NULL;
    *ret_cost = (int)cost;
    return end + 1;
}

bool auth_password_hash(const char *password, int cost, char ret_hash[AUTH_PASSWORD_HASH])
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE], text[48], plain[PLAIN_SIZE + 1];
    const char *salt = setting + 7;
    bool good;

    if (crypt_gensalt_rn("$2b$", (unsigned long)cost, NULL, 0, setting, sizeof setting) == NULL)
        return false;
    password_digest(salt, password, text);
    good = password_bcrypt(text, setting, plain);
    auth_wipe(text, sizeof text);
    if (!good)
        return false;
    snprintf(ret_hash, AUTH_PASSWORD_HASH, SCHEME "%d$%.*s$%s", cost, SALT_LENGTH, salt,
             plain + 7 + SALT_LENGTH);
    return true;
}

bool auth_password_verify(const char *password, const char *hash)
{
    char setting[PLAIN_SIZE + 1], plain[PLAIN_SIZE + 1], text[48];
    const char *salt;
    int cost;
    bool good;

    if (password_is_plain(hash))
        return password_bcrypt(password, hash, plain) && auth_equal(plain, hash, PLAIN_SIZE);
    salt = password_parse(hash, &cost);
    if (salt == NULL)
        return false;
    snprintf(setting, sizeof setting, "$2b$%02d$%.*s", cost, SALT_LENGTH, salt);
    password_digest(salt, password, text);
    good = password_bcrypt(text, setting, plain) &&
           auth_equal(plain + 7 + SALT_LENGTH, salt + SALT_LENGTH + 1, HASH_LENGTH);
    auth_wipe(text, sizeof text);
    return good;
}

void auth_password_decoy(int cost, char ret_hash[AUTH_PASSWORD_HASH])
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    char hash[CRYPT_GENSALT_OUTPUT_SIZE];

    if (crypt_gensalt_rn("$2b$", (unsigned long)cost, NULL, 0, setting, sizeof setting) == NULL ||
        crypt_gensalt_rn("$2b$", (unsigned long)cost, NULL, 0, hash, sizeof hash) == NULL)
        abort();
    /* Any 31 characters are a hash: what would have to be hashed to them, nobody knows. */
    snprintf(ret_hash, AUTH_PASSWORD_HASH, SCHEME "%d$%.*s$%.*s%.9s", cost, SALT_LENGTH,
             setting + 7, SALT_LENGTH, hash + 7, setting + 7);
}

bool auth_password_outdated(const char *hash, int cost)
{
    int used;

    return password_parse(hash, &used) == NULL || used < cost;
}

/* What the hashing thread works on: a copy, for the request's end does not wait for it. */
struct password_work {
    char password[AUTH_PASSWORD_MAX + 1];
    char hash[AUTH_PASSWORD_HASH];
    int cost;
    bool good;
};

static void password_work_make(void *arg)
{
    struct password_work *work = arg;

    work->good = auth_password_hash(work->password, work->cost, work->hash);
}

static void password_work_check(void *arg)
{
    struct password_work *work = arg;

    work->good = auth_password_verify(work->password, work->hash);
}

static int password_offload(struct vv_request *req, struct password_work *work,
                            const char *password, void (*function)(void *))
{
    int rc;

    snprintf(work->password, sizeof work->password, "%s", password);
    rc = vv_offload(req, VV_POOL_HASH, function, work);
    auth_wipe(work->password, sizeof work->password);
    return rc;
}

int auth_password_make(struct vv_request *req, const char *password, const char **ret_hash)
{
    struct password_work *work = vv_alloc(req, sizeof *work);

    work->cost = (int)auth_conf()->bcrypt_cost;
    VV_TRY(password_offload(req, work, password, password_work_make));
    if (!work->good)
        return vv_fail(req, 500, "internal_error", "The password could not be stored");
    *ret_hash = work->hash;
    return 0;
}

int auth_password_check(struct vv_request *req, const char *password, const char *hash,
                        bool *ret_right)
{
    struct password_work *work = vv_alloc(req, sizeof *work);

    /* What is too long for the copy would be cut, and the rest would not count. */
    if (strlen(password) > AUTH_PASSWORD_MAX)
        hash = NULL;
    if (hash != NULL && strlen(hash) < sizeof work->hash)
        snprintf(work->hash, sizeof work->hash, "%s", hash);
    else
        auth_password_decoy((int)auth_conf()->bcrypt_cost, work->hash);
    VV_TRY(password_offload(req, work, password, password_work_check));
    *ret_right = hash != NULL && work->good;
    return 0;
}

int auth_password_allowed(struct vv_request *req, const char *field, const char *password)
{
    if (strlen(password) > AUTH_PASSWORD_MAX)
        return vv_fail_field(req, field, "must have at most 1024 bytes");
    if (auth_password_common(password))
        return vv_fail_field(req, field,
                             "is one of the passwords that everybody tries first; "
                             "choose another one");
    return 0;
}
