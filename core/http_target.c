/* The request's target: split at '?', decoded once, and refused where two readers might differ. */
#include "http_inside.h"

#include "schema.h"

static int target_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes in place and returns the new length; SIZE_MAX: a broken escape, or one for NUL. */
size_t vv_http_decode(char *text, size_t length, bool plus)
{
    size_t i, out = 0;

    for (i = 0; i < length; i++, out++) {
        text[out] = text[i];
        if (plus && text[i] == '+')
            text[out] = ' ';
        if (text[i] != '%')
            continue;
        if (i + 2 >= length || target_digit(text[i + 1]) < 0 || target_digit(text[i + 2]) < 0)
            return SIZE_MAX;
        text[out] = (char)(target_digit(text[i + 1]) * 16 + target_digit(text[i + 2]));
        if (text[out] == '\0')
            return SIZE_MAX;
        i += 2;
    }
    text[out] = '\0';
    return out;
}

/* Whether a decoded path has a segment that file systems and proxies treat specially. */
static bool target_odd(const char *path)
{
    const char *at;

    if (strstr(path, "//") != NULL)
        return true;
    for (at = strstr(path, "/."); at != NULL; at = strstr(at + 1, "/.")) {
        size_t length = strcspn(at + 1, "/");

        if (length <= 2 && strspn(at + 1, ".") == length)
            return true;
    }
    return false;
}

static bool target_fail(struct vv_http *http, const char *why)
{
    (void)vv_request_fail(http->req, 400, "bad_request", why);
    return false;
}

bool vv_http_target(struct vv_http *http, const char *target)
{
    size_t length = strcspn(target, "?");
    size_t characters;
    char *path;

    if (http->options && strcmp(target, "*") == 0) {
        http->path = "*";
        return true;
    }
    if (target[0] != '/')
        return target_fail(http, "The address must be a path that begins with /");
    path = vv_arena_strndup(http->req->arena, target, length);
    if (target[length] == '?')
        http->query = vv_arena_strdup(http->req->arena, target + length + 1);
    /* An encoded slash would be a slash to us and part of a name to a proxy in front of us. */
    if (strstr(path, "%2F") != NULL || strstr(path, "%2f") != NULL)
        return target_fail(http, "The path holds an encoded slash");
    length = vv_http_decode(path, length, false);
    if (length == SIZE_MAX)
        return target_fail(http, "The path holds a broken percent escape");
    if (!vv_utf8_valid(path, length, &characters))
        return target_fail(http, "The path is not UTF-8");
    if (target_odd(path))
        return target_fail(http, "The path holds an empty segment or a dot segment");
    http->path = path;
    return true;
}
