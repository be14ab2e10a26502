/* POST /auth/login: the same work and the same answer for everybody who does not know the password.
 */
#include "auth.h"
#include "password.h"

/* Makes the stored hash as good as a new one would be, now that the password is at hand. */
static int login_upgrade(struct vv_request *req, const struct auth_user *user, const char *password)
{
    const char *hash;

    if (!auth_password_outdated(user->password_hash, (int)auth_conf()->bcrypt_cost))
        return 0;
    VV_TRY(auth_password_make(req, password, &hash));
    /* Not where another login or a new password was faster. */
    return vv_exec(req, "update users set password_hash = $2 where id = $1 and password_hash = $3",
                   VV_INT(user->id), VV_TEXT(hash), VV_TEXT(user->password_hash));
}

static int login_refuse(struct vv_request *req, const uint8_t account[AUTH_DIGEST])
{
    VV_TRY(auth_guess_failed(req, account));
    return vv_fail(req, 401, "invalid_credentials", "Invalid credentials");
}

int auth_login(struct vv_request *req)
{
    const char *email = vv_body_text(req, "email"), *password = vv_body_text(req, "password");
    struct auth_user user = {0};
    uint8_t account[AUTH_DIGEST];
    struct vv_rows *rows;
    bool known, right;
    int64_t wait;

    auth_account_key(email, account);
    /* One row whether or not there are an account and failures. */
    VV_TRY(vv_query(req, &rows,
                    "select " AUTH_USER_COLUMNS ","
                    " ceil(extract(epoch from f.blocked_until - now()) * 1000)::bigint as wait"
                    " from (select 1) one left join users u on lower(u.email) = lower($1)"
                    " left join auth_failures f on f.account = $2 and f.network = $3",
                    VV_TEXT(email), VV_BYTES(account, sizeof account),
                    VV_TEXT(auth_guess_network(req))));
    wait = vv_row_int(rows, 0, "wait");
    if (wait > 0)
        return auth_guess_refuse(req, wait);
    known = !vv_row_null(rows, 0, "id");
    if (known)
        auth_user_read(rows, 0, &user);
    VV_TRY(auth_password_check(req, password, known ? user.password_hash : NULL, &right));
    if (!right || user.disabled)
        return login_refuse(req, account);
    if (!user.email_verified)
        return vv_fail(req, 403, "email_unverified",
                       "Please verify your email address before logging in. Check your inbox for "
                       "the verification link, or ask for a new one.");
    VV_TRY(login_upgrade(req, &user, password));
    return auth_session_begin(req, &user, account);
}
