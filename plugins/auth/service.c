/* The service "auth/1". */
#include "auth.h"

static int service_derive_key(const char *label, uint8_t *ret_key, size_t length)
{
    return auth_keys_derive(label, false, ret_key, length) ? 0 : VV_EINVAL;
}

const struct vv_auth_service auth_service = {
    .base = {.size = sizeof(struct vv_auth_service), .major = 1, .minor = 0},
    .profile_field = auth_profile_field,
    .derive_key = service_derive_key,
};
