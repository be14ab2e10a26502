/* The core's own sections: [server] [database] [http] [metrics], their keys and their defaults. */
#include "config_parts.h"
#include "log.h"
#include "options.h"
#include <arpa/inet.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>

#define CORE_SECRET_URL (VV_SECRET | VV_REQUIRED)

/* As written: what the structs of config.h cannot hold in an option's own form. */
struct core_conf {
    struct vv_config_server server;
    struct vv_config_database database;
    struct vv_config_http http;
    struct vv_config_metrics metrics;
};

static struct core_conf core_conf;

#define SERVER struct vv_config_server

static const struct vv_option core_server[] = {
    VV_OPTION_LIST(SERVER, listen, "127.0.0.1:8000", VV_REQUIRED,
                   "Addresses to listen on: 127.0.0.1:8000, [::1]:8000"),
    VV_OPTION_TEXT(
        SERVER, workers, "auto", VV_REQUIRED,
        "Processes that answer requests: a number up to 64; auto: one less than there are "
        "cores; 0: everything in one process, for debugging"),
    VV_OPTION_INT(SERVER, job_workers, "1", 0, 64, 0,
                  "Processes that run jobs (mail, schedules); 0: another machine does"),
    VV_OPTION_URL(SERVER, public_url, NULL, "http|https", 0,
                  "Where the world reaches this server, for links in mails"),
    VV_OPTION_URL(SERVER, frontend_url, NULL, "http|https", 0,
                  "Where the application's pages are, for links and redirections"),
    VV_OPTION_PATH(SERVER, tls_cert, NULL, 0, "Certificate chain (PEM), to serve https itself"),
    VV_OPTION_PATH(SERVER, tls_key, NULL, 0, "Private key (PEM) of tls_cert"),
    VV_OPTION_LIST(SERVER, cors_origins, NULL, 0,
                   "Origins whose pages may call the API: https://app.example.com, or *"),
    VV_OPTION_LIST(SERVER, trusted_proxies, NULL, 0,
                   "Addresses and networks whose X-Forwarded-For is believed: 10.0.0.0/8"),
    VV_OPTION_SIZE(SERVER, max_body, "1M", 1024, 1 << 30, 0, "Largest body of a request"),
    VV_OPTION_INT(SERVER, max_connections, "10000", 1, 1000000, 0,
                  "Open connections of one worker; more are closed at once"),
    VV_OPTION_INT(SERVER, max_fibers, "10000", 16, 1000000, 0,
                  "Requests in progress in one worker; more are answered with 503"),
    VV_OPTION_DURATION(SERVER, header_timeout, "10s", 100, 600000, 0,
                       "Time for a request's headers to arrive"),
    VV_OPTION_DURATION(SERVER, body_timeout, "30s", 100, 3600000, 0,
                       "Time for a request's body to arrive"),
    VV_OPTION_DURATION(SERVER, request_timeout, "30s", 100, 3600000, 0,
                       "Time for a request to be answered"),
    VV_OPTION_DURATION(SERVER, drain_timeout, "10s", 0, 600000, 0,
                       "Time for what is under way when the server stops or reloads"),
    VV_OPTION_PATH(SERVER, plugin_dir, NULL, 0,
                   "Folder of the plugins (.so); by default where they were installed"),
    VV_OPTION_ENUM(SERVER, log_level, "info", "error|warning|info|debug", 0,
                   "What is logged: error, warning, info or debug"),
    VV_OPTION_ENUM(SERVER, log_format, "json", "json|text", 0,
                   "json: one object a line, for machines; text: for people"),
    VV_END,
};

#define DATABASE struct vv_config_database

static const struct vv_option core_database[] = {
    VV_OPTION_URL(DATABASE, url, "postgresql:///vvserver", "postgresql|postgres", CORE_SECRET_URL,
                  "The database, as libpq takes it; several hosts mean fail-over"),
    VV_OPTION_URL(DATABASE, direct_url, NULL, "postgresql|postgres", VV_SECRET,
                  "The same past a pooler, for migrations and LISTEN; default: url"),
    VV_OPTION_INT(DATABASE, pool_size, "10", 2, 1000, 0,
                  "Connections of this machine, shared out among its workers"),
    VV_OPTION_DURATION(DATABASE, statement_timeout, "2s", 10, 600000, 0,
                       "Longest time for one statement"),
    VV_OPTION_DURATION(DATABASE, lock_timeout, "500ms", 10, 600000, 0, "Longest wait for a lock"),
    VV_OPTION_DURATION(DATABASE, connect_timeout, "5s", 100, 60000, 0,
                       "Time for a connection to be made"),
    VV_OPTION_DURATION(DATABASE, wait_timeout, "2s", 10, 60000, 0,
                       "Longest wait for a free connection"),
    VV_OPTION_BOOL(DATABASE, migrate, "on", 0,
                   "Bring the schema up to date at start; off: only check it"),
    VV_OPTION_BOOL(DATABASE, prepared, "on", 0,
                   "Prepared statements; off for PgBouncer before 1.21"),
    VV_OPTION_PATH(DATABASE, migrations_dir, NULL, 0,
                   "Folder of the migrations; by default where they were installed"),
    VV_END,
};

static const struct vv_option core_http[] = {
    VV_OPTION_PATH(struct vv_config_http, ca_file, NULL, 0,
                   "Authorities (PEM) for outgoing calls; default: the system's"),
    VV_END,
};

static const struct vv_option core_metrics[] = {
    VV_OPTION_LIST(struct vv_config_metrics, listen, NULL, 0,
                   "Addresses that serve /metrics and nothing else: 127.0.0.1:9100"),
    VV_OPTION_TEXT(struct vv_config_metrics, token, NULL, VV_SECRET,
                   "Bearer token with which the main addresses serve /metrics"),
    VV_END,
};

static const struct vv_config_section core_sections[] = {
    {"server", "How it listens, and how much it takes", core_server, &core_conf.server},
    {"database", "PostgreSQL, 14 or later", core_database, &core_conf.database},
    {"http", "Calls that go out", core_http, &core_conf.http},
    {"metrics", "What Prometheus reads; without a key here there is no /metrics", core_metrics,
     &core_conf.metrics},
    {NULL, NULL, NULL, NULL},
};

const struct vv_config_section *vv_config_core_sections(void)
{
    return core_sections;
}

/* ---- defaults that depend on where the program lies ------------------------------------------ */

/* "…/bin/vvserverd" → "…"; NULL: unknown. */
static const char *core_prefix(struct vv_arena *arena)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    int level;

    if (length <= 0)
        return NULL;
    path[length] = '\0';
    for (level = 0; level < 2; level++) {
        char *slash = strrchr(path, '/');

        if (slash == NULL)
            return NULL;
        *slash = '\0';
    }
    return vv_arena_strdup(arena, path);
}

/* What lies beside the program goes before what is installed: a build runs what it was built with.
 */
static const char *core_place(struct vv_arena *arena, const char *prefix, const char *folder,
                              const char *otherwise)
{
    const char *near;

    if (prefix == NULL)
        return otherwise;
    near = vv_arena_printf(arena, "%s/%s", prefix, folder);
    return access(near, R_OK | X_OK) == 0 ? near : otherwise;
}

static void core_place_defaults(struct vv_config *config)
{
    struct vv_arena *arena = config->arena;
    const char *prefix = core_prefix(arena);
    const char *sql = "share/vvserver/sql";

    if (core_conf.server.plugin_dir == NULL)
        core_conf.server.plugin_dir =
            core_place(arena, prefix, "lib/vvserver/plugins", "/usr/lib/vvserver/plugins");
    if (prefix != NULL && access(vv_arena_printf(arena, "%s/CMakeCache.txt", prefix), F_OK) == 0)
        sql = "../sql"; /* a build folder lies in the sources */
    if (core_conf.database.migrations_dir == NULL)
        core_conf.database.migrations_dir =
            core_place(arena, prefix, sql, "/usr/share/vvserver/sql");
}

/* ---- what a table cannot say ----------------------------------------------------------------- */

/* A mistake in a value of a core section, at the line where it stands. */
VV_PRINTF(4, 5)
static void core_mistake(struct vv_config *config, const char *section, const char *key,
                         const char *format, ...)
{
    const struct vv_setting *setting = vv_config_find(config, section, key);
    struct vv_buffer text;
    char piece[512];
    va_list args;

    va_start(args, format);
    vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    vv_buffer_init(&text, config->arena);
    vv_buffer_printf(&text, "[%s] '%s' %s", section, key, piece);
    vv_config_problem(config, setting == NULL ? NULL : setting->source, "%s", text.data);
}

static void core_check_addresses(struct vv_config *config, const char *section,
                                 const char *const *list)
{
    for (; list != NULL && *list != NULL; list++) {
        const char *colon = strrchr(*list, ':');
        char *end = NULL;
        long port = colon == NULL ? 0 : strtol(colon + 1, &end, 10);

        if (colon == NULL || colon == *list || end == colon + 1 || *end != '\0' || port < 1 ||
            port > 65535 ||
            (memchr(*list, ':', (size_t)(colon - *list)) != NULL &&
             ((*list)[0] != '[' || colon[-1] != ']')))
            core_mistake(config, section, "listen",
                         "must be addresses with a port, such as 127.0.0.1:8000 or [::1]:8000, "
                         "not '%.100s'",
                         *list);
    }
}

static bool core_is_network(const char *text)
{
    unsigned char bytes[16];
    char address[64];
    const char *slash = strchr(text, '/');
    size_t length = slash == NULL ? strlen(text) : (size_t)(slash - text);
    char *end = NULL;
    long bits = slash == NULL ? 0 : strtol(slash + 1, &end, 10);
    int family;

    if (length >= sizeof address)
        return false;
    memcpy(address, text, length);
    address[length] = '\0';
    family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
    if (inet_pton(family, address, bytes) != 1)
        return false;
    return slash == NULL || (end != slash + 1 && *end == '\0' && bits >= 0 &&
                             bits <= (family == AF_INET ? 32 : 128));
}

static bool core_is_origin(const char *text)
{
    const char *host = strstr(text, "://");

    if (strcmp(text, "*") == 0)
        return true;
    return host != NULL && (strncmp(text, "http:", 5) == 0 || strncmp(text, "https:", 6) == 0) &&
           host[3] != '\0' && strpbrk(host + 3, "/?#@ ") == NULL;
}

static void core_check_lists(struct vv_config *config)
{
    const struct vv_config_server *server = &core_conf.server;
    const char *const *item;

    core_check_addresses(config, "server", server->listen);
    core_check_addresses(config, "metrics", core_conf.metrics.listen);
    for (item = server->trusted_proxies; item != NULL && *item != NULL; item++)
        if (!core_is_network(*item))
            core_mistake(config, "server", "trusted_proxies",
                         "must be addresses or networks, such as 10.0.0.1 or 10.0.0.0/8, not "
                         "'%.100s'",
                         *item);
    for (item = server->cors_origins; item != NULL && *item != NULL; item++)
        if (!core_is_origin(*item))
            core_mistake(config, "server", "cors_origins",
                         "must be origins without a path, such as https://app.example.com, or *, "
                         "not '%.100s'",
                         *item);
}

static void core_check_workers(struct vv_config *config)
{
    struct vv_config_server *server = &core_conf.server;
    char *end;
    long count;
    cpu_set_t cores;

    if (server->workers == NULL)
        return;
    if (strcmp(server->workers, "auto") == 0) {
        count = sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) - 1 : 1;
        server->worker_count = VV_MIN(VV_MAX(count, 1), 64);
        return;
    }
    count = strtol(server->workers, &end, 10);
    if (end == server->workers || *end != '\0' || count < 0 || count > 64)
        core_mistake(config, "server", "workers",
                     "must be auto or a number from 0 to 64, not '%.40s'", server->workers);
    else
        server->worker_count = count;
}

/* Links are made by appending "/path". */
static const char *core_without_slash(struct vv_config *config, const char *url)
{
    size_t length = url == NULL ? 0 : strlen(url);

    while (length > 0 && url[length - 1] == '/')
        length--;
    return url == NULL ? NULL : vv_arena_strndup(config->arena, url, length);
}

void vv_config_fill_core(struct vv_config *config)
{
    const struct vv_config_section *section;

    memset(&core_conf, 0, sizeof core_conf);
    for (section = core_sections; section->name != NULL; section++)
        vv_config_fill(config, section->name, section->options, section->conf);
    core_place_defaults(config);
    core_check_workers(config);
    core_check_lists(config);
    if ((core_conf.server.tls_cert == NULL) != (core_conf.server.tls_key == NULL))
        core_mistake(config, "server", core_conf.server.tls_cert == NULL ? "tls_key" : "tls_cert",
                     "is given alone; https needs both tls_cert and tls_key");
    core_conf.server.public_url = core_without_slash(config, core_conf.server.public_url);
    core_conf.server.frontend_url = core_without_slash(config, core_conf.server.frontend_url);
    if (core_conf.metrics.token != NULL && strlen(core_conf.metrics.token) < 16)
        core_mistake(config, "metrics", "token", "must have 16 characters or more");
    config->server = core_conf.server;
    config->server.log_level = core_conf.server.log_level + VV_LOG_ERROR;
    config->database = core_conf.database;
    if (config->database.direct_url == NULL)
        config->database.direct_url = config->database.url;
    config->http = core_conf.http;
    config->metrics = core_conf.metrics;
}

const char *vv_config_server_option(const char *key)
{
    const struct vv_option *option;

    for (option = core_server; option->type != VV_OPTION_TYPE_END; option++)
        if (strcmp(option->key, key) == 0 && (option->flags & VV_SECRET) == 0)
            return vv_option_format(vv_config->arena, option,
                                    (const char *)&core_conf.server + option->offset);
    return NULL;
}
