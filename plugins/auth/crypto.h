/* The few cryptographic steps that the files of this plugin share, over OpenSSL. */
#ifndef AUTH_CRYPTO_H
#define AUTH_CRYPTO_H

#include <vv/base.h>

#define AUTH_DIGEST 32 /* bytes of SHA-256 */

/* Characters of base64url for that many bytes, and the NUL. */
#define AUTH_BASE64_SIZE(bytes) (((bytes)*4 + 2) / 3 + 1)

/* base64url without padding; `ret_text` holds AUTH_BASE64_SIZE(length). */
void auth_base64_encode(const void *bytes, size_t length, char *ret_text);

/* The bytes' number; -1: not base64url in its one canonical form, or more than `size`. */
long auth_base64_decode(const char *text, size_t length, void *ret_bytes, size_t size);

void auth_sha256(const void *data, size_t length, uint8_t ret_digest[AUTH_DIGEST]);
void auth_hmac(const void *key, size_t key_length, const void *data, size_t length,
               uint8_t ret_digest[AUTH_DIGEST]);

/* HKDF-SHA256 (RFC 5869) without a salt, info = label. */
void auth_hkdf(const void *secret, size_t secret_length, const char *label, uint8_t *ret_key,
               size_t length);

void auth_random(void *bytes, size_t length);

/* In a time that depends on the length alone. */
bool auth_equal(const void *a, const void *b, size_t length);

/* Overwrites, even where a compiler would leave it out. */
void auth_wipe(void *bytes, size_t length);

#endif
