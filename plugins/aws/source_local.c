/* AWS's local endpoints: that of ECS and EKS for containers, and EC2's instance metadata, version
 * 2. */
#include "aws.h"

#include <arpa/inet.h>
#include <strings.h>

#define LOCAL_TIMEOUT   4000 /* milliseconds for all attempts: it is on this machine, or nowhere */
#define LOCAL_ATTEMPT   1500
#define LOCAL_MAX_BODY  65536
#define LOCAL_CONTAINER "http://169.254.170.2"
#define LOCAL_METADATA  "http://169.254.169.254"
#define LOCAL_ROLES     "/latest/meta-data/iam/security-credentials/"
#define LOCAL_TTL       "21600"

/* A call that is repeated after 5xx and when nobody answers. 0: there is an answer. */
static int local_call(struct vv_request *req, struct aws_finding *finding, const char *method,
                      const char *url, const struct vv_http_pair *headers,
                      struct vv_http_answer **ret_answer)
{
    struct vv_http_call call = VV_HTTP_CALL(method, url);
    int64_t left = finding->until - aws_steady();
    int rc;

    call.headers = headers;
    call.retry = VV_HTTP_AGAIN;
    call.timeout = (uint32_t)(left < 1 ? 1 : left < LOCAL_TIMEOUT ? left : LOCAL_TIMEOUT);
    call.attempt_timeout = LOCAL_ATTEMPT;
    call.max_body = LOCAL_MAX_BODY;
    rc = vv_http_call(req, &call, ret_answer);
    if (rc == 0 || rc == VV_ECANCELED)
        return rc;
    finding->why = "it does not answer";
    return VV_EFAIL;
}

static int local_refused(struct vv_request *req, const struct vv_http_answer *answer,
                         struct aws_finding *finding)
{
    finding->why = vv_printf(req, "it answers %u", (unsigned)vv_answer_status(answer));
    return VV_EFAIL;
}

/* ---- containers -------------------------------------------------------------------------------
 */

/* Without TLS only what cannot leave this machine may be asked: the token would travel openly. */
static bool local_is_near(const char *url)
{
    static const char *const hosts[] = {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]",
                                        "localhost", "[::1]"};
    size_t length;
    struct in_addr address;
    char host[64];

    if (strncasecmp(url, "https://", 8) == 0)
        return true;
    if (strncasecmp(url, "http://", 7) != 0)
        return false;
    url += 7;
    length = url[0] == '[' ? strcspn(url, "]/?#") + 1 : strcspn(url, ":/?#");
    if (length >= sizeof host || url[strcspn(url, "@/")] == '@')
        return false;
    snprintf(host, sizeof host, "%.*s", (int)length, url);
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        if (strcasecmp(host, hosts[i]) == 0)
            return true;
    return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

static int local_container_url(struct vv_request *req, struct aws_finding *finding,
                               const char **ret_url)
{
    const char *relative = aws_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
               *full = aws_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");

    if (relative == NULL && full == NULL)
        return VV_ENOTFOUND;
    *ret_url = relative == NULL ? full : vv_printf(req, LOCAL_CONTAINER "%s", relative);
    finding->why = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with a '/'";
    if (relative != NULL && relative[0] != '/')
        return VV_EFAIL;
    finding->why = "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor on this machine";
    return local_is_near(*ret_url) ? 0 : VV_EFAIL;
}

/* What the endpoint is shown. The file is read every time: a cluster changes it. */
static int local_container_token(struct vv_request *req, struct aws_finding *finding,
                                 const char **ret_token)
{
    const char *path = aws_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    size_t length;
    int rc;

    *ret_token = aws_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    if (path != NULL) {
        rc = aws_read_file(req, path, ret_token, &finding->why);
        if (rc == VV_ENOTFOUND)
            finding->why = vv_printf(req, "there is no file %s", path);
        if (rc < 0)
            return rc == VV_ENOTFOUND ? VV_EFAIL : rc;
    }
    if (*ret_token == NULL)
        return 0;
    length = strlen(*ret_token);
    while (length > 0 && strchr("\r\n", (*ret_token)[length - 1]) != NULL)
        length--;
    *ret_token = aws_keep(req, *ret_token, length);
    finding->why = "the authorization token has more than one line";
    return strpbrk(*ret_token, "\r\n") == NULL ? 0 : VV_EFAIL;
}

int aws_source_container(struct vv_request *req, struct aws_finding *finding)
{
    struct vv_http_pair headers[] = {{NULL, NULL}, {NULL, NULL}};
    struct vv_http_answer *answer;
    const char *url = NULL, *token = NULL, *text;
    size_t length;

    VV_TRY(local_container_url(req, finding, &url));
    VV_TRY(local_container_token(req, finding, &token));
    if (token != NULL)
        headers[0] = (struct vv_http_pair){"Authorization", token};
    VV_TRY(local_call(req, finding, "GET", url, headers, &answer));
    if (vv_answer_status(answer) != 200)
        return local_refused(req, answer, finding);
    text = vv_answer_body(answer, &length);
    return aws_read_json(req, text, length, finding);
}

/* ---- the instance's metadata ------------------------------------------------------------------
 */

static const char *local_metadata_url(struct vv_request *req)
{
    const char *endpoint = aws_env("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
               *mode = aws_env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    size_t length;

    if (endpoint == NULL)
        endpoint = mode != NULL && strcasecmp(mode, "IPv6") == 0 ? "http://[fd00:ec2::254]"
                                                                 : LOCAL_METADATA;
    length = strlen(endpoint);
    while (length > 0 && endpoint[length - 1] == '/')
        length--;
    return vv_printf(req, "%.*s", (int)length, endpoint);
}

/* The first line of an answer, if it can be sent back in a header or a path. */
static const char *local_line(struct vv_request *req, const struct vv_http_answer *answer)
{
    const char *text = vv_answer_body(answer, NULL);
    size_t length = text == NULL ? 0 : strcspn(text, "\r\n");

    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] <= 0x20 || (unsigned char)text[i] > 0x7e)
            return NULL;
    return length == 0 ? NULL : aws_keep(req, text, length);
}

/* Without a session's token nothing is answered: it keeps proxies and fooled programs out. */
static int local_metadata_token(struct vv_request *req, struct aws_finding *finding,
                                const char *base, const char **ret_token)
{
    static const struct vv_http_pair headers[] = {
        {"X-aws-ec2-metadata-token-ttl-seconds", LOCAL_TTL}, {NULL, NULL}};
    struct vv_http_answer *answer;

    VV_TRY(local_call(req, finding, "PUT", vv_printf(req, "%s/latest/api/token", base), headers,
                      &answer));
    if (vv_answer_status(answer) != 200)
        return local_refused(req, answer, finding);
    *ret_token = local_line(req, answer);
    finding->why = "its session token makes no sense";
    return *ret_token == NULL ? VV_EFAIL : 0;
}

int aws_source_metadata(struct vv_request *req, struct aws_finding *finding)
{
    const char *disabled = aws_env("AWS_EC2_METADATA_DISABLED"), *base, *token = NULL, *role, *text;
    struct vv_http_pair headers[] = {{"X-aws-ec2-metadata-token", NULL}, {NULL, NULL}};
    struct vv_http_answer *answer;
    size_t length;

    if (disabled != NULL && strcasecmp(disabled, "true") == 0)
        return VV_ENOTFOUND;
    base = local_metadata_url(req);
    VV_TRY(local_metadata_token(req, finding, base, &token));
    headers[0].value = token;
    VV_TRY(
        local_call(req, finding, "GET", vv_printf(req, "%s" LOCAL_ROLES, base), headers, &answer));
    if (vv_answer_status(answer) == 404) {
        finding->why = "the instance has no role";
        return VV_EFAIL;
    }
    if (vv_answer_status(answer) != 200)
        return local_refused(req, answer, finding);
    role = local_line(req, answer);
    finding->why = "the name of the instance's role makes no sense";
    if (role == NULL)
        return VV_EFAIL;
    VV_TRY(local_call(req, finding, "GET",
                      vv_printf(req, "%s" LOCAL_ROLES "%s", base, aws_escape(req, role)), headers,
                      &answer));
    if (vv_answer_status(answer) != 200)
        return local_refused(req, answer, finding);
    text = vv_answer_body(answer, &length);
    return aws_read_json(req, text, length, finding);
}
