/* What the files of this plugin share: its options, an account as it was read, and the steps that
 * several handlers take. */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "access_token.h"
#include "crypto.h"

#include <vv/auth.h>
#include <vv/mail.h>

struct auth_conf {
    int64_t jwt_algorithm; /* enum auth_alg */
    const char *jwt_secret, *jwt_secret_previous;
    const char *jwt_key_file, *jwt_key_file_previous;
    const char *issuer, *audience;
    int64_t access_token_ttl, refresh_token_ttl, verification_ttl, reset_ttl; /* milliseconds */
    int64_t bcrypt_cost;
    bool require_verification;
};

static inline const struct auth_conf *auth_conf(void)
{
    return (const struct auth_conf *)vv_conf();
}

/* ---- accounts: users.c ------------------------------------------------------------------------
 */

/* An account as it was read. Request. */
struct auth_user {
    int64_t id;
    const char *uid, *email, *first_name, *last_name;
    const char *password_hash;
    int64_t password_version;
    int64_t created_at, updated_at; /* microseconds since 1970 */
    bool email_verified;            /* or it need not be */
    bool disabled;
};

/* What a statement must select of `users u` for auth_user_read(). */
#define AUTH_USER_COLUMNS                                                             \
    "u.id, u.uid::text as uid, u.email, u.first_name, u.last_name, u.password_hash, " \
    "u.password_version, u.created_at, u.updated_at, u.email_verified, "              \
    "u.disabled_at is not null as disabled"

void auth_user_read(const struct vv_rows *rows, size_t row, struct auth_user *ret_user);

/* The account of the caller; a 401 when it is gone. May wait. */
VV_MUST_CHECK int auth_user_load(struct vv_request *req, int64_t id, struct auth_user *ret_user);

/* The same inside a transaction, which then holds its row: FOR NO KEY UPDATE. */
VV_MUST_CHECK int auth_user_lock(struct vv_tx *tx, int64_t id, struct auth_user *ret_user);

/* Emits one of the events of <vv/auth.h>. `old_email` and `reply` may be NULL. */
VV_MUST_CHECK int auth_user_emit(struct vv_tx *tx, const char *event, const struct auth_user *user,
                                 const char *old_email, struct vv_json *reply);

/* Adds {id, email, first_name, ...} to the open object. */
void auth_user_put(struct vv_json *json, const struct auth_user *user);

/* Disables or enables the account (`vvctl user`), ends its sessions. VV_ENOTFOUND: no such account.
 */
VV_MUST_CHECK int auth_user_disable(struct vv_request *req, int64_t id, bool disable);

/* Deletes the account and all that belongs to it. */
VV_MUST_CHECK int auth_user_delete(struct vv_request *req, const struct auth_user *user);

/* The caller's password as proof of who it is: 403 `wrong_password`, slowed like a login. */
VV_MUST_CHECK int auth_user_prove(struct vv_request *req, const struct auth_user *user,
                                  const char *password);

/* ---- sessions: sessions.c, revocations.c ------------------------------------------------------
 */

/* Begins a session of an account whose password was just right, and prepares the login's answer.
 * A 401 when the account has been disabled or its password changed meanwhile. */
VV_MUST_CHECK int auth_session_begin(struct vv_request *req, const struct auth_user *user,
                                     const uint8_t account[AUTH_DIGEST]);

/* Ends all sessions of an account but `except` (0: all). Call auth_revoked_rows() with the rows
 * once the transaction has been committed. */
VV_MUST_CHECK int auth_sessions_end(struct vv_tx *tx, int64_t user_id, int64_t except,
                                    struct vv_rows **ret_rows);

/* This worker knows at once what the others learn within a third of a second. */
void auth_revoked_rows(const struct vv_rows *rows);

bool auth_revoked(int64_t session_id);

/* Waits, if need be, until this worker has learned which sessions have ended. */
VV_MUST_CHECK int auth_revocations_ready(struct vv_request *req);

/* The start function: learns which sessions end, as long as the worker lives. */
int auth_revocations_follow(struct vv_request *req);

/* ---- tokens that came by mail: tokens.c, mailing.c --------------------------------------------
 */

#define AUTH_VERIFY "verify" /* the address of the account */
#define AUTH_CHANGE "change" /* a new address, which stands in the token's row */
#define AUTH_RESET  "reset"  /* a new password */

/* Makes a token of a purpose for an account, in place of the older ones. `email` is the address a
 * change is about, else NULL. Request. */
VV_MUST_CHECK int auth_token_make(struct vv_tx *tx, int64_t user_id, const char *purpose,
                                  const char *email, const char **ret_token);

/* Finds a token: ret_rows has user_id, purpose, email; a 400 when it is none, was used or has
 * expired. `reset`: it must be one for a password, else one for an address. */
VV_MUST_CHECK int auth_token_find(struct vv_request *req, const char *token, bool reset,
                                  struct vv_rows **ret_rows);

/* Uses a token up. A 400 when somebody was faster. Last in its transaction: what other plugins keep
 * of a user is locked first everywhere, then the user's row, then the rest. */
VV_MUST_CHECK int auth_token_take(struct vv_tx *tx, const char *token, bool reset);

/* Mails a link with the token. `to` NULL: the account's own address. */
VV_MUST_CHECK int auth_mail_token(struct vv_tx *tx, const struct auth_user *user, const char *to,
                                  const char *purpose, const char *token);

/* Tells the account's address that another one is to take its place. */
VV_MUST_CHECK int auth_mail_notice(struct vv_tx *tx, const struct auth_user *user,
                                   const char *new_email);

/* Whether another mail of this purpose may go to the address, and counts it. */
VV_MUST_CHECK int auth_mail_allowed(struct vv_tx *tx, const char *email, const char *purpose,
                                    bool *ret_allowed);

/* Waits until the request has taken as long as all of its kind, so that its time says nothing. */
VV_MUST_CHECK int auth_mail_settle(struct vv_request *req, int64_t started);
int64_t auth_clock(void); /* milliseconds of a clock that never steps */

/* During init: what the links of mails begin with. */
VV_MUST_CHECK int auth_mail_setup(struct vv_request *req);

/* ---- guessing: guess.c ------------------------------------------------------------------------
 */

/* The keyed hash under which an address is counted. */
void auth_account_key(const char *email, uint8_t ret_account[AUTH_DIGEST]);

/* Whether somebody in the caller's network may try that account's password now; else a 429. */
VV_MUST_CHECK int auth_guess_allowed(struct vv_request *req, const uint8_t account[AUTH_DIGEST]);

/* A 429 that says when to come again. */
int auth_guess_refuse(struct vv_request *req, int64_t milliseconds);

/* Counts a wrong password. */
VV_MUST_CHECK int auth_guess_failed(struct vv_request *req, const uint8_t account[AUTH_DIGEST]);

/* The network of the caller, "" outside HTTP. Request. */
const char *auth_guess_network(struct vv_request *req);

/* ---- the rest ---------------------------------------------------------------------------------
 */

extern const struct auth_expected *auth_expected; /* identify.c */
VV_MUST_CHECK int auth_identify_setup(struct vv_request *req);
int auth_identify(struct vv_request *req, struct vv_event *event);

/* profile_query.c: the one statement behind GET /profile. */
int auth_profile_field(const struct vv_profile_field *field);
VV_MUST_CHECK int auth_profile_reply(struct vv_request *req);

int auth_pages_setup(struct vv_request *req);
int auth_cleanup(struct vv_request *req);

extern const struct vv_auth_service auth_service;
extern const struct vv_command auth_commands[];

/* Handlers, each in the file of its subject. */
int auth_register(struct vv_request *req);
int auth_verify_email(struct vv_request *req);
int auth_resend_verification(struct vv_request *req);
int auth_login(struct vv_request *req);
int auth_refresh(struct vv_request *req);
int auth_logout(struct vv_request *req);
int auth_sessions_list(struct vv_request *req);
int auth_session_delete(struct vv_request *req);
int auth_forgot_password(struct vv_request *req);
int auth_reset_password(struct vv_request *req);
int auth_change_password(struct vv_request *req);
int auth_profile_get(struct vv_request *req);
int auth_profile_patch(struct vv_request *req);
int auth_profile_delete(struct vv_request *req);
int auth_jwks(struct vv_request *req);
int auth_page_verify(struct vv_request *req);
int auth_page_reset(struct vv_request *req);

#endif
