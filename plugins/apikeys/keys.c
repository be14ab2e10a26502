/* Keys in the database: made and revoked, always behind the lock of their user's entitlements. */
#include "apikeys.h"

#include <inttypes.h>
#include <string.h>

int apikeys_lock_user(struct vv_tx *tx, int64_t user_id)
{
    struct vv_rows *rows;

    VV_TRY(vv_tx_query(tx, &rows, "select 1 from entitlements where user_id = $1 for update",
                       VV_INT(user_id)));
    if (vv_rows_count(rows) == 0)
        return vv_fail(vv_tx_request(tx), 401, "invalid_token", "This account has been deleted");
    return 0;
}

int apikeys_insert(struct vv_tx *tx, int64_t user_id, const char *name, int64_t days,
                   char ret_key[KEY_SIZE], struct vv_rows **ret_row)
{
    const char *prefix = apikeys_conf()->prefix;
    uint8_t digest[KEY_DIGEST];

    apikeys_key_make(prefix, ret_key);
    apikeys_digest(ret_key, strlen(ret_key), digest);
    return vv_tx_query(tx, ret_row,
                       "insert into api_keys (user_id, api_key, key_prefix, name, expires_at)"
                       " values ($1, $2, $3, $4, now() + $5::bigint * interval '24 hours')"
                       " returning " APIKEYS_COLUMNS,
                       VV_INT(user_id), VV_BYTES(digest, sizeof digest),
                       VV_TEXT_N(ret_key, strlen(prefix) + KEY_SHOWN), VV_TEXT(name),
                       days == 0 ? VV_NULL() : VV_INT(days));
}

/* Of any number at once exactly as many pass as there is room for: each waits for the lock. */
static int keys_room(struct vv_tx *tx, int64_t user_id)
{
    int64_t most = apikeys_conf()->max_per_user;
    struct vv_rows *rows;

    VV_TRY(vv_tx_query(tx, &rows,
                       "select count(*) as count from api_keys where user_id = $1 and is_active"
                       " and coalesce(expires_at > now(), true)",
                       VV_INT(user_id)));
    if (vv_row_int(rows, 0, "count") < most)
        return 0;
    return vv_fail(vv_tx_request(tx), 409, "too_many_keys",
                   "There are %" PRId64 " API keys already, which is the most; revoke one first",
                   vv_row_int(rows, 0, "count"));
}

int apikeys_create(struct vv_request *req, int64_t user_id, const char *name, int64_t days,
                   char ret_key[KEY_SIZE], struct vv_rows **ret_row)
{
    struct vv_tx *tx;

    VV_TRY(vv_begin(req, &tx));
    VV_TRY(apikeys_lock_user(tx, user_id));
    VV_TRY(keys_room(tx, user_id));
    VV_TRY(apikeys_insert(tx, user_id, name, days, ret_key, ret_row));
    return vv_commit(tx);
}

int apikeys_revoke(struct vv_request *req, int64_t id, int64_t user_id)
{
    struct vv_rows *rows;

    VV_TRY(vv_write(req, &rows,
                    "update api_keys set is_active = false, revoked_at = now()"
                    " where id = $1 and ($2 = 0::bigint or user_id = $2) and is_active"
                    " returning id",
                    VV_INT(id), VV_INT(user_id)));
    return vv_rows_count(rows) > 0 ? 0 : VV_ENOTFOUND;
}
