/* The refresh token itself: its text, its seal, its digest. */
#include "refresh.h"

#include "keys.h"

#include <stdio.h>
#include <string.h>

#define PLAIN (AUTH_FAMILY + 4)

static void refresh_plain(const struct auth_refresh *token, uint8_t ret_bytes[PLAIN])
{
    memcpy(ret_bytes, token->family, AUTH_FAMILY);
    for (int i = 0; i < 4; i++)
        ret_bytes[AUTH_FAMILY + i] = (uint8_t)(token->sequence >> (24 - 8 * i));
}

bool auth_refresh_seal(struct auth_refresh *token, bool previous)
{
    static uint8_t keys[2][AUTH_DIGEST];
    static bool derived[2];
    uint8_t plain[PLAIN];

    if (!derived[previous])
        derived[previous] =
            auth_keys_derive("vvserver refresh", previous, keys[previous], sizeof keys[previous]);
    if (!derived[previous])
        return false;
    refresh_plain(token, plain);
    auth_hmac(keys[previous], sizeof keys[previous], plain, sizeof plain, token->mac);
    return true;
}

bool auth_refresh_genuine(const struct auth_refresh *token)
{
    for (int previous = 0; previous < 2; previous++) {
        struct auth_refresh made = *token;

        if (auth_refresh_seal(&made, previous != 0) &&
            auth_equal(made.mac, token->mac, sizeof made.mac))
            return true;
    }
    return false;
}

void auth_refresh_text(const struct auth_refresh *token, char ret_text[AUTH_REFRESH_SIZE])
{
    uint8_t bytes[PLAIN + AUTH_DIGEST];

    refresh_plain(token, bytes);
    memcpy(bytes + PLAIN, token->mac, AUTH_DIGEST);
    auth_base64_encode(bytes, sizeof bytes, ret_text);
}

bool auth_refresh_parse(const char *text, struct auth_refresh *ret_token)
{
    uint8_t bytes[PLAIN + AUTH_DIGEST];

    if (strlen(text) != AUTH_REFRESH_SIZE - 1 ||
        auth_base64_decode(text, AUTH_REFRESH_SIZE - 1, bytes, sizeof bytes) != (long)sizeof bytes)
        return false;
    memcpy(ret_token->family, bytes, AUTH_FAMILY);
    ret_token->sequence = 0;
    for (int i = 0; i < 4; i++)
        ret_token->sequence = ret_token->sequence << 8 | bytes[AUTH_FAMILY + i];
    memcpy(ret_token->mac, bytes + PLAIN, AUTH_DIGEST);
    return ret_token->sequence <= INT32_MAX;
}

void auth_refresh_digest(const struct auth_refresh *token, uint8_t ret_digest[AUTH_DIGEST])
{
    char text[AUTH_REFRESH_SIZE];

    auth_refresh_text(token, text);
    auth_sha256(text, strlen(text), ret_digest);
}

void auth_refresh_family(const struct auth_refresh *token, char ret_uuid[37])
{
    char *at = ret_uuid;

    for (int i = 0; i < AUTH_FAMILY; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        at += snprintf(at, 3, "%02x", token->family[i]);
    }
}
