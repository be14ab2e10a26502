/* Says who calls: a back end by its token, or the user that an API key belongs to. */
#include "apikeys.h"

#include <string.h>
#include <strings.h>

static int identify_service(struct vv_request *req, const char *authorization)
{
    struct vv_caller caller = VV_CALLER(VV_SERVICE, 0);

    if (authorization == NULL || strncasecmp(authorization, "Bearer ", 7) != 0)
        return VV_NEXT;
    authorization += 7;
    while (*authorization == ' ')
        authorization++;
    caller.name = apikeys_service_find(authorization);
    return caller.name == NULL ? VV_NEXT : vv_set_caller(req, &caller);
}

/* For the routes of other plugins: whose key it is, without counting a call. */
static int identify_key(struct vv_request *req, const char *key)
{
    static const struct vv_batch batch = {
        .size = sizeof batch,
        .flags = VV_BATCH_READ,
        .name = "apikeys.identify",
        .sql = "select t.n, k.id, k.user_id from unnest($1::bytea[]) with ordinality t (digest, n)"
               " join api_keys k on k.api_key = t.digest"
               " join entitlements e on e.user_id = k.user_id"
               " where k.is_active and coalesce(k.expires_at > now(), true)"
               " and e.verified and not e.disabled",
    };
    struct vv_caller caller = VV_CALLER(VV_KEY, 0);
    uint8_t digest[KEY_DIGEST];
    struct vv_rows *rows;

    if (key == NULL || !apikeys_may_exist(key))
        return VV_NEXT;
    apikeys_digest(key, strlen(key), digest);
    VV_TRY(vv_batch_query(req, &batch, &rows, VV_BYTES(digest, sizeof digest)));
    if (vv_rows_count(rows) == 0)
        return VV_NEXT;
    caller.user_id = vv_row_int(rows, 0, "user_id");
    caller.key_id = vv_row_int(rows, 0, "id");
    apikeys_used(caller.key_id);
    return vv_set_caller(req, &caller);
}

int apikeys_identify(struct vv_request *req, struct vv_event *event)
{
    const struct vv_identify *identify = event->data;

    if (identify->who == VV_SERVICE)
        return identify_service(req, identify->authorization);
    if (identify->who == VV_KEY)
        return identify_key(req, identify->api_key);
    return VV_NEXT;
}
