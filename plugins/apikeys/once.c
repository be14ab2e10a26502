/* Idempotency-Key: the answer and what it counted are one transaction, and are given only once. */
#include "apikeys.h"

#include <inttypes.h>
#include <string.h>

#define ONCE_KEY_MAX 255
#define ONCE_KEPT    "interval '24 hours'"

/* Under which an answer is kept. */
struct once {
    struct vv_request *req;
    const char *caller, *path, *key;
    uint8_t request[KEY_DIGEST];
};

int apikeys_once_check(struct vv_request *req)
{
    const char *key = vv_header(req, "Idempotency-Key");

    if (key != NULL && (key[0] == '\0' || strlen(key) > ONCE_KEY_MAX))
        return vv_fail(req, 400, "bad_idempotency_key",
                       "Idempotency-Key must have 1 to %d characters", ONCE_KEY_MAX);
    return 0;
}

static int once_running(struct vv_request *req)
{
    vv_reply_header(req, "Retry-After", "1");
    return vv_fail(req, 409, "request_running",
                   "A request with this Idempotency-Key is still running");
}

/* The same for every way to write the same request. */
static void once_digest(struct vv_request *req, const struct vv_ask *ask,
                        uint8_t ret_digest[KEY_DIGEST])
{
    char hex[2 * KEY_DIGEST + 1];
    const char *text;

    for (size_t i = 0; i < KEY_DIGEST; i++)
        snprintf(hex + 2 * i, 3, "%02x", ask->credential[i]);
    text = vv_printf(req, "%s %" PRId64 " %s", hex, ask->cost,
                     ask->endpoint == NULL ? "" : ask->endpoint);
    apikeys_digest(text, strlen(text), ret_digest);
}

/* Gives the answer of the first run again. */
static int once_replay(const struct once *once, const struct vv_rows *rows)
{
    struct vv_verdict verdict = {
        .size = sizeof verdict, .email = "", .plan_id = "", .status = "none"};
    struct vv_request *req = once->req;
    const char *answer;

    if (!vv_row_bool(rows, 0, "same"))
        return vv_fail(req, 422, "idempotency_key_reused",
                       "This Idempotency-Key was used for another request");
    vv_reply_header(req, "Idempotent-Replayed", "true");
    verdict.outcome = (uint32_t)vv_row_int(rows, 0, "outcome");
    if (verdict.outcome != VV_ALLOWED)
        return vv_entitlements()->answer(req, &verdict);
    answer = vv_row_text(rows, 0, "answer");
    return vv_reply_bytes(req, 200, "application/json", answer, strlen(answer));
}

/*
 * Inserts the row under which the answer will be kept; VV_DONE: there is one, *ret_rows has it.
 * While another request of this key runs its row is not committed, and this waits for it.
 */
static int once_claim(const struct once *once, struct vv_tx *tx, struct vv_rows **ret_rows)
{
    struct vv_rows *rows;
    int rc = vv_tx_query(tx, &rows,
                         "insert into api_key_answers as a (caller, path, key, request)"
                         " values ($1, $2, $3, $4) on conflict (caller, path, key) do update"
                         " set request = excluded.request, user_id = null, outcome = null,"
                         "  answer = null, created_at = excluded.created_at"
                         " where a.created_at < now() - " ONCE_KEPT " returning 1 as one",
                         VV_TEXT(once->caller), VV_TEXT(once->path), VV_TEXT(once->key),
                         VV_BYTES(once->request, KEY_DIGEST));

    if (rc == VV_ETIMEOUT && strcmp(vv_sqlstate(once->req), "55P03") == 0)
        return once_running(once->req);
    if (rc < 0)
        return rc;
    if (vv_rows_count(rows) > 0)
        return 0;
    VV_TRY(vv_tx_query(tx, ret_rows,
                       "select outcome, answer, request = $4 as same from api_key_answers"
                       " where caller = $1 and path = $2 and key = $3",
                       VV_TEXT(once->caller), VV_TEXT(once->path), VV_TEXT(once->key),
                       VV_BYTES(once->request, KEY_DIGEST)));
    /* It was deleted this very moment: it is not running, but will when it is sent again. */
    return vv_rows_count(*ret_rows) > 0 ? VV_DONE : once_running(once->req);
}

/* Keeps what is final. */
static int once_keep(const struct once *once, struct vv_tx *tx, const struct vv_verdict *verdict,
                     const char *answer)
{
    return vv_tx_exec(tx,
                      "update api_key_answers set outcome = $4, answer = $5, user_id = $6"
                      " where caller = $1 and path = $2 and key = $3",
                      VV_TEXT(once->caller), VV_TEXT(once->path), VV_TEXT(once->key),
                      VV_INT(verdict->outcome), VV_TEXT(answer),
                      verdict->outcome == VV_UNKNOWN_CALLER ? VV_NULL() : VV_INT(verdict->user_id));
}

static bool once_final(const struct vv_verdict *verdict)
{
    return verdict->outcome != VV_OVER_QUOTA && verdict->outcome != VV_OVER_RATE;
}

int apikeys_once(struct vv_request *req, const struct vv_ask *ask)
{
    struct once once = {.req = req,
                        .caller = vv_caller(req)->name,
                        .path = vv_info(req, VV_INFO_PATH),
                        .key = vv_header(req, "Idempotency-Key")};
    struct vv_verdict verdict = {.size = sizeof verdict};
    const char *answer = NULL;
    struct vv_rows *rows;
    struct vv_tx *tx;
    int rc;

    once_digest(req, ask, once.request);
    VV_TRY(vv_begin(req, &tx));
    rc = once_claim(&once, tx, &rows);
    if (rc < 0)
        return rc;
    if (rc == VV_DONE) {
        vv_rollback(tx);
        return once_replay(&once, rows);
    }
    VV_TRY(vv_entitlements()->decide_in(tx, ask, &verdict));
    if (!once_final(&verdict)) {
        vv_rollback(tx);
        return vv_entitlements()->answer(req, &verdict);
    }
    if (verdict.outcome == VV_ALLOWED)
        answer = vv_json_text(apikeys_verdict_json(req, &verdict));
    VV_TRY(once_keep(&once, tx, &verdict, answer));
    VV_TRY(vv_commit(tx));
    rc = vv_entitlements()->answer(req, &verdict);
    if (rc < 0 || answer == NULL)
        return rc;
    apikeys_used(verdict.credential_id);
    return vv_reply_bytes(req, 200, "application/json", answer, strlen(answer));
}
