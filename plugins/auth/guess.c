/* Slows guessing down: a growing delay for each account and network, and never for anybody else. */
#include "auth.h"

#include <string.h>

/*
 * Only finished wrong guesses are counted, each in a statement of its own: twenty wrong ones at
 * once count twenty, and any number of right ones at once pass. From the fifth on the network has
 * to wait before its next try: 5 s, 10 s, 20 s, ... 15 min. Nobody sleeps on the server, and since
 * the network is part of the key, a stranger cannot lock anybody out of their account.
 */
static const char count_failure[] =
    "insert into auth_failures as f (account, network, failures, last_failure, blocked_until)"
    " values ($1, $2, 1, now(), now())"
    " on conflict (account, network) do update set"
    "  failures = case when f.last_failure < now() - interval '1 hour' then 1"
    "                  else f.failures + 1 end,"
    "  last_failure = now(),"
    "  blocked_until = case when f.last_failure < now() - interval '1 hour' or f.failures < 4"
    "   then now() else now() + interval '5 s' * least(180, 2 ^ least(f.failures - 4, 10)) end";

void auth_account_key(const char *email, uint8_t ret_account[AUTH_DIGEST])
{
    static uint8_t key[AUTH_DIGEST];
    static bool derived;
    char lower[256];
    size_t length = 0;

    if (!derived)
        derived = auth_keys_derive("vvserver accounts", false, key, sizeof key);
    for (; length < sizeof lower - 1 && email[length] != '\0'; length++) {
        char c = email[length];

        lower[length] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    auth_hmac(key, sizeof key, lower, length, ret_account);
}

const char *auth_guess_network(struct vv_request *req)
{
    const char *network = vv_info(req, VV_INFO_NETWORK);

    return network == NULL ? "" : network;
}

int auth_guess_refuse(struct vv_request *req, int64_t milliseconds)
{
    int64_t seconds = (milliseconds + 999) / 1000;

    vv_reply_header(req, "Retry-After", vv_printf(req, "%lld", (long long)seconds));
    return vv_fail(req, 429, "too_many_attempts",
                   "Too many failed attempts; please try again in %lld seconds",
                   (long long)seconds);
}

int auth_guess_allowed(struct vv_request *req, const uint8_t account[AUTH_DIGEST])
{
    struct vv_rows *rows;
    int64_t wait;

    VV_TRY(vv_query(req, &rows,
                    "select ceil(extract(epoch from blocked_until - now()) * 1000)::bigint as wait"
                    " from auth_failures where account = $1 and network = $2",
                    VV_BYTES(account, AUTH_DIGEST), VV_TEXT(auth_guess_network(req))));
    wait = vv_rows_count(rows) == 0 ? 0 : vv_row_int(rows, 0, "wait");
    return wait > 0 ? auth_guess_refuse(req, wait) : 0;
}

int auth_guess_failed(struct vv_request *req, const uint8_t account[AUTH_DIGEST])
{
    return vv_exec(req, count_failure, VV_BYTES(account, AUTH_DIGEST),
                   VV_TEXT(auth_guess_network(req)));
}
