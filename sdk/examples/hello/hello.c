/* The smallest useful plugin: GET /hello greets, in the words of its section of the INI. */
#include <vv/plugin.h>

/* What [hello] in the configuration becomes. */
struct conf {
    const char *greeting;
};

static const struct vv_option options[] = {
    VV_OPTION_TEXT(struct conf, greeting, "Hello", VV_REQUIRED, "The word before the name"),
    VV_END,
};

/* The query string: a wrong one is refused before the handler runs. */
static const struct vv_field hello_query[] = {
    VV_FIELD_TEXT("name", 1, 50, VV_TRIMMED | VV_ONE_LINE, "Who is greeted", .value = "world"),
    VV_END,
};

static int hello(struct vv_request *req)
{
    const struct conf *conf = vv_conf();
    const char *name = vv_param_text(req, "name");

    return vv_reply_message(req, vv_printf(req, "%s, %s!", conf->greeting, name));
}

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "/hello", VV_ANYONE, hello, .query = hello_query, .summary = "Greets"),
    VV_END,
};

VV_PLUGIN(.name = "hello", .version = "1.0.0", .summary = "Greets whoever asks",
          .conf_size = sizeof(struct conf), .options = options, .routes = routes)
