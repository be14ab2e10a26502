/* What a key looks like: a prefix, 37 random characters, and 6 that check those. */
#ifndef APIKEYS_KEY_H
#define APIKEYS_KEY_H

#include <vv/base.h>

#define KEY_DIGEST     32 /* bytes of SHA-256 */
#define KEY_PREFIX_MAX 17 /* characters, the '_' at its end included */
#define KEY_RANDOM     37 /* characters: 220 bits */
#define KEY_CHECK      6  /* characters: a CRC-32 */
#define KEY_SIZE       (KEY_PREFIX_MAX + KEY_RANDOM + KEY_CHECK + 1)
#define KEY_SHOWN      6   /* random characters by which a person recognises a key */
#define KEY_ASKED_MAX  512 /* characters of anything that may be shown as a key */

/* Whether keys may begin so: 1 to 16 of a-z and 0-9, then '_'. */
bool apikeys_prefix_valid(const char *prefix);

/* Makes a key that nobody can guess. */
void apikeys_key_make(const char *prefix, char ret_key[KEY_SIZE]);

/* Whether a text can be a key of this or any other prefix. Garbage is told apart from keys by its
 * checksum, which covers only what follows the '_', so that another prefix orphans no key. */
bool apikeys_key_genuine(const char *text);

void apikeys_digest(const void *data, size_t length, uint8_t ret_digest[KEY_DIGEST]);

/* In a time that does not depend on where they differ. */
bool apikeys_digest_equal(const uint8_t *a, const uint8_t *b);

#endif
