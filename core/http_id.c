/* Request ids: the caller's own when it is a sane one, else sixteen letters of our own. */
#include "http_inside.h"

static uint64_t id_state;

/* In each process: a forked one begins elsewhere. */
void vv_http_id_seed(void)
{
    vv_random_bytes(&id_state, sizeof id_state);
}

static bool id_sane(const char *text)
{
    size_t i;

    for (i = 0; text[i] != '\0'; i++) {
        char c = text[i];

        if (i == 64 || !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
            return false;
    }
    return i > 0;
}

const char *vv_http_id(const char *offered, char *buffer)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t bits;
    int i;

    if (offered != NULL && id_sane(offered))
        return offered;
    /* splitmix64: no two of one process are alike, and nothing depends on their being secret. */
    bits = id_state += 0x9e3779b97f4a7c15U;
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9U;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebU;
    bits ^= bits >> 31;
    for (i = 0; i < 16; i++)
        buffer[i] = digits[(bits >> (4 * i)) & 15];
    buffer[16] = '\0';
    return buffer;
}
