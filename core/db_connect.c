/* How connections are begun: keywords, several hosts, silence about notices. */
#include "db_connect.h"

#include "buffer.h"
#include "config.h"
#include "log.h"

#include <stdio.h>

#define CONNECT_KEYWORDS 16

/*
 * What a URL leaves open; its own words win, since they come later. Keep-alive: without these a
 * machine that vanished is noticed after two hours. libpq looks names up while the loop waits: with
 * a slow name server give an address, or host=name&hostaddr=address.
 */
static const char *const connect_defaults[][2] = {
    {"fallback_application_name", "vvserver"},
    {"keepalives_idle", "30"},
    {"keepalives_interval", "5"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "15000"},
};

static void connect_notice(void *arg, const char *message)
{
    (void)arg;
    vv_debug("postgresql: %.*s", (int)strcspn(message, "\n"), message);
}

/* "a,b,c" beginning at another element: "b,c,a". NULL: there is no list. */
static char *connect_rotated(const char *list, unsigned by)
{
    const char *comma = list;
    unsigned count = 1;

    if (list == NULL || strchr(list, ',') == NULL)
        return NULL;
    for (const char *at = list; *at != '\0'; at++)
        count += *at == ',';
    by %= count;
    if (by == 0)
        return vv_xstrdup(list);
    for (unsigned i = 0; i < by; i++)
        comma = strchr(comma, ',') + 1;
    return vv_xprintf("%s,%.*s", comma, (int)(comma - 1 - list), list);
}

static size_t connect_fill(const char **keywords, const char **values, const char *url)
{
    size_t count = VV_ARRAY_SIZE(connect_defaults);

    for (size_t i = 0; i < count; i++) {
        keywords[i] = connect_defaults[i][0];
        values[i] = connect_defaults[i][1];
    }
    keywords[count] = "dbname";
    values[count] = url;
    keywords[count + 1] = "client_encoding";
    values[count + 1] = "UTF8";
    return count + 2;
}

/*
 * libpq itself goes on to the next host when one refuses. One that says nothing at all takes all of
 * connect_timeout, which in the background is ours to watch; so the next attempt begins at the next
 * host.
 */
PGconn *vv_db_connect_start(unsigned attempt)
{
    static const char *const lists[] = {"host", "hostaddr", "port"};
    const char *url = vv_config->database.url;
    const char *keywords[CONNECT_KEYWORDS] = {NULL}, *values[CONNECT_KEYWORDS] = {NULL};
    char *rotated[VV_ARRAY_SIZE(lists)] = {NULL};
    size_t count = connect_fill(keywords, values, url);
    PQconninfoOption *options = attempt == 0 ? NULL : PQconninfoParse(url, NULL);
    PGconn *pg;

    for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++) {
        for (size_t i = 0; i < VV_ARRAY_SIZE(lists); i++) {
            if (strcmp(option->keyword, lists[i]) != 0)
                continue;
            rotated[i] = connect_rotated(option->val, attempt);
            if (rotated[i] == NULL)
                continue;
            keywords[count] = lists[i];
            values[count++] = rotated[i];
        }
    }
    pg = PQconnectStartParams(keywords, values, 1);
    vv_assert(pg != NULL);
    PQsetNoticeProcessor(pg, connect_notice, NULL);
    for (size_t i = 0; i < VV_ARRAY_SIZE(lists); i++)
        free(rotated[i]);
    PQconninfoFree(options);
    return pg;
}

PGconn *vv_db_connect_blocking(const char *url)
{
    const char *keywords[CONNECT_KEYWORDS] = {NULL}, *values[CONNECT_KEYWORDS] = {NULL};
    size_t count = connect_fill(keywords, values, url);
    int64_t seconds = (vv_config->database.connect_timeout + 999) / 1000;
    char timeout[24];
    PGconn *pg;

    snprintf(timeout, sizeof timeout, "%lld", (long long)VV_MAX(seconds, 2));
    keywords[count] = "connect_timeout";
    values[count] = timeout;
    pg = PQconnectdbParams(keywords, values, 1);
    vv_assert(pg != NULL);
    PQsetNoticeProcessor(pg, connect_notice, NULL);
    return pg;
}
