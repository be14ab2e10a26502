/* What the files of this plugin share: its options, and the steps that several handlers take. */
#ifndef APIKEYS_APIKEYS_H
#define APIKEYS_APIKEYS_H

#include "key.h"

#include <vv/auth.h>
#include <vv/entitlements.h>

#define APIKEYS_NAME_MAX 100
#define APIKEYS_DAYS_MAX 3650

struct apikeys_conf {
    const char *prefix;
    int64_t max_per_user;
    const char *const *service_tokens;
    int64_t authorize_over_limit; /* index into "403|429" */
    struct vv_rate misses;
};

static inline const struct apikeys_conf *apikeys_conf(void)
{
    return (const struct apikeys_conf *)vv_conf();
}

/* ---- keys in the database: keys.c -------------------------------------------------------------
 */

/* What is shown of a key; of one that has expired, that it is not active. */
#define APIKEYS_COLUMNS                                                                    \
    "id, name, key_prefix, is_active and coalesce(expires_at > now(), true) as is_active," \
    " last_used_at, expires_at, created_at"

/* Adds a key inside a transaction; *ret_row is its row, ret_key its text, which is nowhere else.
 * `days` 0: it does not expire. */
VV_MUST_CHECK int apikeys_insert(struct vv_tx *tx, int64_t user_id, const char *name, int64_t days,
                                 char ret_key[KEY_SIZE], struct vv_rows **ret_row);

/* The same in a transaction of its own, unless the user has as many as allowed: 409. */
VV_MUST_CHECK int apikeys_create(struct vv_request *req, int64_t user_id, const char *name,
                                 int64_t days, char ret_key[KEY_SIZE], struct vv_rows **ret_row);

/* Revokes a key of a user; user_id 0: of anybody. VV_ENOTFOUND: there is no such key, or it was
 * revoked already. */
VV_MUST_CHECK int apikeys_revoke(struct vv_request *req, int64_t id, int64_t user_id);

/* The user's entitlements, locked: what comes before everything else that is locked of a user. */
VV_MUST_CHECK int apikeys_lock_user(struct vv_tx *tx, int64_t user_id);

/* ---- what each worker remembers: follow.c -----------------------------------------------------
 */

/* Whether it is worth asking the database about a text. Keys of the earlier server have no
 * checksum: as long as one of them works, anything may be one. */
bool apikeys_may_exist(const char *text);

/* Notes that a key was used; written to the database a little later. */
void apikeys_used(int64_t key_id);

int apikeys_follow(struct vv_request *req); /* the plugin's start */

/* ---- deciding ---------------------------------------------------------------------------------
 */

/* The answer to what is no key, the same whatever the reason: 401. */
int apikeys_unknown(struct vv_request *req);

/* service.c: tokens of other back ends. */
VV_MUST_CHECK int apikeys_services_setup(struct vv_request *req);
const char *apikeys_service_find(const char *token); /* its name; NULL: no such token */

/* once.c: decides once for the caller's Idempotency-Key, and gives that answer again. */
int apikeys_once(struct vv_request *req, const struct vv_ask *ask);
VV_MUST_CHECK int apikeys_once_check(struct vv_request *req);

/* validate.c: the answer to a call that may go ahead. */
struct vv_json *apikeys_verdict_json(struct vv_request *req, const struct vv_verdict *verdict);

/* authorize.c: the path of a URI, cut to VV_ENDPOINT_MAX characters; false: it has none that can be
 * kept. */
#define APIKEYS_ENDPOINT_SIZE (4 * VV_ENDPOINT_MAX + 1)
bool apikeys_endpoint(const char *uri, char ret_endpoint[APIKEYS_ENDPOINT_SIZE]);

/* ---- the rest ---------------------------------------------------------------------------------
 */

int apikeys_identify(struct vv_request *req, struct vv_event *event);
int apikeys_user_registered(struct vv_request *req, struct vv_event *event);
int apikeys_user_deleted(struct vv_request *req, struct vv_event *event);

int apikeys_list(struct vv_request *req);
int apikeys_post(struct vv_request *req);
int apikeys_delete(struct vv_request *req);
int apikeys_regenerate(struct vv_request *req);
int apikeys_validate(struct vv_request *req);
int apikeys_authorize(struct vv_request *req);

int apikeys_cleanup(struct vv_request *req);

extern const struct vv_command apikeys_commands[];
extern const struct vv_check apikeys_checks[];

#endif
