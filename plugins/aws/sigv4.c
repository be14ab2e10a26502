/* AWS's Signature Version 4 for URLs: who has the URL may do what it says, for a while. */
#include "sigv4.h"

#include "aws.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#define SIGV4_BYTES  32 /* of SHA-256 */
#define SIGV4_HEX    65
#define SIGV4_PAIRS  40
#define SIGV4_METHOD "AWS4-HMAC-SHA256"

static void sigv4_hex(const unsigned char *bytes, char ret_text[SIGV4_HEX])
{
    for (size_t i = 0; i < SIGV4_BYTES; i++)
        snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
}

static bool sigv4_hash(const char *text, char ret_text[SIGV4_HEX])
{
    unsigned char digest[SIGV4_BYTES];

    if (EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL) != 1)
        return false;
    sigv4_hex(digest, ret_text);
    return true;
}

/* HMAC with the key that the step before left in `digest`. */
static bool sigv4_step(const void *key, size_t length, const char *text,
                       unsigned char ret_digest[SIGV4_BYTES])
{
    unsigned int written = 0;

    return HMAC(EVP_sha256(), key, (int)length, (const unsigned char *)text, strlen(text),
                ret_digest, &written) != NULL &&
           written == SIGV4_BYTES;
}

/* The key of the day, region and service signs the text. */
static bool sigv4_sign(struct vv_request *req, const struct aws_presign *what, const char *day,
                       const char *text, char ret_text[SIGV4_HEX])
{
    const char *first = vv_printf(req, "AWS4%s", what->secret);
    unsigned char one[SIGV4_BYTES], two[SIGV4_BYTES];
    bool done = sigv4_step(first, strlen(first), day, one) &&
                sigv4_step(one, sizeof one, what->region, two) &&
                sigv4_step(two, sizeof two, what->service, one) &&
                sigv4_step(one, sizeof one, "aws4_request", two) &&
                sigv4_step(two, sizeof two, text, one);

    if (done)
        sigv4_hex(one, ret_text);
    explicit_bzero(one, sizeof one);
    explicit_bzero(two, sizeof two);
    explicit_bzero((void *)(uintptr_t)first, strlen(first));
    return done;
}

static int sigv4_compare(const void *a, const void *b)
{
    const struct aws_pair *one = a, *other = b;
    int names = strcmp(one->name, other->name);

    return names != 0 ? names : strcmp(one->value, other->value);
}

/* The query in the order that AWS wants: by the escaped names, then the escaped values. */
static const char *sigv4_query(struct vv_request *req, const struct aws_presign *what,
                               const char *scope, const char *time)
{
    const struct aws_pair own[] = {
        {"X-Amz-Algorithm", SIGV4_METHOD},
        {"X-Amz-Credential", vv_printf(req, "%s/%s", what->id, scope)},
        {"X-Amz-Date", time},
        {"X-Amz-Expires", vv_printf(req, "%lld", (long long)what->expires)},
        {"X-Amz-SignedHeaders", "host"},
        {what->token == NULL ? NULL : "X-Amz-Security-Token", what->token},
        {NULL, NULL},
    };
    const struct aws_pair *const lists[] = {own, what->query};
    struct aws_pair sorted[SIGV4_PAIRS];
    const char *query = "";
    size_t count = 0;

    for (size_t list = 0; list < 2; list++)
        for (const struct aws_pair *pair = lists[list]; pair->name != NULL; pair++) {
            if (count == SIGV4_PAIRS)
                return NULL;
            sorted[count].name = aws_escape(req, pair->name);
            sorted[count++].value = aws_escape(req, pair->value);
        }
    qsort(sorted, count, sizeof sorted[0], sigv4_compare);
    for (size_t i = 0; i < count; i++)
        query =
            vv_printf(req, "%s%s%s=%s", query, i == 0 ? "" : "&", sorted[i].name, sorted[i].value);
    return query;
}

const char *aws_presign(struct vv_request *req, const struct aws_presign *what)
{
    char time[17], hash[SIGV4_HEX], signature[SIGV4_HEX];
    const char *scope, *query, *day, *payload = what->payload;
    bool done;

    aws_time_basic(what->now, time);
    day = vv_printf(req, "%.8s", time);
    scope = vv_printf(req, "%s/%s/%s/aws4_request", day, what->region, what->service);
    query = sigv4_query(req, what, scope, time);
    if (query == NULL)
        return NULL;
    done = payload != NULL || sigv4_hash("", hash);
    if (payload == NULL)
        payload = vv_strdup(req, hash);
    done = done &&
           sigv4_hash(vv_printf(req, "GET\n%s\n%s\nhost:%s\n\nhost\n%s", what->path, query,
                                what->host, payload),
                      hash) &&
           sigv4_sign(req, what, day,
                      vv_printf(req, SIGV4_METHOD "\n%s\n%s\n%s", time, scope, hash), signature);
    ERR_clear_error();
    return done ? vv_printf(req, "%s://%s%s?%s&X-Amz-Signature=%s", what->scheme, what->host,
                            what->path, query, signature)
                : NULL;
}
