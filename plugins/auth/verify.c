/* Proving addresses: the token out of the mail, and asking for another one. */
#include "auth.h"

/* The new address takes the old one's place; other mails to either are worth nothing any more. */
static int verify_change(struct vv_tx *tx, struct auth_user *user, const char *email,
                         const char *token)
{
    const char *old_email = user->email;
    int rc;

    user->email = email;
    if (!user->email_verified) {
        user->email_verified = true;
        VV_TRY(auth_user_emit(tx, "user.verified", user, NULL, NULL));
    }
    VV_TRY(auth_user_emit(tx, "user.changed", user, old_email, NULL));
    rc = vv_tx_exec(tx,
                    "update users set email = $2, email_verified = true, updated_at = now()"
                    " where id = $1",
                    VV_INT(user->id), VV_TEXT(email));
    if (rc == VV_EUNIQUE)
        return vv_fail(vv_tx_request(tx), 409, "email_taken", "User already exists");
    VV_TRY(rc);
    VV_TRY(auth_token_take(tx, token, false));
    return vv_tx_exec(tx, "delete from email_verification_tokens where user_id = $1",
                      VV_INT(user->id));
}

static int verify_address(struct vv_tx *tx, struct auth_user *user, const char *token)
{
    user->email_verified = true;
    VV_TRY(auth_user_emit(tx, "user.verified", user, NULL, NULL));
    VV_TRY(vv_tx_exec(tx,
                      "update users set email_verified = true, updated_at = now()"
                      " where id = $1 and not email_verified",
                      VV_INT(user->id)));
    VV_TRY(auth_token_take(tx, token, false));
    return vv_tx_exec(tx,
                      "delete from email_verification_tokens where user_id = $1"
                      " and purpose = 'verify'",
                      VV_INT(user->id));
}

int auth_verify_email(struct vv_request *req)
{
    const char *token = vv_body_text(req, "token"), *email;
    struct auth_user user;
    struct vv_rows *rows;
    struct vv_tx *tx;

    VV_TRY(auth_token_find(req, token, false, &rows));
    email = vv_row_text(rows, 0, "email");
    VV_TRY(auth_user_load(req, vv_row_int(rows, 0, "user_id"), &user));
    VV_TRY(vv_begin(req, &tx));
    VV_TRY(email != NULL ? verify_change(tx, &user, email, token)
                         : verify_address(tx, &user, token));
    VV_TRY(vv_commit(tx));
    return vv_reply_message(req, "Your email address is verified");
}

/* Mails another link to an account that waits for one. */
static int verify_again(struct vv_tx *tx, const char *email)
{
    struct auth_user user;
    struct vv_rows *rows;
    const char *token;
    bool allowed;

    VV_TRY(auth_mail_allowed(tx, email, AUTH_VERIFY, &allowed));
    VV_TRY(vv_tx_query(tx, &rows,
                       "select " AUTH_USER_COLUMNS " from users u where lower(u.email) = lower($1)"
                       " and not u.email_verified and u.disabled_at is null",
                       VV_TEXT(email)));
    if (!allowed || vv_rows_count(rows) == 0 || vv_mail() == NULL)
        return 0;
    auth_user_read(rows, 0, &user);
    VV_TRY(auth_token_make(tx, user.id, AUTH_VERIFY, NULL, &token));
    return auth_mail_token(tx, &user, NULL, AUTH_VERIFY, token);
}

int auth_resend_verification(struct vv_request *req)
{
    int64_t started = auth_clock();
    struct vv_tx *tx;

    VV_TRY(vv_begin(req, &tx));
    VV_TRY(verify_again(tx, vv_body_text(req, "email")));
    VV_TRY(vv_commit(tx));
    VV_TRY(auth_mail_settle(req, started));
    return vv_reply_message(req, "If this address waits for its verification, another mail is on "
                                 "its way");
}
