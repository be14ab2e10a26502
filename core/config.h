/* The whole configuration: INI files, environment, --set; what the core reads and what plugins get.
 */
#ifndef VV_CORE_CONFIG_H
#define VV_CORE_CONFIG_H

#include "base.h"
#include <vv/option.h>

struct vv_plugins;

/* One key as it was written, wherever. */
struct vv_setting {
    const char *section, *key, *value;
    const char *source;     /* "vvserver.ini:41", "environment VV_AUTH__X", "--set auth.x" */
    bool used, environment; /* of the environment: names in lower case, ':' and '-' are '_' */
};

/* What command line and environment say before a file is read. */
struct vv_config_source {
    const char *file;         /* -c */
    const char *const *sets;  /* "section.key=value", ends with NULL; may be NULL */
    char *const *environment; /* environ */
    bool plain_log;           /* a person looks on: the log is text, from warnings up */
};

struct vv_config_server {
    const char *const *listen; /* "127.0.0.1:8000", "[::1]:8000" */
    const char *workers;       /* "auto" or a number */
    int64_t worker_count;      /* what that means here: cores - 1, at least 1; 0 = one process */
    int64_t job_workers;
    const char *public_url, *frontend_url;
    const char *tls_cert, *tls_key;
    const char *const *cors_origins;
    const char *const *trusted_proxies;
    int64_t max_body, max_connections, max_fibers;
    int64_t header_timeout, body_timeout, request_timeout, drain_timeout; /* milliseconds */
    const char *plugin_dir;
    int64_t log_level, log_format; /* enum vv_log_level, enum vv_log_format */
};

struct vv_config_database {
    const char *url, *direct_url; /* direct_url defaults to url */
    int64_t pool_size;            /* connections of the whole machine */
    int64_t statement_timeout, lock_timeout, connect_timeout, wait_timeout;
    bool migrate, prepared;
    const char *migrations_dir;
};

struct vv_config_http {
    const char *ca_file;
};

struct vv_config_metrics {
    const char *const *listen;
    const char *token;
};

struct vv_config {
    struct vv_config_server server;
    struct vv_config_database database;
    struct vv_config_http http;
    struct vv_config_metrics metrics;
    const char *file;
    struct vv_setting *settings; /* everything that was written, in order of strength */
    size_t setting_count;
    struct vv_problems *problems; /* mistakes found so far, all reported at once */
    struct vv_arena *arena;       /* of all texts */
    struct vv_config_limits *limits;
};

/* A limit as its declaration and [limits] have it. */
struct vv_config_limit {
    const char *name;
    uint32_t per;        /* enum vv_limit_per */
    uint32_t class_;     /* a number for the name, the same over generations */
    struct vv_rate rate; /* count 0: off */
};

/* The one configuration of this process; set by vv_config_load(). Never NULL after it. */
extern struct vv_config *vv_config;

/* Frees a configuration that was read again, with all texts that came from it. */
void vv_config_free(struct vv_config *config);

/* Reads files, environment and --set, and fills in the core's sections. Mistakes are gathered. */
struct vv_config *vv_config_load(const struct vv_config_source *source);

/* Fills a struct from a section by a table of options; mistakes are gathered. Values are static. */
void vv_config_fill(struct vv_config *config, const char *section, const struct vv_option *options,
                    void *ret_struct);

/* The last setting of that name, or NULL; marks it as used. */
const char *vv_config_text(struct vv_config *config, const char *section, const char *key);

/* A mistake: "vvserver.ini:41: [auth] …". `source` may be NULL. */
VV_PRINTF(3, 4)
void vv_config_problem(struct vv_config *config, const char *source, const char *format, ...);

/* After everything was filled: names what nothing used, with "did you mean"; prints all mistakes to
 * standard error. False: there were some. */
bool vv_config_finish(struct vv_config *config, const struct vv_plugins *plugins);

/* Prints to standard error what was not printed yet. False: there are mistakes. */
bool vv_config_report(struct vv_config *config);

/* A key of [limits]. False: nobody declares such a limit. */
bool vv_config_limit(const char *name, struct vv_config_limit *ret_limit);

/* Prints the effective configuration as an INI file, secrets masked, each key with its help. */
void vv_config_dump(struct vv_config *config, const struct vv_plugins *plugins);

/* Reads "600/m" or "off". False: neither. */
bool vv_rate_parse(const char *text, struct vv_rate *ret_rate);

/* A key of [server] as text, for plugins: NULL when empty or unknown or secret. */
const char *vv_config_server_option(const char *key);

#endif
