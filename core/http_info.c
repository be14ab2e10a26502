/* What handlers ask of a request: the host's functions about what came in. */
#include "http_inside.h"

#include "schema.h"
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <strings.h>
#include <sys/queue.h>

#define INFO_USER_AGENT 256

/* All X-Forwarded-For lines as one, as proxies may add a line of their own. */
static const char *info_forwarded(struct vv_http *http)
{
    struct evkeyvalq *headers = evhttp_request_get_input_headers(http->evreq);
    const struct evkeyval *header;
    const char *joined = NULL;

    TAILQ_FOREACH(header, headers, next)
    {
        if (strcasecmp(header->key, "X-Forwarded-For") != 0)
            continue;
        joined = joined == NULL
                     ? header->value
                     : vv_arena_printf(http->req->arena, "%s, %s", joined, header->value);
    }
    return joined;
}

static const char *info_address(struct vv_http *http)
{
    if (http->address == NULL && http->conn != NULL && http->evreq != NULL)
        http->address = vv_address_client(http->req->arena, http->conn->peer, info_forwarded(http));
    return http->address;
}

/* At most 256 bytes, cut between characters. */
static const char *info_user_agent(struct vv_http *http)
{
    const char *sent = vv_http_header(http->req, "User-Agent");
    size_t length, characters;

    if (http->user_agent != NULL || sent == NULL)
        return http->user_agent;
    length = VV_MIN(strlen(sent), INFO_USER_AGENT);
    while (length > 0 && (sent[length] & 0xc0) == 0x80)
        length--;
    if (!vv_utf8_valid(sent, length, &characters))
        return NULL;
    http->user_agent = vv_arena_strndup(http->req->arena, sent, length);
    return http->user_agent;
}

const char *vv_http_info(struct vv_request *req, uint32_t what)
{
    struct vv_http *http = req->http;

    if (what == VV_INFO_ID)
        return req->id;
    if (http == NULL)
        return NULL;
    switch (what) {
    case VV_INFO_METHOD:
        return http->method;
    case VV_INFO_PATH:
        return http->path;
    case VV_INFO_ADDRESS:
        return info_address(http);
    case VV_INFO_NETWORK:
        if (http->network == NULL && info_address(http) != NULL)
            http->network = vv_address_network(req->arena, info_address(http));
        return http->network;
    case VV_INFO_USER_AGENT:
        return info_user_agent(http);
    default:
        return NULL;
    }
}

const char *vv_http_header(struct vv_request *req, const char *name)
{
    if (req->http == NULL || req->http->evreq == NULL)
        return NULL;
    return evhttp_find_header(evhttp_request_get_input_headers(req->http->evreq), name);
}

const struct vv_value *vv_http_args(struct vv_request *req)
{
    return req->http == NULL ? NULL : req->http->args;
}

const struct vv_value *vv_http_body(struct vv_request *req)
{
    return req->http == NULL ? NULL : req->http->body;
}

const void *vv_http_body_bytes(struct vv_request *req, size_t *ret_length)
{
    if (ret_length != NULL)
        *ret_length = req->http == NULL ? 0 : req->http->length;
    return req->http == NULL ? NULL : req->http->bytes;
}

const struct vv_caller *vv_http_caller(struct vv_request *req)
{
    return req->http == NULL ? NULL : req->http->caller;
}

int vv_http_set_caller(struct vv_request *req, const struct vv_caller *caller)
{
    struct vv_caller *copy;

    if (req->http == NULL || caller == NULL || caller->size == 0)
        return VV_EINVAL;
    copy = vv_arena_alloc(req->arena, sizeof *copy);
    memcpy(copy, caller, VV_MIN(caller->size, sizeof *copy));
    copy->size = sizeof *copy;
    if (copy->name != NULL)
        copy->name = vv_arena_strdup(req->arena, copy->name);
    req->http->caller = copy;
    return VV_DONE;
}
