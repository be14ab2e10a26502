/* An account as a whole: reading it, telling others of its changes, disabling and deleting it. */
#include "auth.h"
#include "password.h"

void auth_user_read(const struct vv_rows *rows, size_t row, struct auth_user *ret_user)
{
    ret_user->id = vv_row_int(rows, row, "id");
    ret_user->uid = vv_row_text(rows, row, "uid");
    ret_user->email = vv_row_text(rows, row, "email");
    ret_user->first_name = vv_row_text(rows, row, "first_name");
    ret_user->last_name = vv_row_text(rows, row, "last_name");
    ret_user->password_hash = vv_row_text(rows, row, "password_hash");
    ret_user->password_version = vv_row_int(rows, row, "password_version");
    ret_user->created_at = vv_row_int(rows, row, "created_at");
    ret_user->updated_at = vv_row_int(rows, row, "updated_at");
    ret_user->email_verified =
        vv_row_bool(rows, row, "email_verified") || !auth_conf()->require_verification;
    ret_user->disabled = vv_row_bool(rows, row, "disabled");
}

/* A caller whose account has gone or may not act: the token is worth nothing any more. */
static int users_take(struct vv_request *req, const struct vv_rows *rows,
                      struct auth_user *ret_user)
{
    if (vv_rows_count(rows) == 0)
        return vv_fail(req, 401, "invalid_token", "This session has ended; please log in again");
    auth_user_read(rows, 0, ret_user);
    return 0;
}

int auth_user_load(struct vv_request *req, int64_t id, struct auth_user *ret_user)
{
    struct vv_rows *rows;

    VV_TRY(vv_query(req, &rows, "select " AUTH_USER_COLUMNS " from users u where u.id = $1",
                    VV_INT(id)));
    return users_take(req, rows, ret_user);
}

int auth_user_lock(struct vv_tx *tx, int64_t id, struct auth_user *ret_user)
{
    struct vv_rows *rows;

    VV_TRY(vv_tx_query(tx, &rows,
                       "select " AUTH_USER_COLUMNS " from users u where u.id = $1"
                       " for no key update",
                       VV_INT(id)));
    return users_take(vv_tx_request(tx), rows, ret_user);
}

int auth_user_emit(struct vv_tx *tx, const char *event, const struct auth_user *user,
                   const char *old_email, struct vv_json *reply)
{
    const struct vv_user_event data = {
        .size = sizeof data,
        .verified = user->email_verified,
        .user_id = user->id,
        .uid = user->uid,
        .email = user->email,
        .first_name = user->first_name,
        .last_name = user->last_name,
        .old_email = old_email,
    };
    struct vv_event happened = VV_EVENT(event, tx, &data, reply);

    return vv_emit(vv_tx_request(tx), &happened);
}

void auth_user_put(struct vv_json *json, const struct auth_user *user)
{
    vv_put(json, "id", VV_INT(user->id));
    vv_put(json, "email", VV_TEXT(user->email));
    vv_put(json, "first_name", VV_TEXT(user->first_name));
    vv_put(json, "last_name", VV_TEXT(user->last_name));
    vv_put(json, "email_verified", VV_BOOL(user->email_verified));
    vv_put(json, "created_at", VV_TIME(user->created_at));
    vv_put(json, "updated_at", VV_TIME(user->updated_at));
}

int auth_user_disable(struct vv_request *req, int64_t id, bool disable)
{
    struct vv_rows *rows, *ended = NULL;
    struct auth_user user;
    struct vv_tx *tx;

    VV_TRY(vv_begin(req, &tx));
    VV_TRY(vv_tx_query(tx, &rows, "select " AUTH_USER_COLUMNS " from users u where u.id = $1",
                       VV_INT(id)));
    if (vv_rows_count(rows) == 0)
        return VV_ENOTFOUND;
    auth_user_read(rows, 0, &user);
    /* What other plugins keep of a user is locked before the user's row, everywhere. */
    VV_TRY(auth_user_emit(tx, disable ? "user.disabled" : "user.enabled", &user, NULL, NULL));
    VV_TRY(
        vv_tx_exec(tx,
                   "update users set disabled_at = case when $2 then coalesce(disabled_at, now())"
                   " end, updated_at = now() where id = $1",
                   VV_INT(id), VV_BOOL(disable)));
    if (disable)
        VV_TRY(auth_sessions_end(tx, id, 0, &ended));
    VV_TRY(vv_commit(tx));
    auth_revoked_rows(ended);
    return 0;
}

int auth_user_delete(struct vv_request *req, const struct auth_user *user)
{
    uint8_t account[AUTH_DIGEST];
    struct vv_rows *ended, *gone;
    struct vv_tx *tx;

    auth_account_key(user->email, account);
    VV_TRY(vv_begin(req, &tx));
    VV_TRY(auth_user_emit(tx, "user.deleted", user, NULL, NULL));
    if (vv_mail() != NULL)
        VV_TRY(vv_mail()->forget(tx, user->id));
    VV_TRY(vv_tx_exec(tx, "select 1 from users where id = $1 for update", VV_INT(user->id)));
    VV_TRY(auth_sessions_end(tx, user->id, 0, &ended));
    VV_TRY(vv_tx_exec(tx, "delete from email_verification_tokens where user_id = $1",
                      VV_INT(user->id)));
    VV_TRY(vv_tx_exec(tx, "delete from auth_failures where account = $1",
                      VV_BYTES(account, sizeof account)));
    VV_TRY(vv_tx_exec(tx, "delete from auth_mailings where account = $1",
                      VV_BYTES(account, sizeof account)));
    VV_TRY(
        vv_tx_query(tx, &gone, "delete from users where id = $1 returning id", VV_INT(user->id)));
    if (vv_rows_count(gone) == 0)
        return vv_fail(req, 401, "invalid_token", "This account has been deleted");
    VV_TRY(vv_commit(tx));
    auth_revoked_rows(ended);
    return 0;
}

int auth_user_prove(struct vv_request *req, const struct auth_user *user, const char *password)
{
    uint8_t account[AUTH_DIGEST];
    bool right;

    auth_account_key(user->email, account);
    VV_TRY(auth_guess_allowed(req, account));
    VV_TRY(auth_password_check(req, password, user->password_hash, &right));
    if (right)
        return 0;
    VV_TRY(auth_guess_failed(req, account));
    return vv_fail(req, 403, "wrong_password", "The password is not right");
}
