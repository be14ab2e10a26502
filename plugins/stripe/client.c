/* Stripe's HTTP API: one call, what its errors mean for our callers, and lists over all pages. */
#include "stripe.h"

#define CLIENT_ATTEMPTS        5
#define CLIENT_TIMEOUT         16000 /* milliseconds: a person waits */
#define CLIENT_ATTEMPT_TIMEOUT 7000
#define CLIENT_RETRY           "5" /* seconds: when to come again while Stripe is away */
#define CLIENT_PAGE            100
#define CLIENT_PAGES_MAX       1000

/* ---- what goes out ----------------------------------------------------------------------------
 */

/* A key that nobody else uses: 122 random bits, from the database that every write needs anyway. */
static int client_random_key(struct vv_request *req, const char **ret_key)
{
    struct vv_rows *rows;

    VV_TRY(vv_query(req, &rows, "select gen_random_uuid()::text as key"));
    *ret_key = vv_row_text(rows, 0, "key");
    return 0;
}

static struct vv_http_call client_call(struct vv_request *req, const char *method, const char *path,
                                       const struct stripe_form *form, const char *key)
{
    bool body = strcmp(method, "POST") == 0;
    const char *text = stripe_form_encoded(form);
    const char *mark = body || text[0] == '\0' ? "" : "?";
    struct vv_http_pair *headers = vv_alloc(req, 4 * sizeof *headers);
    struct vv_http_call call = VV_HTTP_CALL(
        method, vv_printf(req, "%s%s%s%s", stripe_setup.api_base, path, mark, body ? "" : text));

    headers[0].name = "Authorization";
    headers[0].value = vv_printf(req, "Bearer %s", stripe_conf()->secret_key);
    headers[1].name = "Stripe-Version";
    headers[1].value = STRIPE_VERSION;
    headers[2].name = key == NULL ? NULL : "Idempotency-Key";
    headers[2].value = key;
    call.headers = headers;
    call.retry = VV_HTTP_AGAIN;
    call.attempts = CLIENT_ATTEMPTS;
    call.timeout = CLIENT_TIMEOUT;
    call.attempt_timeout = CLIENT_ATTEMPT_TIMEOUT;
    if (body) {
        call.body = text;
        call.body_length = strlen(text);
        call.content_type = "application/x-www-form-urlencoded";
    }
    return call;
}

/* ---- what comes back --------------------------------------------------------------------------
 */

static int client_away(struct vv_request *req, int rc)
{
    if (rc != VV_EUNAVAILABLE && rc != VV_ETIMEOUT)
        return rc;
    vv_reply_header(req, "Retry-After", CLIENT_RETRY);
    return vv_fail(req, 503, "stripe_unavailable",
                   "The payment service cannot be reached right now; please try again in a moment");
}

static int client_bad(struct vv_request *req)
{
    return vv_fail(
        req, 502, "stripe_error",
        "The payment service gave an answer that makes no sense; please try again later");
}

/* Stripe's error object in our words. Its own sentence is for the person only where a card is
 * concerned; else it is for the operator. */
static int client_refused(struct vv_request *req, uint32_t status, const struct vv_value *error)
{
    const char *type = vv_get_text(error, "type"), *code = vv_get_text(error, "code"),
               *message = vv_get_text(error, "message"), *param = vv_get_text(error, "param");

    if (type == NULL)
        return client_bad(req);
    if (strcmp(type, "card_error") == 0 || status == 402)
        return vv_fail(req, 402, code == NULL ? "payment_failed" : code, "%s",
                       message == NULL ? "The payment was refused" : message);
    vv_log(req, VV_LOG_WARNING, "Stripe refused with %u: %s, %s, %s", (unsigned)status, type,
           code == NULL ? "no code" : code, param == NULL ? "no parameter" : param);
    return vv_fail(req, 502, "stripe_error", "The payment service refused what it was asked");
}

/* Whether the same key would be answered in the same way for ever. */
static bool client_is_kept(const struct vv_http_answer *answer)
{
    const char *replayed = vv_answer_header(answer, "Idempotent-Replayed"),
               *retry = vv_answer_header(answer, "Stripe-Should-Retry");

    return (replayed != NULL && strcmp(replayed, "true") == 0) ||
           (retry != NULL && strcmp(retry, "false") == 0);
}

static int client_read(struct vv_request *req, const struct vv_http_answer *answer,
                       const struct vv_value **ret_value)
{
    uint32_t status = vv_answer_status(answer);
    const struct vv_value *value = NULL;
    const char *body;
    size_t length;

    /* 409 and 429 are here after the last attempt only. */
    if (status == 409 || status == 429 || status == 503)
        return client_away(req, VV_EUNAVAILABLE);
    body = vv_answer_body(answer, &length);
    if (body == NULL || vv_parse(req, body, length, &value) < 0)
        return client_bad(req);
    if (status >= 200 && status < 300) {
        *ret_value = value;
        return 0;
    }
    if (status < 500 || client_is_kept(answer))
        *ret_value = vv_get(value, "error");
    return status >= 500 ? client_bad(req) : client_refused(req, status, *ret_value);
}

static int client_run(struct vv_request *req, const struct vv_http_call *call,
                      const struct vv_value **ret_value)
{
    struct vv_http_answer *answer;
    int rc;

    *ret_value = NULL;
    rc = vv_http_call(req, call, &answer);
    return rc < 0 ? client_away(req, rc) : client_read(req, answer, ret_value);
}

int stripe_get(struct vv_request *req, const char *path, const struct stripe_form *query,
               const struct vv_value **ret_value)
{
    struct vv_http_call call = client_call(req, "GET", path, query, NULL);

    return client_run(req, &call, ret_value);
}

static int client_write(struct vv_request *req, const char *method, const char *path,
                        const struct stripe_form *form, const char *key,
                        const struct vv_value **ret_value)
{
    struct vv_http_call call;

    *ret_value = NULL;
    if (key == NULL)
        VV_TRY(client_random_key(req, &key));
    call = client_call(req, method, path, form, key);
    return client_run(req, &call, ret_value);
}

int stripe_post(struct vv_request *req, const char *path, const struct stripe_form *form,
                const char *key, const struct vv_value **ret_value)
{
    return client_write(req, "POST", path, form, key, ret_value);
}

int stripe_delete(struct vv_request *req, const char *path, const struct stripe_form *form,
                  const char *key, const struct vv_value **ret_value)
{
    return client_write(req, "DELETE", path, form, key, ret_value);
}

bool stripe_is_missing(const struct vv_value *error, const char *param)
{
    const char *code = vv_get_text(error, "code"), *at = vv_get_text(error, "param");

    return code != NULL && strcmp(code, "resource_missing") == 0 &&
           (param == NULL || (at != NULL && strstr(at, param) != NULL));
}

bool stripe_is_unsold(const struct vv_value *error)
{
    const char *type = vv_get_text(error, "type"), *at = vv_get_text(error, "param");

    return type != NULL && strcmp(type, "invalid_request_error") == 0 && at != NULL &&
           strstr(at, "[price]") != NULL;
}

bool stripe_is_spent(const struct vv_value *error)
{
    const char *type = vv_get_text(error, "type");

    return type != NULL &&
           (strcmp(type, "idempotency_error") == 0 || strcmp(type, "api_error") == 0);
}

/* ---- lists ------------------------------------------------------------------------------------
 */

/* One page, from what follows `*last`; `*last` becomes NULL after the last one. */
static int client_page(struct vv_request *req, const char *path, const struct stripe_form *query,
                       const char **last, const struct vv_value **ret_data)
{
    const char *text = stripe_form_encoded(query);
    struct vv_http_call call;
    const struct vv_value *page;
    size_t count;
    int rc;

    path =
        vv_printf(req, "%s?%s%slimit=%d%s%s", path, text, text[0] == '\0' ? "" : "&", CLIENT_PAGE,
                  *last == NULL ? "" : "&starting_after=", *last == NULL ? "" : *last);
    call = client_call(req, "GET", path, NULL, NULL);
    rc = client_run(req, &call, &page);
    if (rc < 0)
        return stripe_is_missing(page, NULL) ? VV_ENOTFOUND : rc;
    *ret_data = vv_get(page, "data");
    count = vv_count(*ret_data);
    *last = NULL;
    if (count == 0 || !vv_get_bool(page, "has_more", false))
        return 0;
    *last = vv_get_text(vv_at(*ret_data, count - 1), "id");
    return stripe_id_ok(*last) ? 0 : client_bad(req);
}

int stripe_each(struct vv_request *req, const char *path, const struct stripe_form *query,
                int (*function)(struct vv_request *req, const struct vv_value *object, void *arg),
                void *arg)
{
    const struct vv_value *data;
    const char *last = NULL;
    size_t page, i;

    for (page = 0; page < CLIENT_PAGES_MAX; page++) {
        VV_TRY(client_page(req, path, query, &last, &data));
        for (i = 0; i < vv_count(data); i++)
            VV_TRY(function(req, vv_at(data, i), arg));
        if (last == NULL)
            return 0;
    }
    return client_bad(req);
}

struct client_walk {
    const char *path;
    const struct stripe_form *query;
    int (*function)(struct vv_request *req, const struct vv_value *object, void *arg);
    void *arg;
    char last[256];
};

static int client_walk_page(struct vv_request *step, void *arg)
{
    struct client_walk *walk = arg;
    const char *last = walk->last[0] == '\0' ? NULL : walk->last;
    const struct vv_value *data;

    VV_TRY(client_page(step, walk->path, walk->query, &last, &data));
    for (size_t i = 0; i < vv_count(data); i++)
        VV_TRY(walk->function(step, vv_at(data, i), walk->arg));
    snprintf(walk->last, sizeof walk->last, "%s", last == NULL ? "" : last);
    return 0;
}

int stripe_walk(struct vv_request *req, const char *path, const struct stripe_form *query,
                int (*function)(struct vv_request *req, const struct vv_value *object, void *arg),
                void *arg)
{
    struct client_walk walk = {.path = path, .query = query, .function = function, .arg = arg};

    do
        VV_TRY(vv_step(req, client_walk_page, &walk));
    while (walk.last[0] != '\0');
    return 0;
}

/* ---- small things -----------------------------------------------------------------------------
 */

bool stripe_id_ok(const char *id)
{
    size_t length = id == NULL ? 0 : strlen(id);

    return length > 0 && length <= 255 &&
           strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == length;
}

const char *stripe_id_of(const struct vv_value *object, const char *member)
{
    const struct vv_value *value = vv_get(object, member);
    const char *id = vv_get_text(object, member);

    return id != NULL ? id : vv_get_text(value, "id");
}

int64_t stripe_time_of(const struct vv_value *object, const char *member)
{
    return vv_get_int(object, member, 0) * 1000000;
}
