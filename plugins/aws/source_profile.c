/* AWS's shared files: static keys of a profile. What runs a program or a browser is not for a
 * server. */
#include "aws.h"
#include "profile.h"

#include <stdlib.h>

/* ---- the files' form --------------------------------------------------------------------------
 */

static bool profile_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static const char *profile_trim(struct vv_request *req, const char *text, size_t length)
{
    while (length > 0 && profile_is_space(*text)) {
        text++;
        length--;
    }
    while (length > 0 && profile_is_space(text[length - 1]))
        length--;
    return aws_keep(req, text, length);
}

/* "[default]", "[NAME]", and in the configuration "[profile NAME]". */
static bool profile_is_section(struct vv_request *req, const char *line, size_t length,
                               const char *name, bool config)
{
    const char *end = memchr(line, ']', length), *title;

    if (end == NULL)
        return false;
    title = profile_trim(req, line + 1, (size_t)(end - line) - 1);
    if (strncmp(title, "profile", 7) == 0 && profile_is_space(title[7]))
        return config && strcmp(title + 8 + strspn(title + 8, " \t"), name) == 0;
    return (!config || strcmp(name, "default") == 0) && strcmp(title, name) == 0;
}

static void profile_set(struct aws_profile *profile, const char *key, const char *value)
{
    static const char *const others[] = {
        "credential_process", "credential_source", "source_profile", "role_arn",
        "sso_session",        "sso_start_url",     "login_session",  "web_identity_token_file"};

    if (strcmp(key, "aws_access_key_id") == 0)
        profile->id = value;
    if (strcmp(key, "aws_secret_access_key") == 0)
        profile->secret = value;
    if (strcmp(key, "aws_session_token") == 0)
        profile->token = value;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(key, others[i]) == 0)
            profile->other = others[i];
}

/* "key = value"; a comment may stand behind it, after a space. */
static void profile_line(struct vv_request *req, const char *line, size_t length,
                         struct aws_profile *profile)
{
    const char *equals = memchr(line, '=', length), *value;
    size_t end = 0;

    if (equals == NULL)
        return;
    value = profile_trim(req, equals + 1, (size_t)(line + length - equals) - 1);
    for (; value[end] != '\0'; end++)
        if (profile_is_space(value[end]) && (value[end + 1] == '#' || value[end + 1] == ';'))
            break;
    value = profile_trim(req, value, end);
    if (value[0] != '\0')
        profile_set(profile, profile_trim(req, line, (size_t)(equals - line)), value);
}

void aws_profile_read(struct vv_request *req, const char *text, const char *name, bool config,
                      struct aws_profile *ret_profile)
{
    bool inside = false;
    size_t length;

    memset(ret_profile, 0, sizeof *ret_profile);
    for (; *text != '\0'; text += text[length] == '\n' ? length + 1 : length) {
        length = strcspn(text, "\n");
        /* Indented lines belong to a setting above, such as those of one service. */
        if (length == 0 || text[0] == '#' || text[0] == ';' || profile_is_space(text[0]))
            continue;
        if (text[0] == '[') {
            inside = profile_is_section(req, text, length, name, config);
            ret_profile->found = ret_profile->found || inside;
        } else if (inside) {
            profile_line(req, text, length, ret_profile);
        }
    }
}

/* ---- the link of the chain --------------------------------------------------------------------
 */

/* The path of a shared file; NULL: there is no home to look in. */
static const char *profile_path(struct vv_request *req, const char *variable, const char *file)
{
    const char *path = aws_env(variable), *home = aws_env("HOME");

    if (path != NULL && strncmp(path, "~/", 2) == 0 && home != NULL)
        return vv_printf(req, "%s/%s", home, path + 2);
    if (path != NULL || home == NULL)
        return path;
    return vv_printf(req, "%s/.aws/%s", home, file);
}

/* 0: *ret_profile is set, found or not. */
static int profile_load(struct vv_request *req, const char *path, const char *name, bool config,
                        struct aws_finding *finding, struct aws_profile *ret_profile)
{
    const char *text = NULL;
    int rc;

    memset(ret_profile, 0, sizeof *ret_profile);
    rc = path == NULL ? VV_ENOTFOUND : aws_read_file(req, path, &text, &finding->why);
    if (rc == VV_ENOTFOUND)
        return 0;
    if (rc == 0)
        aws_profile_read(req, text, name, config, ret_profile);
    return rc;
}

static int profile_take(struct vv_request *req, const char *name, const struct aws_profile *profile,
                        const char *path, struct aws_finding *finding)
{
    const struct aws_keys keys = {
        .id = profile->id, .secret = profile->secret, .token = profile->token};

    if (keys.id == NULL || keys.secret == NULL) {
        finding->why = vv_printf(req,
                                 "profile %.60s in %s has only one of aws_access_key_id and "
                                 "aws_secret_access_key",
                                 name, path);
        return VV_EFAIL;
    }
    finding->where = vv_printf(req, "profile %.60s in %s", name, path);
    aws_keys_keep(req, &keys, &finding->keys);
    return 0;
}

int aws_source_profile(struct vv_request *req, struct aws_finding *finding)
{
    const char *named = aws_env("AWS_PROFILE"), *name = named == NULL ? "default" : named;
    const char *paths[] = {profile_path(req, "AWS_SHARED_CREDENTIALS_FILE", "credentials"),
                           profile_path(req, "AWS_CONFIG_FILE", "config")};
    struct aws_profile profiles[2];

    for (size_t i = 0; i < 2; i++)
        VV_TRY(profile_load(req, paths[i], name, i == 1, finding, &profiles[i]));
    for (size_t i = 0; i < 2; i++)
        if (profiles[i].id != NULL || profiles[i].secret != NULL)
            return profile_take(req, name, &profiles[i], paths[i], finding);
    for (size_t i = 0; i < 2; i++)
        if (profiles[i].other != NULL) {
            finding->why = vv_printf(req,
                                     "profile %.60s in %s wants %s, which this server does not "
                                     "do: give it static keys",
                                     name, paths[i], profiles[i].other);
            return VV_EFAIL;
        }
    if (named == NULL)
        return VV_ENOTFOUND;
    finding->why = profiles[0].found || profiles[1].found
                       ? vv_printf(req, "profile %.60s has no keys", name)
                       : vv_printf(req, "AWS_PROFILE: there is no profile %.60s", name);
    return VV_EFAIL;
}
