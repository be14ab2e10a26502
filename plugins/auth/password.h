/* How passwords are kept, and whether one may be chosen. */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include <vv/request.h>

#define AUTH_PASSWORD_MIN  8    /* characters */
#define AUTH_PASSWORD_MAX  1024 /* bytes */
#define AUTH_PASSWORD_HASH 96   /* bytes of a stored hash, the NUL included */

/*
 * The scheme is passlib's "bcrypt_sha256", version 2: bcrypt alone looks at 72 bytes and stops at a
 * NUL, so it gets base64(HMAC-SHA256(key = the salt's 22 characters, password)). These three
 * block for as long as bcrypt takes: they are for the hashing thread.
 */
bool auth_password_hash(const char *password, int cost, char ret_hash[AUTH_PASSWORD_HASH]);
bool auth_password_verify(const char *password, const char *hash);

/* A hash that no password has, on which a check takes as long as on a real one. */
void auth_password_decoy(int cost, char ret_hash[AUTH_PASSWORD_HASH]);

/* Whether a hash that a password has just matched should be made anew. */
bool auth_password_outdated(const char *hash, int cost);

/* The same for handlers: on the hashing thread. May wait. 0: done; the check's answer is in
 * ret_right. `hash` NULL: there is no account, and the check takes as long and says false. */
VV_MUST_CHECK int auth_password_make(struct vv_request *req, const char *password,
                                     const char **ret_hash);
VV_MUST_CHECK int auth_password_check(struct vv_request *req, const char *password,
                                      const char *hash, bool *ret_right);

/* Whether somebody may choose this password; else VV_EFAIL with a 422 that names `field`. */
VV_MUST_CHECK int auth_password_allowed(struct vv_request *req, const char *field,
                                        const char *password);

/* Whether a password is among the common ones, whatever its letters' case. */
bool auth_password_common(const char *password);

#endif
