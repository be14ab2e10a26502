/* The lexical half of strict JSON: tokens as RFC 8259 has them; json-c sees to their order. */
#include "json_value.h"

#include "schema.h"
#include <errno.h>
#include <math.h>

#define LINT_DEPTH 32

struct lint {
    const char *at, *end;
    size_t members;
    unsigned depth;
};

static bool lint_hex(const char *at, unsigned *ret_unit)
{
    unsigned unit = 0;
    int i;

    for (i = 0; i < 4; i++) {
        char c = at[i];

        if (c >= '0' && c <= '9')
            unit = unit * 16 + (unsigned)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            unit = unit * 16 + (unsigned)((c | 0x20) - 'a' + 10);
        else
            return false;
    }
    *ret_unit = unit;
    return true;
}

/* After a backslash; a surrogate must have its other half. */
static const char *lint_escape(struct lint *lint)
{
    unsigned unit, low;

    if (lint->at == lint->end || strchr("\"\\/bfnrtu", *lint->at) == NULL || *lint->at == '\0')
        return "A text holds an escape that JSON does not have";
    if (*lint->at++ != 'u')
        return NULL;
    if (lint->end - lint->at < 4 || !lint_hex(lint->at, &unit))
        return "A text holds a broken \\u escape";
    lint->at += 4;
    if (unit < 0xd800 || unit > 0xdfff)
        return NULL;
    if (unit > 0xdbff || lint->end - lint->at < 6 || lint->at[0] != '\\' || lint->at[1] != 'u' ||
        !lint_hex(lint->at + 2, &low) || low < 0xdc00 || low > 0xdfff)
        return "A text holds half of a surrogate pair";
    lint->at += 6;
    return NULL;
}

static const char *lint_text(struct lint *lint)
{
    const char *why;

    while (lint->at < lint->end) {
        unsigned char c = (unsigned char)*lint->at++;

        if (c == '"')
            return NULL;
        if (c < ' ')
            return "A text holds a control character that is not escaped";
        if (c == '\\' && (why = lint_escape(lint)) != NULL)
            return why;
    }
    return "The JSON ends inside a text";
}

static size_t lint_digits(struct lint *lint)
{
    const char *start = lint->at;

    while (lint->at < lint->end && *lint->at >= '0' && *lint->at <= '9')
        lint->at++;
    return (size_t)(lint->at - start);
}

static const char *lint_number(struct lint *lint)
{
    static const char *const broken = "A number is not written as JSON has them";
    const char *start = lint->at;
    bool whole = true;
    char copy[64];

    if (*lint->at == '-')
        lint->at++;
    if (lint->at < lint->end && *lint->at == '0')
        lint->at++;
    else if (lint_digits(lint) == 0)
        return broken;
    if (lint->at < lint->end && *lint->at == '.') {
        whole = false;
        lint->at++;
        if (lint_digits(lint) == 0)
            return broken;
    }
    if (lint->at < lint->end && (*lint->at | 0x20) == 'e') {
        whole = false;
        lint->at++;
        if (lint->at < lint->end && (*lint->at == '+' || *lint->at == '-'))
            lint->at++;
        if (lint_digits(lint) == 0)
            return broken;
    }
    if (lint->at < lint->end && strchr("0123456789.eE+-", *lint->at) != NULL && *lint->at != '\0')
        return broken;
    if ((size_t)(lint->at - start) >= sizeof copy)
        return "A number has too many digits";
    memcpy(copy, start, (size_t)(lint->at - start));
    copy[lint->at - start] = '\0';
    errno = 0;
    if (whole)
        (void)strtoll(copy, NULL, 10);
    if ((whole && errno == ERANGE) || (!whole && !isfinite(strtod(copy, NULL))))
        return "A number is too large";
    return NULL;
}

static const char *lint_literal(struct lint *lint)
{
    static const char *const literals[] = {"true", "false", "null"};
    size_t i;

    for (i = 0; i < VV_ARRAY_SIZE(literals); i++) {
        size_t length = strlen(literals[i]);

        if ((size_t)(lint->end - lint->at) >= length &&
            memcmp(lint->at, literals[i], length) == 0) {
            lint->at += length;
            return NULL;
        }
    }
    return "There is a word or character that JSON does not have";
}

static const char *lint_token(struct lint *lint)
{
    char c = *lint->at;

    switch (c) {
    case ' ':
    case '\t':
    case '\r':
    case '\n':
    case ',':
        lint->at++;
        return NULL;
    case ':':
        lint->at++;
        lint->members++;
        return NULL;
    case '{':
    case '[':
        lint->at++;
        return ++lint->depth > LINT_DEPTH ? "The JSON has too many levels" : NULL;
    case '}':
    case ']':
        lint->at++;
        lint->depth -= lint->depth > 0;
        return NULL;
    case '"':
        lint->at++;
        return lint_text(lint);
    default:
        return c == '-' || (c >= '0' && c <= '9') ? lint_number(lint) : lint_literal(lint);
    }
}

const char *vv_json_lint(const char *text, size_t length, size_t *ret_members)
{
    struct lint lint = {.at = text, .end = text + length};
    const char *why = NULL;
    size_t characters;

    if (!vv_utf8_valid(text, length, &characters))
        return "The JSON is not UTF-8";
    while (why == NULL && lint.at < lint.end)
        why = lint_token(&lint);
    *ret_members = lint.members;
    return why;
}
