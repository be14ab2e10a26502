/* POST /aws/credentials: a session's keys, for whoever has an AWS SDK. */
#include "aws.h"

static int credentials_reply(struct vv_request *req, const struct aws_keys *keys)
{
    struct vv_json *json = vv_object(req);
    int64_t left = (keys->expires - aws_now()) / 1000000;

    vv_put(json, "access_key_id", VV_TEXT(keys->id));
    vv_put(json, "secret_access_key", VV_TEXT(keys->secret));
    vv_put(json, "session_token", VV_TEXT(keys->token));
    vv_put(json, "expiration", VV_TIME(keys->expires));
    vv_put(json, "expires_in", VV_INT(left < 0 ? 0 : left));
    vv_put(json, "region", VV_TEXT(aws_conf()->region));
    return vv_reply(req, 200, json);
}

int aws_credentials_post(struct vv_request *req)
{
    return aws_grant(req, "/aws/credentials", credentials_reply);
}
