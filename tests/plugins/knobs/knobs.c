/* Options: one of each type, shown as the plugin's struct has them. */
#include <vv/plugin.h>

struct conf {
    const char *text, *secret, *path, *url, *nothing;
    int64_t number, size, duration, choice;
    const char *const *list;
    struct vv_rate rate;
    bool flag;
};

static const struct vv_option options[] = {
    VV_OPTION_TEXT(struct conf, text, "a text", 0, "A text"),
    VV_OPTION_TEXT(struct conf, secret, NULL, VV_REQUIRED | VV_SECRET, "A secret"),
    VV_OPTION_TEXT(struct conf, nothing, NULL, 0, "A text without a default"),
    VV_OPTION_PATH(struct conf, path, "/", 0, "A path"),
    VV_OPTION_URL(struct conf, url, "https://example.com", "https", 0, "A URL"),
    VV_OPTION_INT(struct conf, number, "7", 1, 10, VV_RELOADABLE, "A number"),
    VV_OPTION_SIZE(struct conf, size, "64K", 1024, 1 << 20, 0, "A size"),
    VV_OPTION_DURATION(struct conf, duration, "15m", 1000, 86400000, 0, "A duration"),
    VV_OPTION_ENUM(struct conf, choice, "two", "one|two|three", 0, "One of three"),
    VV_OPTION_LIST(struct conf, list, "a, b", 0, "A list"),
    VV_OPTION_RATE(struct conf, rate, "600/m", 0, "A rate"),
    VV_OPTION_BOOL(struct conf, flag, "on", VV_DEPRECATED, "A flag; use something else"),
    VV_END,
};

static int show(struct vv_request *req)
{
    const struct conf *conf = vv_conf();
    struct vv_json *json = vv_object(req);
    size_t i;

    vv_put(json, "text", VV_TEXT(conf->text));
    vv_put(json, "nothing", VV_TEXT(conf->nothing));
    vv_put(json, "secret_length", VV_INT((int64_t)strlen(conf->secret)));
    vv_put(json, "path", VV_TEXT(conf->path));
    vv_put(json, "url", VV_TEXT(conf->url));
    vv_put(json, "number", VV_INT(conf->number));
    vv_put(json, "size", VV_INT(conf->size));
    vv_put(json, "duration", VV_INT(conf->duration));
    vv_put(json, "choice", VV_INT(conf->choice));
    vv_put(json, "rate_count", VV_INT(conf->rate.count));
    vv_put(json, "rate_period", VV_INT(conf->rate.period));
    vv_put(json, "flag", VV_BOOL(conf->flag));
    vv_open_array(json, "list");
    for (i = 0; conf->list[i] != NULL; i++)
        vv_put(json, NULL, VV_TEXT(conf->list[i]));
    vv_close(json);
    vv_put(json, "workers", VV_TEXT(vv_server_option("workers")));
    vv_put(json, "unknown", VV_TEXT(vv_server_option("unknown")));
    return vv_reply(req, 200, json);
}

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "/knobs", VV_ANYONE, show, .summary = "Shows its options"),
    VV_END,
};

VV_PLUGIN(.name = "knobs", .version = "1", .summary = "One option of each type",
          .conf_size = sizeof(struct conf), .options = options, .routes = routes)
