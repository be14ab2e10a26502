/* The service "auth/1" and the events of the auth plugin. */
#ifndef VV_AUTH_H
#define VV_AUTH_H

#include <vv/db.h>

VV_BEGIN_C

/*
 * Events, each emitted inside the transaction of the change, with struct vv_user_event as data:
 *   user.registered  the row exists; hooks may add to the reply (event->reply)
 *   user.verified    the address counts from now on
 *   user.changed     name or e-mail differ
 *   user.disabled, user.enabled
 *   user.deleted     before the row goes: delete what belongs to it
 */
struct vv_user_event {
    uint32_t size;
    uint32_t verified; /* 1: the address is verified (or need not be) */
    int64_t user_id;
    const char *uid; /* random, what outsiders such as Stripe see; borrowed, as all texts here */
    const char *email;
    const char *first_name;
    const char *last_name;
    const char *old_email; /* user.changed: when the address differs; else NULL */
};

static inline const struct vv_user_event *vv_event_user(const struct vv_event *event)
{
    return (const struct vv_user_event *)event->data;
}

/* An expression and its join that a plugin contributes to GET /profile, which stays one statement.
 */
struct vv_profile_field {
    uint32_t size;
    const char *name;       /* the member of the answer; replaces the auth plugin's of that name */
    const char *expression; /* SQL over `u` (users) and `join` */
    const char *join;       /* "left join notes n on n.user_id = u.id"; NULL when none is needed */
};

struct vv_auth_service {
    struct vv_service base;

    /* Replaces or adds a member of GET /profile. During init only; texts are static. */
    int (*profile_field)(const struct vv_profile_field *field);

    /* Derives a key for a purpose from the signing secret (HKDF-SHA256, RFC 5869, info = label). */
    int (*derive_key)(const char *label, uint8_t *ret_key, size_t length);

    /* Whether an address counts only once it is verified ([auth] require_verification); else every
     * account counts as verified. Since minor 1. */
    bool (*verification_required)(void);
};

/* The service, for plugins that name "auth/1" in `depends`; NULL for "auth/1?" when it is off. */
static inline const struct vv_auth_service *vv_auth(void)
{
    return (const struct vv_auth_service *)(const void *)vv_service("auth/1");
}

VV_END_C

#endif
