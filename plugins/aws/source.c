/* What the links of the chain share: the environment, files, and the JSON of AWS's local endpoints.
 */
#include "aws.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SOURCE_FILE_MAX 65536

const char *aws_env(const char *name)
{
    const char *value = getenv(name);

    return value == NULL || value[0] == '\0' ? NULL : value;
}

struct source_file {
    const char *path;
    char *text;
    size_t length;
    int error;
};

/* Runs on a thread: a file may lie on a disk that takes its time. */
static void source_read(void *arg)
{
    struct source_file *file = arg;
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    ssize_t got = 1;

    while (fd >= 0 && got > 0 && file->length < SOURCE_FILE_MAX) {
        got = read(fd, file->text + file->length, SOURCE_FILE_MAX - file->length);
        if (got > 0)
            file->length += (size_t)got;
    }
    file->error = fd < 0 || got < 0 ? errno : 0;
    if (fd >= 0)
        (void)close(fd);
}

int aws_read_file(struct vv_request *req, const char *path, const char **ret_text,
                  const char **ret_why)
{
    struct source_file file = {.path = path, .text = malloc(SOURCE_FILE_MAX)};
    int rc = file.text == NULL ? VV_EBUSY : vv_offload(req, VV_POOL_BLOCK, source_read, &file);

    *ret_text = rc < 0 ? "" : aws_keep(req, file.text, file.length);
    if (file.text != NULL)
        explicit_bzero(file.text, SOURCE_FILE_MAX);
    free(file.text);
    if (rc < 0)
        return rc;
    if (file.error == ENOENT || file.error == ENOTDIR)
        return VV_ENOTFOUND;
    *ret_why = NULL;
    if (file.error != 0)
        *ret_why = vv_printf(req, "%s: %s", path, strerror(file.error));
    else if (file.length >= SOURCE_FILE_MAX || strlen(*ret_text) != file.length)
        *ret_why = vv_printf(req, "%s is too long, or holds a NUL", path);
    return *ret_why == NULL ? 0 : VV_EFAIL;
}

int aws_read_json(struct vv_request *req, const char *text, size_t length,
                  struct aws_finding *finding)
{
    const struct vv_value *value = NULL;
    const char *code, *expires;
    struct aws_keys keys;

    finding->why = "the answer is no JSON with credentials";
    if (text == NULL || vv_parse(req, text, length, &value) < 0)
        return VV_EFAIL;
    code = vv_get_text(value, "Code");
    if (code != NULL && strcmp(code, "Success") != 0) {
        finding->why = vv_printf(req, "it says %.60s", code);
        return VV_EFAIL;
    }
    keys.id = vv_get_text(value, "AccessKeyId");
    keys.secret = vv_get_text(value, "SecretAccessKey");
    keys.token = vv_get_text(value, "Token");
    expires = vv_get_text(value, "Expiration");
    keys.expires = aws_time_iso(expires);
    if (keys.id == NULL || keys.secret == NULL || (expires != NULL && keys.expires == 0))
        return VV_EFAIL;
    aws_keys_keep(req, &keys, &finding->keys);
    return 0;
}

/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. */
int aws_source_environment(struct vv_request *req, struct aws_finding *finding)
{
    const struct aws_keys keys = {
        .id = aws_env("AWS_ACCESS_KEY_ID"),
        .secret = aws_env("AWS_SECRET_ACCESS_KEY"),
        .token = aws_env("AWS_SESSION_TOKEN"),
    };

    if (keys.id == NULL && keys.secret == NULL)
        return VV_ENOTFOUND;
    if (keys.id == NULL || keys.secret == NULL) {
        finding->why = "of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set";
        return VV_EFAIL;
    }
    aws_keys_keep(req, &keys, &finding->keys);
    return 0;
}

/* AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME: EKS and other clusters. */
int aws_source_identity(struct vv_request *req, struct aws_finding *finding)
{
    const char *path = aws_env("AWS_WEB_IDENTITY_TOKEN_FILE"), *role = aws_env("AWS_ROLE_ARN"),
               *name = aws_env("AWS_ROLE_SESSION_NAME"), *token = NULL, *form = NULL;
    struct aws_call call = {.until = finding->until};
    enum aws_result result;
    int rc;

    if (path == NULL)
        return VV_ENOTFOUND;
    finding->why = "AWS_WEB_IDENTITY_TOKEN_FILE is set, AWS_ROLE_ARN is not";
    if (role == NULL)
        return VV_EFAIL;
    rc = aws_read_file(req, path, &token, &finding->why);
    finding->why = rc == VV_ENOTFOUND ? vv_printf(req, "there is no file %s", path) : finding->why;
    if (rc < 0)
        return rc == VV_ENOTFOUND ? VV_EFAIL : rc;
    form = aws_form_add(req, form, "Action", "AssumeRoleWithWebIdentity");
    form = aws_form_add(req, form, "RoleArn", role);
    form = aws_form_add(req, form, "RoleSessionName", name == NULL ? "vvserver" : name);
    form = aws_form_add(req, form, "WebIdentityToken",
                        vv_printf(req, "%.*s", (int)strcspn(token, " \t\r\n"), token));
    call.form = form;
    result = aws_sts_call(req, &call);
    if (result == AWS_CANCELED)
        return VV_ECANCELED;
    if (result == AWS_DONE &&
        aws_sts_keys(req, "AssumeRoleWithWebIdentity", &call, &finding->keys) == 0)
        return 0;
    finding->why = result == AWS_DONE ? "STS gave an answer that makes no sense"
                                      : vv_printf(req, "STS says %s: %s", call.code, call.message);
    return VV_EFAIL;
}
