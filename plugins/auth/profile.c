/* The profile: reading it, changing it, and deleting the account. */
#include "auth.h"
#include "password.h"

#include <string.h>

int auth_profile_get(struct vv_request *req)
{
    return auth_profile_reply(req);
}

static int profile_taken(struct vv_request *req)
{
    return vv_fail(req, 409, "email_taken", "User already exists");
}

/* The new address counts once it is proved; the old one is told. */
static int profile_email(struct vv_tx *tx, const struct auth_user *user, const char *email)
{
    struct vv_request *req = vv_tx_request(tx);
    struct vv_rows *rows;
    const char *token;
    bool allowed;

    VV_TRY(vv_tx_query(tx, &rows, "select 1 from users where lower(email) = lower($1) and id <> $2",
                       VV_TEXT(email), VV_INT(user->id)));
    if (vv_rows_count(rows) > 0)
        return profile_taken(req);
    VV_TRY(auth_mail_allowed(tx, email, AUTH_CHANGE, &allowed));
    if (!allowed)
        return auth_guess_refuse(req, 60000);
    VV_TRY(auth_token_make(tx, user->id, AUTH_CHANGE, email, &token));
    VV_TRY(auth_mail_token(tx, user, email, AUTH_CHANGE, token));
    return auth_mail_notice(tx, user, email);
}

/* Names count at once, as does an address where there is no mail to prove it with. */
static int profile_store(struct vv_tx *tx, struct auth_user *user, const char *email)
{
    struct vv_request *req = vv_tx_request(tx);
    const char *first = vv_body_text(req, "first_name"), *last = vv_body_text(req, "last_name"),
               *old_email = email == NULL ? NULL : user->email;
    int rc;

    if (first == NULL && last == NULL && email == NULL)
        return 0;
    user->first_name = first == NULL ? user->first_name : first;
    user->last_name = last == NULL ? user->last_name : last;
    user->email = email == NULL ? user->email : email;
    VV_TRY(auth_user_emit(tx, "user.changed", user, old_email, NULL));
    rc = vv_tx_exec(tx,
                    "update users set first_name = coalesce($2, first_name), last_name ="
                    " coalesce($3, last_name), email = coalesce($4, email), updated_at = now(),"
                    " email_verified = email_verified and $4 is null where id = $1",
                    VV_INT(user->id), VV_TEXT(first), VV_TEXT(last), VV_TEXT(email));
    return rc == VV_EUNIQUE ? profile_taken(req) : rc;
}

int auth_profile_patch(struct vv_request *req)
{
    const char *email = vv_body_text(req, "email"),
               *password = vv_body_text(req, "current_password");
    bool later = vv_mail() != NULL;
    struct auth_user user;
    struct vv_tx *tx;

    if (email != NULL && password == NULL)
        return vv_fail_field(req, "current_password", "is needed to change the email address");
    VV_TRY(auth_user_load(req, vv_caller_id(req), &user));
    if (email != NULL) {
        VV_TRY(auth_user_prove(req, &user, password));
        if (strcmp(email, user.email) == 0)
            email = NULL;
    }
    VV_TRY(vv_begin(req, &tx));
    VV_TRY(profile_store(tx, &user, later ? NULL : email));
    if (later && email != NULL)
        VV_TRY(profile_email(tx, &user, email));
    VV_TRY(vv_commit(tx));
    return auth_profile_reply(req);
}

int auth_profile_delete(struct vv_request *req)
{
    struct auth_user user;

    VV_TRY(auth_user_load(req, vv_caller_id(req), &user));
    VV_TRY(auth_user_prove(req, &user, vv_body_text(req, "password")));
    VV_TRY(auth_user_delete(req, &user));
    return vv_reply_message(req, "Your account is deleted");
}
