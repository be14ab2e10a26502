/* GET /.well-known/jwks.json: the public keys, for whoever checks tokens elsewhere. */
#include "auth.h"

int auth_jwks(struct vv_request *req)
{
    struct vv_json *json = vv_object(req);
    const struct auth_key *key;

    vv_open_array(json, "keys");
    for (size_t i = 0; (key = auth_keys_at(i)) != NULL; i++)
        if (key->jwk != NULL)
            vv_put(json, NULL, VV_JSON(key->jwk));
    vv_close(json);
    vv_reply_header(req, "Cache-Control", "public, max-age=300");
    return vv_reply(req, 200, json);
}
