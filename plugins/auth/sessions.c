/* Sessions: begun by a login, kept alive by refreshing, ended by whoever owns them. */
#include "auth.h"
#include "refresh.h"

#include <string.h>
#include <time.h>

#define SECONDS(milliseconds) (((milliseconds) + 999) / 1000)

/* The answer of login and refresh. */
static int session_reply(struct vv_request *req, const struct auth_user *user, int64_t session,
                         const struct auth_refresh *refresh)
{
    int64_t now = time(NULL), lifetime = SECONDS(auth_conf()->access_token_ttl);
    const struct auth_claims claims = {user->id, session, now, now + lifetime};
    char *access = auth_jwt_sign(req, auth_keys_at(0), auth_expected, &claims);
    char text[AUTH_REFRESH_SIZE];
    struct vv_json *json;

    if (access == NULL)
        return vv_fail(req, 500, "internal_error", "The access token could not be signed");
    auth_refresh_text(refresh, text);
    json = vv_object(req);
    vv_put(json, "access_token", VV_TEXT(access));
    vv_put(json, "token_type", VV_TEXT("bearer"));
    vv_put(json, "expires_in", VV_INT(lifetime));
    vv_put(json, "refresh_token", VV_TEXT(text));
    vv_put(json, "user_id", VV_INT(user->id));
    vv_put(json, "email_verified", VV_BOOL(user->email_verified));
    vv_open_object(json, "user");
    auth_user_put(json, user);
    vv_close(json);
    vv_reply_header(req, "Cache-Control", "no-store");
    return vv_reply(req, 200, json);
}

int auth_session_begin(struct vv_request *req, const struct auth_user *user,
                       const uint8_t account[AUTH_DIGEST])
{
    struct auth_refresh token = {.sequence = 0};
    uint8_t digest[AUTH_DIGEST];
    struct vv_rows *rows;
    char family[37];

    auth_random(token.family, sizeof token.family);
    (void)auth_refresh_seal(&token, false);
    auth_refresh_digest(&token, digest);
    auth_refresh_family(&token, family);
    /* The share lock makes a login that races with disabling, or with a new password, lose. */
    VV_TRY(vv_write(req, &rows,
                    "with u as (select id from users where id = $1 and disabled_at is null"
                    "  and password_version = $2 for share),"
                    " forgiven as (delete from auth_failures where account = $3 and network = $4"
                    "  and exists (select 1 from u))"
                    " insert into auth_sessions (user_id, family, digest, expires_at, ip,"
                    "  user_agent)"
                    " select u.id, $5, $6, now() + $7::bigint * interval '1 ms', $8, $9 from u"
                    " returning id",
                    VV_INT(user->id), VV_INT(user->password_version),
                    VV_BYTES(account, AUTH_DIGEST), VV_TEXT(auth_guess_network(req)),
                    VV_TEXT(family), VV_BYTES(digest, sizeof digest),
                    VV_INT(auth_conf()->refresh_token_ttl), VV_TEXT(vv_info(req, VV_INFO_ADDRESS)),
                    VV_TEXT(vv_info(req, VV_INFO_USER_AGENT))));
    if (vv_rows_count(rows) == 0)
        return vv_fail(req, 401, "invalid_credentials", "Invalid credentials");
    return session_reply(req, user, vv_row_int(rows, 0, "id"), &token);
}

int auth_sessions_end(struct vv_tx *tx, int64_t user_id, int64_t except, struct vv_rows **ret_rows)
{
    return vv_tx_query(tx, ret_rows,
                       "with ended as (delete from auth_sessions where user_id = $1 and id <> $2"
                       "  returning id)"
                       " insert into auth_revocations (sid) select id from ended"
                       " on conflict (sid) do nothing returning sid",
                       VV_INT(user_id), VV_INT(except));
}

/* Ends one session of an account. ret_rows is empty when there is no such session. */
static int session_end(struct vv_request *req, int64_t user_id, int64_t session)
{
    struct vv_rows *rows;

    VV_TRY(vv_write(req, &rows,
                    "with ended as (delete from auth_sessions where id = $1 and user_id = $2"
                    "  returning id)"
                    " insert into auth_revocations (sid) select id from ended"
                    " on conflict (sid) do nothing returning sid",
                    VV_INT(session), VV_INT(user_id)));
    auth_revoked_rows(rows);
    return vv_rows_count(rows) > 0 ? 0 : VV_ENOTFOUND;
}

static int refresh_refuse(struct vv_request *req)
{
    return vv_fail(req, 401, "invalid_refresh_token",
                   "This session has ended; please log in again");
}

/* The token is not the newest of its family: a twin of a moment ago gets the same child, anything
 * older is in somebody else's hands. */
static int refresh_again(struct vv_request *req, const struct auth_refresh *token,
                         const char *family)
{
    struct auth_refresh child = *token;
    uint8_t digest[AUTH_DIGEST];
    struct vv_param newest;
    struct auth_user user;
    struct vv_rows *rows;
    int64_t sequence;

    VV_TRY(vv_query(req, &rows,
                    "select " AUTH_USER_COLUMNS ", s.id as sid, s.sequence, s.digest,"
                    " s.rotated_at > now() - interval '10 s' as recent"
                    " from auth_sessions s join users u on u.id = s.user_id"
                    " where s.family = $1 and s.expires_at > now()",
                    VV_TEXT(family)));
    if (vv_rows_count(rows) == 0 || !auth_refresh_genuine(token))
        return refresh_refuse(req);
    auth_user_read(rows, 0, &user);
    sequence = vv_row_int(rows, 0, "sequence");
    newest = vv_row(rows, 0, "digest");
    child.sequence++;
    for (int previous = 0; previous < 2 && child.sequence == sequence; previous++) {
        if (!vv_row_bool(rows, 0, "recent") || !auth_refresh_seal(&child, previous != 0))
            break;
        auth_refresh_digest(&child, digest);
        if (newest.length == sizeof digest && auth_equal(digest, newest.data, sizeof digest))
            return session_reply(req, &user, vv_row_int(rows, 0, "sid"), &child);
    }
    if (token->sequence >= sequence)
        return refresh_refuse(req);
    vv_log(req, VV_LOG_WARNING, "a used refresh token came again: session %lld of user %lld ends",
           (long long)vv_row_int(rows, 0, "sid"), (long long)user.id);
    if (session_end(req, user.id, vv_row_int(rows, 0, "sid")) == VV_EUNAVAILABLE)
        return VV_EUNAVAILABLE;
    return refresh_refuse(req);
}

int auth_refresh(struct vv_request *req)
{
    uint8_t old_digest[AUTH_DIGEST], digest[AUTH_DIGEST];
    struct auth_refresh token, child;
    struct auth_user user;
    struct vv_rows *rows;
    char family[37];

    if (!auth_refresh_parse(vv_body_text(req, "refresh_token"), &token))
        return refresh_refuse(req);
    child = token;
    child.sequence++;
    (void)auth_refresh_seal(&child, false);
    auth_refresh_digest(&token, old_digest);
    auth_refresh_digest(&child, digest);
    auth_refresh_family(&token, family);
    VV_TRY(vv_write(req, &rows,
                    "with s as (update auth_sessions set sequence = sequence + 1, digest = $4,"
                    "  rotated_at = now(), last_seen_at = now(), ip = $6, user_agent = $7,"
                    "  expires_at = now() + $5::bigint * interval '1 ms'"
                    "  where family = $1 and sequence = $2 and digest = $3 and expires_at > now()"
                    "  returning id, user_id)"
                    " select " AUTH_USER_COLUMNS ", s.id as sid"
                    " from s join users u on u.id = s.user_id",
                    VV_TEXT(family), VV_INT(token.sequence),
                    VV_BYTES(old_digest, sizeof old_digest), VV_BYTES(digest, sizeof digest),
                    VV_INT(auth_conf()->refresh_token_ttl), VV_TEXT(vv_info(req, VV_INFO_ADDRESS)),
                    VV_TEXT(vv_info(req, VV_INFO_USER_AGENT))));
    if (vv_rows_count(rows) == 0)
        return refresh_again(req, &token, family);
    auth_user_read(rows, 0, &user);
    return session_reply(req, &user, vv_row_int(rows, 0, "sid"), &child);
}

int auth_logout(struct vv_request *req)
{
    int64_t user = vv_caller_id(req), session = vv_caller(req)->session_id;
    struct vv_rows *rows;
    struct vv_tx *tx;
    int rc;

    if (!vv_body_bool(req, "all")) {
        rc = session_end(req, user, session);
        if (rc < 0 && rc != VV_ENOTFOUND)
            return rc;
        return vv_reply_message(req, "You are logged out");
    }
    VV_TRY(vv_begin(req, &tx));
    VV_TRY(auth_sessions_end(tx, user, 0, &rows));
    VV_TRY(vv_commit(tx));
    auth_revoked_rows(rows);
    return vv_reply_message(req, "You are logged out everywhere");
}

int auth_sessions_list(struct vv_request *req)
{
    struct vv_json *json = vv_array(req);
    struct vv_rows *rows;

    VV_TRY(vv_query(req, &rows,
                    "select id, created_at, last_seen_at, ip, user_agent, id = $2 as current"
                    " from auth_sessions where user_id = $1 and expires_at > now()"
                    " order by last_seen_at desc, id desc",
                    VV_INT(vv_caller_id(req)), VV_INT(vv_caller(req)->session_id)));
    for (size_t i = 0; i < vv_rows_count(rows); i++) {
        vv_open_object(json, NULL);
        vv_put_row(json, rows, i);
        vv_close(json);
    }
    return vv_reply(req, 200, json);
}

int auth_session_delete(struct vv_request *req)
{
    int rc = session_end(req, vv_caller_id(req), vv_param_int(req, "id"));

    if (rc == VV_ENOTFOUND)
        return vv_fail(req, 404, "unknown_session", "There is no such session");
    return rc < 0 ? rc : vv_reply_message(req, "The session has ended");
}
