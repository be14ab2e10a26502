/* Access tokens: making one, and what a good one says. */
#ifndef AUTH_ACCESS_TOKEN_H
#define AUTH_ACCESS_TOKEN_H

#include "keys.h"

#define AUTH_LEEWAY    30 /* seconds that two clocks may differ */
#define AUTH_TOKEN_MAX 4096

struct auth_claims {
    int64_t user_id;
    int64_t session_id;
    int64_t issued; /* seconds since 1970 */
    int64_t expires;
};

/* What a token must say to be one of ours. */
struct auth_expected {
    const char *issuer;
    const char *audience;
    int64_t lifetime; /* seconds: no token counts for longer, whatever it says */
};

/* Signs a token with the key. Request; NULL: the key refuses. */
char *auth_jwt_sign(struct vv_request *req, const struct auth_key *key,
                    const struct auth_expected *expected, const struct auth_claims *claims);

/* Whether it is one of ours: header, signature and claims; not yet whether it has begun or ended.
 */
bool auth_jwt_verify(struct vv_request *req, const char *token, size_t length,
                     const struct auth_expected *expected, struct auth_claims *ret_claims);

/* Whether it counts at `now` (seconds since 1970). */
bool auth_jwt_current(const struct auth_claims *claims, int64_t now);

#endif
