/* Tokens of other back ends, from the configuration: which there are, and whose one is. */
#include "apikeys.h"

#include <string.h>

#define SERVICE_NAME    "service" /* of a token that is given without one */
#define SERVICE_LEAST   32        /* characters of a token */
#define SERVICE_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

struct service_token {
    const char *name;
    uint8_t digest[KEY_DIGEST];
};

static struct service_token *service_tokens;
static size_t service_count;

const char *apikeys_service_find(const char *token)
{
    const char *found = NULL;
    uint8_t digest[KEY_DIGEST];

    /* All are compared, whichever fits. */
    apikeys_digest(token, strlen(token), digest);
    for (size_t i = 0; i < service_count; i++)
        if (apikeys_digest_equal(service_tokens[i].digest, digest))
            found = service_tokens[i].name;
    return found;
}

static bool service_printable(const char *token)
{
    while (*token > ' ' && *token < 0x7f)
        token++;
    return *token == '\0';
}

/* `name:token`, or a token alone. */
static int service_add(struct vv_request *req, const char *text, size_t number)
{
    struct service_token *added = &service_tokens[service_count];
    size_t name = strspn(text, SERVICE_LETTERS);
    bool named = name > 0 && text[name] == ':';
    const char *token = named ? text + name + 1 : text;

    added->name = named ? vv_printf(req, "%.*s", (int)name, text) : SERVICE_NAME;
    if (strlen(token) < SERVICE_LEAST)
        return vv_fail(req, 500, "short_service_token",
                       "[apikeys] service_tokens: number %zu (%s) is shorter than %d characters; "
                       "make one with `openssl rand -hex 32`",
                       number, added->name, SERVICE_LEAST);
    if (!service_printable(token))
        return vv_fail(req, 500, "bad_service_token",
                       "[apikeys] service_tokens: number %zu (%s) holds a space or a character "
                       "that cannot be sent in a header",
                       number, added->name);
    if (apikeys_service_find(token) != NULL)
        return vv_fail(req, 500, "same_service_token",
                       "[apikeys] service_tokens: number %zu (%s) is the same token as one before "
                       "it",
                       number, added->name);
    apikeys_digest(token, strlen(token), added->digest);
    service_count++;
    return 0;
}

int apikeys_services_setup(struct vv_request *req)
{
    const char *const *list = apikeys_conf()->service_tokens;
    size_t count = 0;

    while (list != NULL && list[count] != NULL)
        count++;
    service_tokens = vv_alloc(req, (count + 1) * sizeof *service_tokens);
    for (size_t i = 0; i < count; i++)
        VV_TRY(service_add(req, list[i], i + 1));
    return 0;
}
