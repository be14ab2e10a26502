/* New passwords: by a token that came by mail, or by knowing the present one. */
#include "auth.h"
#include "password.h"

static int reset_mail(struct vv_tx *tx, const char *email)
{
    struct auth_user user;
    struct vv_rows *rows;
    const char *token;
    bool allowed;

    VV_TRY(auth_mail_allowed(tx, email, AUTH_RESET, &allowed));
    VV_TRY(vv_tx_query(tx, &rows,
                       "select " AUTH_USER_COLUMNS " from users u where lower(u.email) = lower($1)"
                       " and u.disabled_at is null",
                       VV_TEXT(email)));
    if (!allowed || vv_rows_count(rows) == 0 || vv_mail() == NULL)
        return 0;
    auth_user_read(rows, 0, &user);
    VV_TRY(auth_token_make(tx, user.id, AUTH_RESET, NULL, &token));
    return auth_mail_token(tx, &user, NULL, AUTH_RESET, token);
}

int auth_forgot_password(struct vv_request *req)
{
    int64_t started = auth_clock();
    struct vv_tx *tx;

    VV_TRY(vv_begin(req, &tx));
    VV_TRY(reset_mail(tx, vv_body_text(req, "email")));
    VV_TRY(vv_commit(tx));
    VV_TRY(auth_mail_settle(req, started));
    return vv_reply_message(req, "If there is an account with this address, a mail with a link is "
                                 "on its way");
}

/* Stores the hash, ends the other sessions, and tells the owner. */
static int password_replace(struct vv_tx *tx, const struct auth_user *user, const char *hash,
                            int64_t session, struct vv_rows **ret_ended)
{
    uint8_t account[AUTH_DIGEST];

    auth_account_key(user->email, account);
    VV_TRY(vv_tx_exec(tx,
                      "update users set password_hash = $2, password_version ="
                      " password_version + 1, updated_at = now() where id = $1",
                      VV_INT(user->id), VV_TEXT(hash)));
    VV_TRY(auth_sessions_end(tx, user->id, session, ret_ended));
    VV_TRY(vv_tx_exec(tx,
                      "delete from email_verification_tokens where user_id = $1"
                      " and purpose = 'reset'",
                      VV_INT(user->id)));
    VV_TRY(vv_tx_exec(tx, "delete from auth_failures where account = $1",
                      VV_BYTES(account, sizeof account)));
    return auth_mail_notice(tx, user, NULL);
}

/* Who read the mail owns the address. */
static int reset_verifies(struct vv_tx *tx, struct auth_user *user)
{
    bool verified = user->email_verified;

    user->email_verified = true;
    if (!verified)
        VV_TRY(auth_user_emit(tx, "user.verified", user, NULL, NULL));
    return vv_tx_exec(tx,
                      "update users set email_verified = true where id = $1 and not email_verified",
                      VV_INT(user->id));
}

int auth_reset_password(struct vv_request *req)
{
    const char *token = vv_body_text(req, "token"), *password = vv_body_text(req, "password"),
               *hash;
    struct vv_rows *rows, *ended;
    struct auth_user user;
    struct vv_tx *tx;

    /* A password that is refused does not use the token up. */
    VV_TRY(auth_password_allowed(req, "password", password));
    VV_TRY(auth_token_find(req, token, true, &rows));
    VV_TRY(auth_user_load(req, vv_row_int(rows, 0, "user_id"), &user));
    VV_TRY(auth_password_make(req, password, &hash));

    VV_TRY(vv_begin(req, &tx));
    VV_TRY(reset_verifies(tx, &user));
    VV_TRY(auth_user_lock(tx, user.id, &user));
    VV_TRY(auth_token_take(tx, token, true));
    VV_TRY(password_replace(tx, &user, hash, 0, &ended));
    VV_TRY(vv_commit(tx));
    auth_revoked_rows(ended);
    return vv_reply_message(req, "Your password is changed; please log in");
}

int auth_change_password(struct vv_request *req)
{
    const char *password = vv_body_text(req, "new_password"), *hash;
    struct auth_user user, locked;
    struct vv_rows *ended;
    struct vv_tx *tx;

    VV_TRY(auth_password_allowed(req, "new_password", password));
    VV_TRY(auth_user_load(req, vv_caller_id(req), &user));
    VV_TRY(auth_user_prove(req, &user, vv_body_text(req, "current_password")));
    VV_TRY(auth_password_make(req, password, &hash));

    VV_TRY(vv_begin(req, &tx));
    VV_TRY(auth_user_lock(tx, user.id, &locked));
    /* Of two at once the second one has not proved the first one's password. */
    if (locked.password_version != user.password_version)
        return vv_fail(req, 403, "wrong_password", "The password is not right");
    VV_TRY(password_replace(tx, &locked, hash, vv_caller(req)->session_id, &ended));
    VV_TRY(vv_commit(tx));
    auth_revoked_rows(ended);
    return vv_reply_message(req, "Your password is changed");
}
