/* What people do with their keys, and the first key that comes with an account. */
#include "apikeys.h"

#define DEFAULT_NAME "Default"

int apikeys_list(struct vv_request *req)
{
    struct vv_json *json = vv_array(req);
    struct vv_rows *rows;

    VV_TRY(vv_query(req, &rows,
                    "select " APIKEYS_COLUMNS " from api_keys where user_id = $1 order by id",
                    VV_INT(vv_caller_id(req))));
    for (size_t row = 0; row < vv_rows_count(rows); row++) {
        vv_open_object(json, NULL);
        vv_put_row(json, rows, row);
        vv_close(json);
    }
    return vv_reply(req, 200, json);
}

int apikeys_post(struct vv_request *req)
{
    struct vv_json *json = vv_object(req);
    struct vv_rows *row;
    char key[KEY_SIZE];

    VV_TRY(apikeys_create(req, vv_caller_id(req), vv_body_text(req, "name"),
                          vv_body_int(req, "expires_in_days"), key, &row));
    vv_put_row(json, row, 0);
    vv_put(json, "api_key", VV_TEXT(key));
    return vv_reply(req, 200, json);
}

int apikeys_delete(struct vv_request *req)
{
    int rc = apikeys_revoke(req, vv_param_int(req, "id"), vv_caller_id(req));

    if (rc == VV_ENOTFOUND)
        return vv_fail(req, 404, "unknown_key", "There is no such API key");
    if (rc < 0)
        return rc;
    return vv_reply_message(req, "The API key is revoked.");
}

/* Of several at once one key is left: the one that the last of them answers. */
int apikeys_regenerate(struct vv_request *req)
{
    struct vv_json *json = vv_object(req);
    int64_t user = vv_caller_id(req);
    struct vv_rows *row;
    struct vv_tx *tx;
    char key[KEY_SIZE];

    VV_TRY(vv_begin(req, &tx));
    VV_TRY(apikeys_lock_user(tx, user));
    VV_TRY(apikeys_insert(tx, user, DEFAULT_NAME, 0, key, &row));
    VV_TRY(vv_tx_exec(tx,
                      "update api_keys set is_active = false, revoked_at = now()"
                      " where user_id = $1 and is_active and id <> $2",
                      VV_INT(user), VV_INT(vv_row_int(row, 0, "id"))));
    VV_TRY(vv_commit(tx));
    vv_put(json, "api_key", VV_TEXT(key));
    vv_put(json, "created_at", vv_row(row, 0, "created_at"));
    return vv_reply(req, 200, json);
}

/* ---- with the account -------------------------------------------------------------------------
 */

int apikeys_user_registered(struct vv_request *req, struct vv_event *event)
{
    struct vv_rows *row;
    char key[KEY_SIZE];

    (void)req;
    VV_TRY(apikeys_insert(event->tx, vv_event_user(event)->user_id, DEFAULT_NAME, 0, key, &row));
    if (event->reply != NULL)
        vv_put(event->reply, "api_key", VV_TEXT(key));
    return VV_NEXT;
}

/* The user's entitlements are locked by now: no call of these keys is under way. */
int apikeys_user_deleted(struct vv_request *req, struct vv_event *event)
{
    const struct vv_param user = VV_INT(vv_event_user(event)->user_id);

    (void)req;
    VV_TRY(vv_tx_exec(event->tx, "delete from api_keys where user_id = $1", user));
    VV_TRY(vv_tx_exec(event->tx, "delete from api_key_answers where user_id = $1", user));
    return VV_NEXT;
}
