/* Checks and reads mail addresses: strictly, since what passes here is written into SMTP. */
#include "address.h"
#include <string.h>

static bool address_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 5322's dot-atom: no empty piece between dots. */
static bool address_local(const char *text, size_t length)
{
    size_t i;

    if (length == 0 || length > 64 || text[0] == '.' || text[length - 1] == '.')
        return false;
    for (i = 0; i < length; i++) {
        if (text[i] == '.' && text[i + 1] == '.')
            return false;
        if (text[i] != '.' && !address_alnum(text[i]) &&
            (text[i] == '\0' || strchr("!#$%&'*+-/=?^_`{|}~", text[i]) == NULL))
            return false;
    }
    return true;
}

static bool address_domain(const char *text)
{
    size_t length = strlen(text), i, label = 0;

    if (length > 2 && text[0] == '[' && text[length - 1] == ']')
        return strspn(text + 1, "0123456789abcdefABCDEFIPv:.") == length - 2;
    if (length == 0 || length > 253)
        return false;
    for (i = 0; i <= length; i++) {
        if (text[i] == '.' || text[i] == '\0') {
            if (label == 0 || label > 63 || text[i - 1] == '-')
                return false;
            label = 0;
        } else if (address_alnum(text[i]) || (text[i] == '-' && label > 0)) {
            label++;
        } else {
            return false;
        }
    }
    return true;
}

bool mail_address_valid(const char *address)
{
    const char *at = strrchr(address, '@');

    return at != NULL && strlen(address) <= 254 && address_local(address, (size_t)(at - address)) &&
           address_domain(at + 1);
}

bool mail_name_valid(const char *name)
{
    for (; *name != '\0'; name++) {
        if ((unsigned char)*name < 0x20 || *name == 0x7f)
            return false;
    }
    return true;
}

/* Takes off blanks, and then one pair of quotes with the backslashes inside. */
static char *address_unquote(struct vv_request *req, const char *text, size_t length)
{
    char *name = vv_alloc(req, length + 1), *out = name;
    size_t i;

    while (length > 0 && strchr(" \t", text[length - 1]) != NULL)
        length--;
    while (length > 0 && strchr(" \t", *text) != NULL) {
        text++;
        length--;
    }
    if (length < 2 || text[0] != '"' || text[length - 1] != '"')
        return memcpy(name, text, length);
    for (i = 1; i < length - 1; i++) {
        if (text[i] == '\\' && i + 1 < length - 1)
            i++;
        *out++ = text[i];
    }
    return name;
}

int mail_address_parse(struct vv_request *req, const char *text, struct mail_address *ret_address)
{
    const char *open = strrchr(text, '<');
    size_t length = strlen(text);
    char *name = NULL, *address;

    while (length > 0 && strchr(" \t", text[length - 1]) != NULL)
        length--;
    if (open != NULL) {
        if (length == 0 || text[length - 1] != '>')
            return VV_EINVAL;
        name = address_unquote(req, text, (size_t)(open - text));
        address = address_unquote(req, open + 1, (size_t)(text + length - 1 - (open + 1)));
    } else {
        address = address_unquote(req, text, length);
    }
    if (!mail_address_valid(address) || (name != NULL && !mail_name_valid(name)))
        return VV_EINVAL;
    ret_address->name = name == NULL || *name == '\0' ? NULL : name;
    ret_address->address = address;
    return 0;
}
