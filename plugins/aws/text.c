/* Small texts: times as AWS writes them, forms, and secrets that are wiped after use. */
#include "aws.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

/* ---- times ------------------------------------------------------------------------------------
 */

int64_t aws_steady(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t aws_clock(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t aws_chance(int64_t most)
{
    uint32_t chance = 0;

    if (most <= 0 || getrandom(&chance, sizeof chance, GRND_NONBLOCK) != sizeof chance)
        return 0;
    return (int64_t)(chance % ((uint64_t)most + 1));
}

/* Exactly `count` digits at text. */
static bool text_digits(const char *text, size_t count, int *ret_value)
{
    *ret_value = 0;
    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *ret_value = *ret_value * 10 + (text[i] - '0');
    }
    return true;
}

/* timegm() mends what is out of range; a time that had to be mended was none. */
static int64_t text_seconds(struct tm *tm)
{
    const struct tm given = *tm;
    int64_t seconds = timegm(tm);

    if (tm->tm_mday != given.tm_mday || tm->tm_mon != given.tm_mon ||
        tm->tm_hour != given.tm_hour || tm->tm_min != given.tm_min || tm->tm_sec != given.tm_sec)
        return 0;
    return seconds < 0 ? 0 : seconds * 1000000;
}

int64_t aws_time_iso(const char *text)
{
    struct tm tm = {0};
    const char *rest;

    if (text == NULL || strlen(text) < 20 || !text_digits(text, 4, &tm.tm_year) || text[4] != '-' ||
        !text_digits(text + 5, 2, &tm.tm_mon) || text[7] != '-' ||
        !text_digits(text + 8, 2, &tm.tm_mday) || text[10] != 'T' ||
        !text_digits(text + 11, 2, &tm.tm_hour) || text[13] != ':' ||
        !text_digits(text + 14, 2, &tm.tm_min) || text[16] != ':' ||
        !text_digits(text + 17, 2, &tm.tm_sec))
        return 0;
    rest = text + 19;
    if (*rest == '.') {
        size_t digits = strspn(rest + 1, "0123456789");

        if (digits == 0 || digits > 9)
            return 0;
        rest += 1 + digits;
    }
    if (strcmp(rest, "Z") != 0)
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return text_seconds(&tm);
}

int64_t aws_time_http(const char *text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm tm = {0};

    /* "Thu, 01 Oct 2026 12:00:00 GMT" */
    if (text == NULL || strlen(text) != 29 || !text_digits(text + 5, 2, &tm.tm_mday) ||
        !text_digits(text + 12, 4, &tm.tm_year) || !text_digits(text + 17, 2, &tm.tm_hour) ||
        !text_digits(text + 20, 2, &tm.tm_min) || !text_digits(text + 23, 2, &tm.tm_sec) ||
        strcmp(text + 25, " GMT") != 0)
        return 0;
    for (tm.tm_mon = 0; tm.tm_mon < 12; tm.tm_mon++)
        if (memcmp(months + 3 * (size_t)tm.tm_mon, text + 8, 3) == 0)
            break;
    tm.tm_year -= 1900;
    return tm.tm_mon == 12 ? 0 : text_seconds(&tm);
}

void aws_time_basic(int64_t microseconds, char ret_text[17])
{
    time_t seconds = (time_t)(microseconds / 1000000);
    struct tm tm;

    ret_text[0] = '\0';
    if (gmtime_r(&seconds, &tm) != NULL)
        (void)strftime(ret_text, 17, "%Y%m%dT%H%M%SZ", &tm);
}

/* ---- forms ------------------------------------------------------------------------------------
 */

const char *aws_escape(struct vv_request *req, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    static const char hex[] = "0123456789ABCDEF";
    char *escaped = vv_alloc(req, 3 * strlen(text) + 1), *out = escaped;

    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;

        if (strchr(plain, byte) != NULL) {
            *out++ = (char)byte;
            continue;
        }
        *out++ = '%';
        *out++ = hex[byte >> 4];
        *out++ = hex[byte & 15];
    }
    return escaped;
}

const char *aws_form_add(struct vv_request *req, const char *form, const char *name,
                         const char *value)
{
    if (value == NULL)
        return form;
    return vv_printf(req, "%s%s%s=%s", form == NULL ? "" : form, form == NULL ? "" : "&", name,
                     aws_escape(req, value));
}

/* ---- secrets ----------------------------------------------------------------------------------
 */

struct text_secret {
    size_t length;
    char text[];
};

static void text_forget(void *arg)
{
    struct text_secret *secret = arg;

    explicit_bzero(secret->text, secret->length);
}

const char *aws_keep(struct vv_request *req, const char *text, size_t length)
{
    struct text_secret *secret = vv_alloc(req, sizeof *secret + length + 1);

    secret->length = length;
    memcpy(secret->text, text, length);
    (void)vv_defer(req, text_forget, secret);
    return secret->text;
}

static const char *text_keep(struct vv_request *req, const char *text)
{
    return text == NULL ? NULL : aws_keep(req, text, strlen(text));
}

void aws_keys_keep(struct vv_request *req, const struct aws_keys *keys, struct aws_keys *ret_keys)
{
    ret_keys->id = text_keep(req, keys->id);
    ret_keys->secret = text_keep(req, keys->secret);
    ret_keys->token = text_keep(req, keys->token);
    ret_keys->expires = keys->expires;
}

/* Without memory the process ends, as in the core. */
static const char *text_store(const char *text)
{
    char *copy = text == NULL ? NULL : strdup(text);

    if (text != NULL && copy == NULL)
        abort();
    return copy;
}

void aws_keys_store(const struct aws_keys *keys, struct aws_keys *ret_keys)
{
    ret_keys->id = text_store(keys->id);
    ret_keys->secret = text_store(keys->secret);
    ret_keys->token = text_store(keys->token);
    ret_keys->expires = keys->expires;
}

static void text_wipe(const char *text)
{
    char *stored = (char *)(uintptr_t)text; /* text_store() made it, nobody else holds it */

    if (stored == NULL)
        return;
    explicit_bzero(stored, strlen(stored));
    free(stored);
}

void aws_keys_wipe(struct aws_keys *keys)
{
    text_wipe(keys->id);
    text_wipe(keys->secret);
    text_wipe(keys->token);
    memset(keys, 0, sizeof *keys);
}
