/* POST /api-keys/validate: may the call of this key go ahead? Asked by another back end. */
#include "apikeys.h"

#include <string.h>

int apikeys_unknown(struct vv_request *req)
{
    const struct vv_verdict verdict = {.size = sizeof verdict, .outcome = VV_UNKNOWN_CALLER};

    return vv_entitlements()->answer(req, &verdict);
}

struct vv_json *apikeys_verdict_json(struct vv_request *req, const struct vv_verdict *verdict)
{
    bool unlimited = verdict->limit == VV_UNLIMITED;
    int64_t left = verdict->limit > verdict->used ? verdict->limit - verdict->used : 0;
    struct vv_json *json = vv_object(req);

    vv_put(json, "valid", VV_BOOL(true));
    vv_put(json, "user_id", VV_INT(verdict->user_id));
    vv_put(json, "email", VV_TEXT(verdict->email));
    vv_put(json, "key_id", VV_INT(verdict->credential_id));
    vv_put(json, "plan", verdict->plan_id[0] == '\0' ? VV_NULL() : VV_TEXT(verdict->plan_id));
    vv_put(json, "subscription_status", VV_TEXT(verdict->status));
    vv_open_object(json, "usage");
    vv_put(json, "used", VV_INT(verdict->used));
    vv_put(json, "limit", unlimited ? VV_NULL() : VV_INT(verdict->limit));
    vv_put(json, "remaining", unlimited ? VV_NULL() : VV_INT(left));
    vv_put(json, "resets_at", VV_TIME(verdict->period_end));
    vv_close(json);
    return json;
}

int apikeys_validate(struct vv_request *req)
{
    const char *key = vv_body_text(req, "api_key");
    struct vv_ask ask = VV_ASK(0, vv_body_text(req, "endpoint"), vv_body_int(req, "cost"));
    struct vv_verdict verdict = {.size = sizeof verdict};
    uint8_t digest[KEY_DIGEST];

    VV_TRY(apikeys_once_check(req));
    if (!apikeys_may_exist(key))
        return apikeys_unknown(req);
    apikeys_digest(key, strlen(key), digest);
    ask.credential = digest;
    if (vv_header(req, "Idempotency-Key") != NULL)
        return apikeys_once(req, &ask);
    VV_TRY(vv_entitlements()->decide(req, &ask, &verdict));
    VV_TRY(vv_entitlements()->answer(req, &verdict));
    apikeys_used(verdict.credential_id);
    return vv_reply(req, 200, apikeys_verdict_json(req, &verdict));
}
