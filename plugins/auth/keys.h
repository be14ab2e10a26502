/* The keys that sign and check access tokens, and those derived from them. */
#ifndef AUTH_KEYS_H
#define AUTH_KEYS_H

#include "crypto.h"

#include <vv/request.h>

enum auth_alg {
    AUTH_HS256 = 0, /* in the order of the option's choices */
    AUTH_ES256 = 1,
    AUTH_RS256 = 2,
    AUTH_EDDSA = 3,
};

/* One key with the one algorithm it is for. */
struct auth_key {
    enum auth_alg alg;
    char kid[AUTH_BASE64_SIZE(AUTH_DIGEST)];
    void *secret; /* HS256: its bytes; else NULL */
    size_t secret_length;
    void *pkey; /* EVP_PKEY, private; NULL for HS256 */
    char *jwk;  /* the public key as JSON; NULL for HS256 */
};

/* The name in a token's header: "ES256". */
const char *auth_alg_name(enum auth_alg alg);

/* A key out of a secret's bytes. */
void auth_key_from_secret(struct auth_key *key, const char *secret);

/* A key out of a PKCS #8 PEM; NULL, or the reason why it cannot be used, which is static. */
const char *auth_key_from_pem(struct auth_key *key, const char *pem, size_t length);

void auth_key_free(struct auth_key *key);

/* During init: reads and checks what the configuration names, or fails with what to do. */
VV_MUST_CHECK int auth_keys_load(struct vv_request *req);

/* Forgets them. */
void auth_keys_unload(void);

/* The first one signs, the others only check; NULL past the last. */
const struct auth_key *auth_keys_at(size_t index);
const struct auth_key *auth_keys_find(const char *kid);

/* Derives a key for a purpose from the signing secret; `previous`: from the one before it, and
 * false when there is none. */
bool auth_keys_derive(const char *label, bool previous, uint8_t *ret_key, size_t length);

#endif
