/* Refresh tokens: what their text says, and how a session's next one is derived. */
#ifndef AUTH_REFRESH_H
#define AUTH_REFRESH_H

#include "crypto.h"

#define AUTH_FAMILY       16
#define AUTH_REFRESH_SIZE AUTH_BASE64_SIZE(AUTH_FAMILY + 4 + AUTH_DIGEST)

/* A token says which family it is of and its number in it; the rest is
 * HMAC(key, family || number), so that a child can be made again for a twin. */
struct auth_refresh {
    uint8_t family[AUTH_FAMILY];
    uint32_t sequence;
    uint8_t mac[AUTH_DIGEST];
};

/* Fills in the rest with the present key, or with the previous one (false: there is none). */
bool auth_refresh_seal(struct auth_refresh *token, bool previous);

/* Whether one of our keys made it. */
bool auth_refresh_genuine(const struct auth_refresh *token);

void auth_refresh_text(const struct auth_refresh *token, char ret_text[AUTH_REFRESH_SIZE]);
bool auth_refresh_parse(const char *text, struct auth_refresh *ret_token);

/* What is stored of it. */
void auth_refresh_digest(const struct auth_refresh *token, uint8_t ret_digest[AUTH_DIGEST]);

/* The family as SQL's uuid: 37 bytes. */
void auth_refresh_family(const struct auth_refresh *token, char ret_uuid[37]);

#endif
