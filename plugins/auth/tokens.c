/* Tokens that came by mail: random, stored as digests, each for one purpose and one use. */
#include "auth.h"

#include <string.h>

#define TOKEN_BYTES 32

int auth_token_make(struct vv_tx *tx, int64_t user_id, const char *purpose, const char *email,
                    const char **ret_token)
{
    const struct auth_conf *conf = auth_conf();
    int64_t lifetime = strcmp(purpose, AUTH_RESET) == 0 ? conf->reset_ttl : conf->verification_ttl;
    char *token = vv_alloc(vv_tx_request(tx), AUTH_BASE64_SIZE(TOKEN_BYTES));
    uint8_t bytes[TOKEN_BYTES], digest[AUTH_DIGEST];

    auth_random(bytes, sizeof bytes);
    auth_base64_encode(bytes, sizeof bytes, token);
    auth_sha256(token, strlen(token), digest);
    VV_TRY(vv_tx_exec(tx,
                      "delete from email_verification_tokens where user_id = $1 and purpose = $2",
                      VV_INT(user_id), VV_TEXT(purpose)));
    VV_TRY(vv_tx_exec(tx,
                      "insert into email_verification_tokens (user_id, token, purpose, email,"
                      " expires_at)"
                      " values ($1, $2, $3, $4, now() + $5::bigint * interval '1 ms')",
                      VV_INT(user_id), VV_BYTES(digest, sizeof digest), VV_TEXT(purpose),
                      VV_TEXT(email), VV_INT(lifetime)));
    *ret_token = token;
    return 0;
}

static int token_refuse(struct vv_request *req, bool reset)
{
    return vv_fail(req, 400, "invalid_token", "Invalid or expired %s token",
                   reset ? "password reset" : "verification");
}

int auth_token_find(struct vv_request *req, const char *token, bool reset,
                    struct vv_rows **ret_rows)
{
    uint8_t digest[AUTH_DIGEST];

    auth_sha256(token, strlen(token), digest);
    VV_TRY(vv_query(req, ret_rows,
                    "select user_id, purpose, email from email_verification_tokens"
                    " where token = $1 and (purpose = 'reset') = $2 and expires_at > now()",
                    VV_BYTES(digest, sizeof digest), VV_BOOL(reset)));
    return vv_rows_count(*ret_rows) == 0 ? token_refuse(req, reset) : 0;
}

int auth_token_take(struct vv_tx *tx, const char *token, bool reset)
{
    uint8_t digest[AUTH_DIGEST];
    struct vv_rows *rows;

    auth_sha256(token, strlen(token), digest);
    VV_TRY(vv_tx_query(tx, &rows,
                       "delete from email_verification_tokens where token = $1"
                       " and expires_at > now() returning id",
                       VV_BYTES(digest, sizeof digest)));
    return vv_rows_count(rows) == 0 ? token_refuse(vv_tx_request(tx), reset) : 0;
}
