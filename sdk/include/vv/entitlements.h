/* The service "entitlements/1": may this user's call go ahead? Decided and recorded in one step. */
#ifndef VV_ENTITLEMENTS_H
#define VV_ENTITLEMENTS_H

#include <vv/subscriptions.h>

VV_BEGIN_C

#define VV_COST_MAX         1000000 /* of one call */
#define VV_ENDPOINT_MAX     100     /* characters */
#define VV_CREDENTIAL_BYTES 32      /* the SHA-256 of what a caller showed */

enum vv_outcome {
    VV_ALLOWED = 0,
    VV_UNKNOWN_CALLER = 1, /* no such user or credential, not verified, or disabled */
    VV_NO_ACCESS = 2,      /* nothing that was paid for gives access now */
    VV_OVER_QUOTA = 3,     /* less is left in this period than the call costs */
    VV_OVER_RATE = 4,      /* too many calls in a short time */
};

enum vv_ask_flag {
    VV_ASK_UNRATED = 1, /* [usage] rate_limit does not count this call: its endpoint has its own */
};

/* What to decide. Write it with VV_ASK(). Everything is borrowed during the call. */
struct vv_ask {
    uint32_t size;
    uint32_t flags;            /* enum vv_ask_flag */
    int64_t user_id;           /* who calls; 0: whoever the credential belongs to */
    const uint8_t *credential; /* VV_CREDENTIAL_BYTES; NULL with a user_id */
    const char *endpoint; /* what is called, up to VV_ENDPOINT_MAX characters; NULL = nothing */
    int64_t cost;         /* 1 to VV_COST_MAX */
};

/* What was decided. Times are microseconds since 1970. Texts live as long as the request. */
struct vv_verdict {
    uint32_t size;
    uint32_t outcome;      /* enum vv_outcome; for VV_UNKNOWN_CALLER nothing below is set */
    int64_t now;           /* by the database's clock */
    int64_t user_id;       /* of the caller */
    int64_t credential_id; /* as its source numbers it; 0 = asked by user */
    const char *email;
    const char *plan_id;              /* "" = none */
    const char *status;               /* of the subscription; "none" without one */
    int64_t used;                     /* in this period, this call included when it was allowed */
    int64_t limit;                    /* VV_UNLIMITED, 0 without access */
    int64_t period_start, period_end; /* of the quota */
    int64_t ends_at;                  /* access ends then for good; 0 = not as far as is known */
    int64_t rate_count, rate_period;  /* [usage] rate_limit: so many in so many ms; 0 = off */
    int64_t rate_remaining;           /* calls that would still pass now */
    int64_t rate_reset, rate_retry;   /* microseconds until all would pass, and until one does */
};

/*
 * Where credentials come from, of the one plugin that has any: a select whose rows are `digest`
 * (bytea), `id` (bigint) and `user_id` (bigint), of those that are good at this moment. It becomes
 * part of the decision's one statement, so it must find a row by an index on the digest.
 */
struct vv_credential_source {
    uint32_t size;
    const char *sql; /* static */
};

struct vv_entitlements_service {
    struct vv_service base;

    /*
     * Decides, and when the call is allowed counts and logs it durably before returning. Calls of
     * all that ask at the same time are decided in one statement; a user whose row somebody holds
     * keeps nobody else waiting. May wait. 0: *ret_verdict is set, whatever the outcome. Errors are
     * those of vv_write(); of VV_EUNAVAILABLE nobody can know whether the call was counted.
     */
    int (*decide)(struct vv_request *req, const struct vv_ask *ask, struct vv_verdict *ret_verdict);

    /* The same inside a transaction, alone: counted if and only if that commits. Locks the user's
     * entitlements, which come before everything else that is locked. */
    int (*decide_in)(struct vv_tx *tx, const struct vv_ask *ask, struct vv_verdict *ret_verdict);

    /* What decide() would say to a call of cost 1 by this user, without counting it. May wait. */
    int (*peek)(struct vv_request *req, int64_t user_id, struct vv_verdict *ret_verdict);

    /* Adds RateLimit and RateLimit-Policy to the answer. 0: allowed; VV_EFAIL: the refusal is
     * prepared: 401 invalid_api_key, 403 subscription_required, 429 quota_exceeded, rate_limited.
     */
    int (*answer)(struct vv_request *req, const struct vv_verdict *verdict);

    /* Says where credentials come from. During init only, once. VV_EINVAL: somebody did. */
    int (*credentials)(const struct vv_credential_source *source);
};

/* The service, for plugins that name "entitlements/1" in `depends`; NULL when an optional one is
 * off. */
static inline const struct vv_entitlements_service *vv_entitlements(void)
{
    return (const struct vv_entitlements_service *)(const void *)vv_service("entitlements/1");
}

static inline struct vv_ask vv_ask_make_(int64_t user_id, const char *endpoint, int64_t cost)
{
    struct vv_ask ask;

    memset(&ask, 0, sizeof ask);
    ask.size = (uint32_t)sizeof ask;
    ask.user_id = user_id;
    ask.endpoint = endpoint;
    ask.cost = cost;
    return ask;
}
#define VV_ASK(user_id, endpoint, cost) vv_ask_make_((user_id), (endpoint), (cost))

VV_END_C

#endif
