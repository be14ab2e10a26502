/* One attempt as libcurl wants to be told of it, and what it tells back. */
#include "config.h"
#include "outgoing_inside.h"

#include <ctype.h>

#define CALL_CONNECT 5000  /* milliseconds for a connection, TLS included */
#define CALL_HEADERS 65536 /* bytes of the answer's headers */

/* ---- whether it can be meant ----------------------------------------------------------------- */

static bool call_is_token(const char *text)
{
    const char *p;

    if (text == NULL || *text == '\0')
        return false;
    for (p = text; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && strchr("!#$%&'*+-.^_`|~", *p) == NULL)
            return false;
    return true;
}

static bool call_is_line(const char *text)
{
    for (; *text != '\0'; text++)
        if (iscntrl((unsigned char)*text) && *text != '\t')
            return false;
    return true;
}

const char *outgoing_check(struct vv_request *req, const struct vv_http_call *call)
{
    const struct vv_http_pair *pair;

    if (!call_is_token(call->method))
        return "the method is no word such as GET";
    if (call->url == NULL || !call_is_line(call->url) || strchr(call->url, ' ') != NULL ||
        (strncmp(call->url, "http://", 7) != 0 && strncmp(call->url, "https://", 8) != 0))
        return "the URL must begin with http:// or https:// and have no spaces";
    if (call->retry > VV_HTTP_AGAIN)
        return "its way to retry does not exist; see enum vv_http_retry";
    if (call->body == NULL && call->body_length > 0)
        return "there is a length of a body, but no body";
    if (call->content_type != NULL && !call_is_line(call->content_type))
        return "the content type has control characters";
    if (call->aws_sigv4 != NULL && (call->user == NULL || call->password == NULL))
        return "a signature needs user and password: the id of an access key and its secret";
    for (pair = call->headers; pair != NULL && pair->name != NULL; pair++)
        if (!call_is_token(pair->name) || pair->value == NULL || !call_is_line(pair->value))
            return vv_arena_printf(req->arena,
                                   "header '%.60s' has no name or value that can be sent",
                                   call_is_line(pair->name) ? pair->name : "");
    return NULL;
}

/* ---- what comes back ------------------------------------------------------------------------- */

static size_t call_on_header(char *data, size_t one, size_t size, void *arg)
{
    struct outgoing_attempt *attempt = arg;
    size_t length = size * one, name;
    struct outgoing_header *header;
    const char *colon;

    attempt->header_bytes += length;
    attempt->too_long = attempt->header_bytes > CALL_HEADERS;
    if (attempt->too_long)
        return 0;
    /* Each answer begins with its status: what an interim one said is not of interest. */
    if (length > 5 && memcmp(data, "HTTP/", 5) == 0) {
        attempt->first = NULL;
        attempt->last = &attempt->first;
        return length;
    }
    colon = memchr(data, ':', length);
    if (colon == NULL)
        return length;
    name = (size_t)(colon - data);
    header = vv_arena_alloc(attempt->req->arena, sizeof *header);
    header->name = vv_arena_strndup(attempt->req->arena, data, name);
    for (name++; name < length && isspace((unsigned char)data[name]);)
        name++;
    while (length > name && isspace((unsigned char)data[length - 1]))
        length--;
    header->value = vv_arena_strndup(attempt->req->arena, data + name, length - name);
    *attempt->last = header;
    attempt->last = &header->next;
    return size * one;
}

static size_t call_on_body(char *data, size_t one, size_t size, void *arg)
{
    struct outgoing_attempt *attempt = arg;
    size_t length = size * one;

    attempt->too_long = length > attempt->max_body - attempt->body.length;
    if (attempt->too_long)
        return 0;
    vv_buffer_add(&attempt->body, data, length);
    return length;
}

/* ---- what goes out --------------------------------------------------------------------------- */

static void call_add_header(struct outgoing_attempt *attempt, const char *name, const char *between,
                            const char *value)
{
    char *line = vv_xprintf("%s%s%s", name, between, value);
    struct curl_slist *grown = curl_slist_append(attempt->headers, line);

    vv_assert(grown != NULL);
    attempt->headers = grown;
    free(line);
}

static void call_set_headers(struct outgoing_attempt *attempt, const struct vv_http_call *call)
{
    const struct vv_http_pair *pair;

    /* "name:" would take a header away; "name;" sends it without a value. */
    for (pair = call->headers; pair != NULL && pair->name != NULL; pair++)
        call_add_header(attempt, pair->name, pair->value[0] == '\0' ? ";" : ": ", pair->value);
    if (call->content_type != NULL)
        call_add_header(attempt, "Content-Type", ": ", call->content_type);
    /* Taking away what libcurl adds by itself; the signature would count these lines in. */
    if (call->aws_sigv4 == NULL) {
        if (call->content_type == NULL)
            call_add_header(attempt, "Content-Type", ":", "");
        call_add_header(attempt, "Expect", ":", "");
    }
    (void)curl_easy_setopt(attempt->easy, CURLOPT_HTTPHEADER, attempt->headers);
}

static void call_set_method(CURL *easy, const struct vv_http_call *call)
{
    bool post = strcmp(call->method, "POST") == 0;

    if (call->body != NULL || post) {
        (void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_length);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body == NULL ? "" : call->body);
        if (!post)
            (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
    } else if (strcmp(call->method, "HEAD") == 0) {
        (void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (strcmp(call->method, "GET") != 0) {
        (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
    }
    /* libcurl sends a request again by itself when a kept connection turns out to be dead, which
     * cannot be told from one that died of the request. */
    if (call->retry != VV_HTTP_AGAIN && strcmp(call->method, "GET") != 0 &&
        strcmp(call->method, "HEAD") != 0)
        (void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
}

static void call_set_trust(CURL *easy)
{
    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (vv_config->http.ca_file == NULL)
        return;
    /* In place of the system's, not besides them. */
    (void)curl_easy_setopt(easy, CURLOPT_CAINFO, vv_config->http.ca_file);
    (void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
}

static void call_set_time(CURL *easy, int64_t timeout)
{
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                           (long)VV_MIN(timeout, (int64_t)CALL_CONNECT));
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* Else the end of a call waits for the thread that still looks its host up. */
    (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}

void outgoing_prepare(struct outgoing_attempt *attempt, const struct vv_http_call *call,
                      int64_t timeout)
{
    CURL *easy = curl_easy_init();

    vv_assert(easy != NULL);
    attempt->easy = easy;
    attempt->status = 0;
    attempt->header_bytes = 0;
    attempt->too_long = false;
    attempt->first = NULL;
    attempt->last = &attempt->first;
    attempt->reason[0] = '\0';
    vv_buffer_init(&attempt->body, NULL);
    (void)curl_easy_setopt(easy, CURLOPT_URL, call->url);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* not from the environment */
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "vvserver/" VV_VERSION);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, attempt->reason);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, call_on_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, attempt);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, call_on_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, attempt);
    if (call->aws_sigv4 != NULL)
        (void)curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, call->aws_sigv4);
    if (call->user != NULL)
        (void)curl_easy_setopt(easy, CURLOPT_USERNAME, call->user);
    if (call->password != NULL)
        (void)curl_easy_setopt(easy, CURLOPT_PASSWORD, call->password);
    call_set_headers(attempt, call);
    call_set_method(easy, call);
    call_set_trust(easy);
    call_set_time(easy, timeout);
}

void outgoing_dispose(struct outgoing_attempt *attempt)
{
    if (attempt->easy != NULL)
        curl_easy_cleanup(attempt->easy);
    curl_slist_free_all(attempt->headers);
    attempt->easy = NULL;
    attempt->headers = NULL;
}
