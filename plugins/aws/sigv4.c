/* AWS's Signature Version 4, where libcurl's does not do: in URLs, and by another clock than ours.
 */
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

/* What a signature is good for, beside what it covers. */
struct sigv4_scope {
    const char *time, *region, *service, *secret;
    const char *text; /* "20261001/REGION/SERVICE/aws4_request" */
};

static struct sigv4_scope sigv4_scope(struct vv_request *req, const char *time, const char *region,
                                      const char *service, const char *secret)
{
    return (struct sigv4_scope){
        .time = time,
        .region = region,
        .service = service,
        .secret = secret,
        .text = vv_printf(req, "%.8s/%s/%s/aws4_request", time, region, service)};
}

/* The key of the day, region and service signs the canonical request's hash. */
static bool sigv4_sign(struct vv_request *req, const struct sigv4_scope *scope,
                       const char *canonical, char ret_text[SIGV4_HEX])
{
    const char *first = vv_printf(req, "AWS4%s", scope->secret);
    const char *day = vv_printf(req, "%.8s", scope->time), *text;
    unsigned char one[SIGV4_BYTES], two[SIGV4_BYTES];
    char hash[SIGV4_HEX];
    bool done = sigv4_hash(canonical, hash);

    text = vv_printf(req, SIGV4_METHOD "\n%s\n%s\n%s", scope->time, scope->text, done ? hash : "");
    done = done && sigv4_step(first, strlen(first), day, one) &&
           sigv4_step(one, sizeof one, scope->region, two) &&
           sigv4_step(two, sizeof two, scope->service, one) &&
           sigv4_step(one, sizeof one, "aws4_request", two) &&
           sigv4_step(two, sizeof two, text, one);
    if (done)
        sigv4_hex(one, ret_text);
    explicit_bzero(one, sizeof one);
    explicit_bzero(two, sizeof two);
    explicit_bzero((void *)(uintptr_t)first, strlen(first));
    ERR_clear_error();
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
    struct aws_pair sorted[SIGV4_PAIRS] = {{NULL, NULL}};
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
    char time[17], hash[SIGV4_HEX] = "", signature[SIGV4_HEX];
    struct sigv4_scope scope;
    const char *query, *canonical;

    aws_time_basic(what->now, time);
    scope = sigv4_scope(req, time, what->region, what->service, what->secret);
    query = sigv4_query(req, what, scope.text, time);
    if (query == NULL || (what->payload == NULL && !sigv4_hash("", hash)))
        return NULL;
    canonical = vv_printf(req, "GET\n%s\n%s\nhost:%s\n\nhost\n%s", what->path, query, what->host,
                          what->payload == NULL ? hash : what->payload);
    if (!sigv4_sign(req, &scope, canonical, signature))
        return NULL;
    return vv_printf(req, "%s://%s%s?%s&X-Amz-Signature=%s", what->scheme, what->host, what->path,
                     query, signature);
}

/* As libcurl writes the header Host: without the scheme's own port. */
static const char *sigv4_host(struct vv_request *req, const char *url)
{
    const char *host = strstr(url, "://") + 3;
    size_t length = strcspn(host, "/");
    const char *port = url[4] == 's' ? ":443" : ":80";

    if (length > strlen(port) && strncmp(host + length - strlen(port), port, strlen(port)) == 0)
        length -= strlen(port);
    return vv_printf(req, "%.*s", (int)length, host);
}

const char *aws_sign_post(struct vv_request *req, const struct aws_signed *what)
{
    const char *path = strchr(strstr(what->url, "://") + 3, '/'), *names = "host;x-amz-date",
               *headers = vv_printf(req, "host:%s\nx-amz-date:%s\n", sigv4_host(req, what->url),
                                    what->time);
    const struct sigv4_scope scope =
        sigv4_scope(req, what->time, what->region, what->service, what->secret);
    char hash[SIGV4_HEX], signature[SIGV4_HEX];

    if (what->token != NULL) {
        names = "host;x-amz-date;x-amz-security-token";
        headers = vv_printf(req, "%sx-amz-security-token:%s\n", headers, what->token);
    }
    if (!sigv4_hash(what->body, hash) ||
        !sigv4_sign(req, &scope,
                    vv_printf(req, "POST\n%s\n\n%s\n%s\n%s", path == NULL ? "/" : path, headers,
                              names, hash),
                    signature))
        return NULL;
    return vv_printf(req, SIGV4_METHOD " Credential=%s/%s, SignedHeaders=%s, Signature=%s",
                     what->id, scope.text, names, signature);
}
