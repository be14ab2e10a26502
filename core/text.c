/* Questions about texts that come from outside: UTF-8, e-mail addresses, times. */
#include "schema.h"

#include <stdio.h>

/* Whether the next eight bytes are ASCII, as most are. */
static bool text_ascii(const uint8_t *at)
{
    uint64_t bytes;

    memcpy(&bytes, at, sizeof bytes);
    return (bytes & UINT64_C(0x8080808080808080)) == 0;
}

bool vv_utf8_valid(const char *text, size_t length, size_t *ret_characters)
{
    const uint8_t *at = (const uint8_t *)text, *end = at + length;
    size_t count = 0;

    while (at < end) {
        uint32_t point, least;
        int more;

        if (end - at >= 8 && text_ascii(at)) {
            at += 8;
            count += 8;
            continue;
        }
        count++;
        if (*at < 0x80) {
            at++;
            continue;
        }
        more = *at >= 0xf0 ? 3 : *at >= 0xe0 ? 2 : 1;
        if (*at < 0xc2 || *at > 0xf4 || end - at <= more)
            return false;
        least = more == 3 ? 0x10000 : more == 2 ? 0x800 : 0x80;
        point = *at & (0x3fU >> more);
        for (at++; more > 0; more--, at++) {
            if ((*at & 0xc0) != 0x80)
                return false;
            point = point << 6 | (*at & 0x3fU);
        }
        if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
            return false;
    }
    if (ret_characters != NULL)
        *ret_characters = count;
    return true;
}

static bool text_label_valid(const char *label, size_t length)
{
    size_t i;

    if (length == 0 || length > 63 || label[0] == '-' || label[length - 1] == '-')
        return false;
    for (i = 0; i < length; i++) {
        char c = label[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-'))
            return false;
    }
    return true;
}

/* At least two labels, and the last one not a number: nobody on the Internet gets mail otherwise.
 */
static bool text_domain_valid(const char *domain)
{
    size_t labels = 0, length = 0;
    const char *label = domain;

    for (;; label += length + 1) {
        length = strcspn(label, ".");
        if (!text_label_valid(label, length))
            return false;
        labels++;
        if (label[length] == '\0')
            break;
    }
    return labels >= 2 && strspn(label, "0123456789") != length;
}

bool vv_email_valid(const char *text)
{
    static const char odd[] = "!#$%&'*+-/=?^_`{|}~.";
    const char *at = strrchr(text, '@');
    size_t i, local;

    if (at == NULL || strlen(text) > 254)
        return false;
    local = (size_t)(at - text);
    if (local == 0 || local > 64 || text[0] == '.' || at[-1] == '.')
        return false;
    for (i = 0; i < local; i++) {
        char c = text[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              strchr(odd, c) != NULL) ||
            (c == '.' && text[i + 1] == '.'))
            return false;
    }
    return text_domain_valid(at + 1);
}

static bool text_number(const char **at, int digits, int *ret)
{
    *ret = 0;
    for (; digits > 0; digits--, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        *ret = *ret * 10 + (**at - '0');
    }
    return true;
}

static bool text_date(const char **at)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day;
    bool leap;

    if (!text_number(at, 4, &year) || *(*at)++ != '-' || !text_number(at, 2, &month) ||
        *(*at)++ != '-' || !text_number(at, 2, &day))
        return false;
    leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month >= 1 && month <= 12 && day >= 1 &&
           day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

bool vv_time_valid(const char *text)
{
    int hour, minute, second;

    if (!text_date(&text) || (*text != 'T' && *text != 't' && *text != ' '))
        return false;
    text++;
    if (!text_number(&text, 2, &hour) || *text++ != ':' || !text_number(&text, 2, &minute) ||
        *text++ != ':' || !text_number(&text, 2, &second) || hour > 23 || minute > 59 ||
        second > 60)
        return false;
    if (*text == '.') {
        size_t digits = strspn(text + 1, "0123456789");

        if (digits == 0 || digits > 9)
            return false;
        text += digits + 1;
    }
    if (*text == 'Z' || *text == 'z')
        return text[1] == '\0';
    if (*text != '+' && *text != '-')
        return false;
    text++;
    return text_number(&text, 2, &hour) && *text++ == ':' && text_number(&text, 2, &minute) &&
           *text == '\0' && hour <= 23 && minute <= 59;
}
