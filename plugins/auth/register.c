/* POST /auth/register: the account, its verification mail and what other plugins add, or nothing.
 */
#include "auth.h"
#include "password.h"

static int register_taken(struct vv_request *req)
{
    return vv_fail(req, 409, "email_taken", "User already exists");
}

static int register_insert(struct vv_tx *tx, const char *hash, struct auth_user *ret_user)
{
    struct vv_request *req = vv_tx_request(tx);
    struct vv_rows *rows;

    /* Of several at once exactly one gets a row. */
    VV_TRY(vv_tx_query(tx, &rows,
                       "insert into users as u (email, password_hash, first_name, last_name)"
                       " values ($1, $2, $3, $4) on conflict do nothing"
                       " returning " AUTH_USER_COLUMNS,
                       VV_TEXT(vv_body_text(req, "email")), VV_TEXT(hash),
                       VV_TEXT(vv_body_text(req, "first_name")),
                       VV_TEXT(vv_body_text(req, "last_name"))));
    if (vv_rows_count(rows) == 0)
        return register_taken(req);
    auth_user_read(rows, 0, ret_user);
    return 0;
}

static int register_mail(struct vv_tx *tx, const struct auth_user *user)
{
    const char *token;

    VV_TRY(auth_token_make(tx, user->id, AUTH_VERIFY, NULL, &token));
    return auth_mail_token(tx, user, NULL, AUTH_VERIFY, token);
}

int auth_register(struct vv_request *req)
{
    const char *password = vv_body_text(req, "password"), *hash;
    bool mails = vv_mail() != NULL;
    struct vv_json *reply;
    struct auth_user user;
    struct vv_rows *rows;
    struct vv_tx *tx;

    VV_TRY(auth_password_allowed(req, "password", password));
    /* Asked first only to spare the hashing; the insert decides. */
    VV_TRY(vv_query(req, &rows, "select 1 from users where lower(email) = lower($1)",
                    VV_TEXT(vv_body_text(req, "email"))));
    if (vv_rows_count(rows) > 0)
        return register_taken(req);
    VV_TRY(auth_password_make(req, password, &hash));

    VV_TRY(vv_begin(req, &tx));
    VV_TRY(register_insert(tx, hash, &user));
    if (mails)
        VV_TRY(register_mail(tx, &user));
    reply = vv_object(req);
    vv_put(reply, "message",
           VV_TEXT(mails ? "You are registered. Please check your inbox and verify your email "
                           "address."
                         : "You are registered."));
    vv_put(reply, "user_id", VV_INT(user.id));
    vv_put(reply, "email_verification_sent", VV_BOOL(mails));
    VV_TRY(auth_user_emit(tx, "user.registered", &user, NULL, reply));
    VV_TRY(vv_commit(tx));
    vv_reply_header(req, "Cache-Control", "no-store");
    return vv_reply(req, 200, reply);
}
