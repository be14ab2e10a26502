/* Idempotency-Key: an operation runs once for a caller's key, and its final answer is kept. */
#include "stripe.h"

#define ONCE_KEY_MAX 255
#define ONCE_KEPT    "interval '24 hours'"

struct stripe_once {
    struct vv_request *req;
    uint32_t status; /* 0: nothing final yet */
    const char *answer;
    const char *code, *detail;
};

int stripe_once_reply(struct stripe_once *once, struct vv_json *json)
{
    once->status = 200;
    once->answer = vv_json_text(json);
    return VV_DONE;
}

/* Keeps a refusal in a form from which it can be made again. */
static int once_keep_refusal(struct stripe_once *once, uint32_t status, const char *code,
                             const char *detail)
{
    struct vv_json *json = vv_object(once->req);

    vv_put(json, "code", VV_TEXT(code));
    vv_put(json, "detail", VV_TEXT(detail));
    once->status = status;
    once->answer = vv_json_text(json);
    return vv_fail(once->req, status, code, "%s", detail);
}

int stripe_once_refuse(struct stripe_once *once, uint32_t status, const char *code,
                       const char *format, ...)
{
    char detail[512];
    va_list args;

    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    return once_keep_refusal(once, status, code, detail);
}

int stripe_once_failed(struct stripe_once *once, int rc, const struct vv_value *error)
{
    const char *type = vv_get_text(error, "type"), *code = vv_get_text(error, "code"),
               *message = vv_get_text(error, "message");

    if (rc != VV_EFAIL || type == NULL || strcmp(type, "card_error") != 0)
        return rc;
    return once_keep_refusal(once, 402, code == NULL ? "payment_failed" : code,
                             message == NULL ? "The payment was refused" : message);
}

/* ---- running once -----------------------------------------------------------------------------
 */

static const char *once_request(struct vv_request *req)
{
    const struct vv_value *args = vv_args(req), *body = vv_body(req);

    return vv_printf(req, "%s %s", args == NULL ? "" : vv_value_json(req, args),
                     body == NULL ? "" : vv_value_json(req, body));
}

/* Gives the answer of the first run again. */
static int once_replay(struct vv_request *req, const struct vv_rows *rows)
{
    uint32_t status = (uint32_t)vv_row_int(rows, 0, "status");
    const char *answer = vv_row_text(rows, 0, "answer");
    const struct vv_value *refusal;

    vv_reply_header(req, "Idempotent-Replayed", "true");
    vv_reply_header(req, "Cache-Control", "no-store");
    if (status < 400)
        return vv_reply_bytes(req, status, "application/json", answer, strlen(answer));
    VV_TRY(vv_parse(req, answer, strlen(answer), &refusal));
    return vv_fail(req, status, vv_get_text(refusal, "code"), "%s", vv_get_text(refusal, "detail"));
}

static int once_other(struct vv_request *req, const char *path, const char *key)
{
    struct vv_rows *rows;

    VV_TRY(vv_query(req, &rows,
                    "select status, answer, request = sha256(convert_to($4, 'UTF8')) as same"
                    " from stripe_answers where user_id = $1 and path = $2 and key = $3",
                    VV_INT(vv_caller_id(req)), VV_TEXT(path), VV_TEXT(key),
                    VV_TEXT(once_request(req))));
    if (vv_rows_count(rows) > 0 && !vv_row_bool(rows, 0, "same"))
        return vv_fail(req, 422, "idempotency_key_reused",
                       "This Idempotency-Key was used for another request");
    if (vv_rows_count(rows) > 0 && !vv_row_null(rows, 0, "status"))
        return once_replay(req, rows);
    vv_reply_header(req, "Retry-After", "1");
    return vv_fail(req, 409, "request_running",
                   "A request with this Idempotency-Key is still running");
}

/* Whether this request is the one to run: *ret_claim is the claim's mark then, else 0. A claim
 * whose request must have ended long ago was lost in a crash. */
static int once_claim(struct vv_request *req, const char *path, const char *key, int64_t *ret_claim)
{
    struct vv_rows *rows;

    VV_TRY(vv_write(req, &rows,
                    "insert into stripe_answers as a (user_id, path, key, request, running_until)"
                    " values ($1, $2, $3, sha256(convert_to($4, 'UTF8')),"
                    "  clock_timestamp() + $5::bigint * interval '1 ms')"
                    " on conflict (user_id, path, key) do update set request = excluded.request,"
                    "  running_until = excluded.running_until, status = null, answer = null,"
                    "  created_at = excluded.created_at"
                    " where a.created_at < now() - " ONCE_KEPT " or (a.status is null"
                    "  and a.running_until < now() and a.request = excluded.request)"
                    " returning running_until",
                    VV_INT(vv_caller_id(req)), VV_TEXT(path), VV_TEXT(key),
                    VV_TEXT(once_request(req)), VV_INT(STRIPE_DEADLINE + 5000)));
    *ret_claim = vv_row_int(rows, 0, "running_until");
    return 0;
}

/* What is final is kept before the caller hears of it; else the key may be used again. */
static int once_settle(struct stripe_once *once, const char *path, const char *key, int64_t claim)
{
    return vv_exec(once->req,
                   "with gone as (delete from stripe_answers where $5::int is null"
                   "  and user_id = $1 and path = $2 and key = $3 and running_until = $4)"
                   " update stripe_answers set status = $5, answer = $6 where $5::int is not null"
                   "  and user_id = $1 and path = $2 and key = $3 and running_until = $4",
                   VV_INT(vv_caller_id(once->req)), VV_TEXT(path), VV_TEXT(key), VV_TIME(claim),
                   once->status == 0 ? VV_NULL() : VV_INT(once->status), VV_TEXT(once->answer));
}

int stripe_once_run(struct vv_request *req,
                    int (*function)(struct vv_request *req, struct stripe_once *once))
{
    const char *key = vv_header(req, "Idempotency-Key"), *path = vv_info(req, VV_INFO_PATH);
    struct stripe_once once = {.req = req};
    int64_t claim = 0;
    int rc;

    if (key != NULL && (key[0] == '\0' || strlen(key) > ONCE_KEY_MAX))
        return vv_fail(req, 400, "bad_idempotency_key",
                       "Idempotency-Key must have 1 to %d characters", ONCE_KEY_MAX);
    if (key != NULL) {
        VV_TRY(once_claim(req, path, key, &claim));
        if (claim == 0)
            return once_other(req, path, key);
    }
    rc = function(req, &once);
    if (key != NULL && rc != VV_ECANCELED) {
        VV_TRY(once_settle(&once, path, key, claim));
    }
    if (rc != VV_DONE)
        return rc;
    vv_reply_header(req, "Cache-Control", "no-store");
    return vv_reply_bytes(req, once.status, "application/json", once.answer, strlen(once.answer));
}

int stripe_cleanup(struct vv_request *req)
{
    VV_TRY(vv_exec(req, "delete from stripe_answers where created_at < now() - " ONCE_KEPT));
    VV_TRY(vv_exec(req, "delete from stripe_checkouts where created_at < now() - " ONCE_KEPT));
    /* A checkout ends within a day, and what it started is told within three. */
    return vv_exec(req,
                   "delete from stripe_departed where departed_at < now() - interval '400 days'");
}
