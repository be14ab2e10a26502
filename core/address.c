/* Who is at the other end: through trusted proxies, and as the limits count clients. */
#include "http_inside.h"

#include "config.h"
#include <arpa/inet.h>
#include <stdio.h>

struct address_block {
    struct in6_addr address; /* IPv4 as ::ffff:… */
    unsigned bits;
};

static struct address_block *address_trusted;
static size_t address_trusted_count;

/* Both families as one: an IPv4 address is its mapped IPv6 address. */
static bool address_parse(const char *text, struct in6_addr *ret)
{
    struct in_addr four;

    if (inet_pton(AF_INET, text, &four) == 1) {
        memset(ret, 0, sizeof *ret);
        ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
        memcpy(&ret->s6_addr[12], &four, sizeof four);
        return true;
    }
    return inet_pton(AF_INET6, text, ret) == 1;
}

static bool address_print(const struct in6_addr *address, char ret_text[48])
{
    if (IN6_IS_ADDR_V4MAPPED(address))
        return inet_ntop(AF_INET, &address->s6_addr[12], ret_text, 48) != NULL;
    return inet_ntop(AF_INET6, address, ret_text, 48) != NULL;
}

static bool address_block_parse(const char *text, struct address_block *ret)
{
    char copy[64];
    char *slash, *end;
    unsigned long bits;

    if (snprintf(copy, sizeof copy, "%s", text) >= (int)sizeof copy)
        return false;
    slash = strchr(copy, '/');
    if (slash != NULL)
        *slash = '\0';
    if (!address_parse(copy, &ret->address))
        return false;
    ret->bits = 128;
    if (slash == NULL)
        return true;
    bits = strtoul(slash + 1, &end, 10);
    if (slash[1] < '0' || slash[1] > '9' || *end != '\0')
        return false;
    if (strchr(copy, ':') == NULL)
        bits += 96;
    ret->bits = (unsigned)bits;
    return bits <= 128;
}

static bool address_in(const struct in6_addr *address, const struct address_block *block)
{
    unsigned whole = block->bits / 8, rest = block->bits % 8;
    uint8_t mask = (uint8_t)(0xff00 >> rest);

    if (memcmp(address, &block->address, whole) != 0)
        return false;
    return rest == 0 || (address->s6_addr[whole] & mask) == (block->address.s6_addr[whole] & mask);
}

static bool address_is_trusted(const char *text)
{
    struct in6_addr address;
    size_t i;

    if (!address_parse(text, &address))
        return false;
    for (i = 0; i < address_trusted_count; i++) {
        if (address_in(&address, &address_trusted[i]))
            return true;
    }
    return false;
}

bool vv_http_check_proxies(void)
{
    const char *const *list = vv_config->server.trusted_proxies;
    bool fine = true;

    free(address_trusted);
    address_trusted = NULL;
    address_trusted_count = 0;
    for (; list != NULL && *list != NULL; list++) {
        address_trusted =
            vv_xrealloc(address_trusted, (address_trusted_count + 1) * sizeof *address_trusted);
        if (address_block_parse(*list, &address_trusted[address_trusted_count])) {
            address_trusted_count++;
            continue;
        }
        fine = false;
        vv_config_problem(vv_config, NULL,
                          "[server] trusted_proxies: '%s' is no address and no block such as "
                          "10.0.0.0/8",
                          *list);
    }
    return fine;
}

bool vv_address_plain(const char *text, size_t length, char ret_text[48])
{
    struct in6_addr address;
    char copy[64];
    char *end;

    while (length > 0 && (*text == ' ' || *text == '\t'))
        text++, length--;
    if (length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    copy[strcspn(copy, " \t%")] = '\0';
    if (copy[0] == '[') { /* [2001:db8::1]:443 */
        end = strchr(copy, ']');
        if (end == NULL)
            return false;
        *end = '\0';
        memmove(copy, copy + 1, strlen(copy));
    } else if (strchr(copy, '.') != NULL && (end = strrchr(copy, ':')) != NULL &&
               strchr(copy, ':') == end) { /* 192.0.2.1:443 */
        *end = '\0';
    }
    return address_parse(copy, &address) && address_print(&address, ret_text);
}

/* X-Forwarded-For is read from its right end, as far as each hop is trusted to have told the truth.
 */
const char *vv_address_client(struct vv_arena *arena, const char *peer, const char *forwarded)
{
    char current[48];
    size_t end = forwarded == NULL ? 0 : strlen(forwarded);

    snprintf(current, sizeof current, "%s", peer);
    while (end > 0 && address_is_trusted(current)) {
        char next[48];
        size_t start = end;

        while (start > 0 && forwarded[start - 1] != ',')
            start--;
        if (!vv_address_plain(forwarded + start, end - start, next))
            break;
        memcpy(current, next, sizeof current);
        end = start == 0 ? 0 : start - 1;
    }
    return vv_arena_strdup(arena, current);
}

const char *vv_address_network(struct vv_arena *arena, const char *address)
{
    struct in6_addr six;
    char text[48];

    if (!address_parse(address, &six) || IN6_IS_ADDR_V4MAPPED(&six))
        return address;
    memset(&six.s6_addr[8], 0, 8);
    if (!address_print(&six, text))
        return address;
    return vv_arena_printf(arena, "%s/64", text);
}
