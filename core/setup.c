/* From the command line to plugins that are ready: what leader, --check and vvctl share. */
#include "http.h"
#include "log.h"
#include "migrate.h"
#include "plugin.h"
#include "process.h"
#include "router.h"

bool vv_setup(const struct vv_config_source *source)
{
    struct vv_config *config = vv_config_load(source);
    struct vv_plugins *plugins;
    bool fine;

    if (source->plain_log)
        vv_log_init(VV_LOG_WARNING, VV_LOG_TEXT, "setup");
    else
        vv_log_init((int)config->server.log_level, (int)config->server.log_format, "setup");
    plugins = vv_plugins_load(config);
    /* init() may rely on its options: it is not called with bad ones. */
    if (!vv_config_finish(config, plugins))
        return false;
    fine = vv_plugins_init(plugins);
    fine = vv_router_build() && fine;
    fine = vv_http_check_tls() && fine;
    fine = vv_http_check_proxies() && fine;
    fine = vv_migrate_check_files(plugins) && fine;
    return vv_config_report(config) && fine;
}
