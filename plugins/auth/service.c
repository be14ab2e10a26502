/* The service "auth/1". */
#include "auth.h"

static int service_derive_key(const char *label, uint8_t *ret_key, size_t length)
{
    return auth_keys_derive(label, false, ret_key, length) ? 0 : VV_EINVAL;
}

static bool service_verification_required(void)
{
    return auth_conf()->require_verification;
}

const struct vv_auth_service auth_service = {
    .base = {.size = sizeof(struct vv_auth_service), .major = 1, .minor = 1},
    .profile_field = auth_profile_field,
    .derive_key = service_derive_key,
    .verification_required = service_verification_required,
};
