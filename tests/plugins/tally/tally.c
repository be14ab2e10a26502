/* Metrics: counters and a gauge that all workers share. */
#include <vv/plugin.h>

enum tally_metric {
    TALLY_GOOD,
    TALLY_BAD,
    TALLY_LEVEL,
};

static const struct vv_metric metrics[] = {
    VV_COUNTER("tally_calls_total", "result=\"good\"", "Calls by their result"),
    VV_COUNTER("tally_calls_total", "result=\"bad\"", "Calls by their result"),
    VV_GAUGE("tally_level", NULL, "Ups less downs"),
    VV_END,
};

static int count(struct vv_request *req)
{
    vv_metric_add(strcmp(vv_param_text(req, "what"), "good") == 0 ? TALLY_GOOD : TALLY_BAD, 1);
    vv_metric_add(TALLY_LEVEL, strcmp(vv_param_text(req, "what"), "good") == 0 ? 2 : -1);
    return vv_reply_message(req, "counted");
}

static const struct vv_field query[] = {
    VV_FIELD_ENUM("what", "good|bad", VV_REQUIRED, "What to count"),
    VV_END,
};

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "/tally/{what}", VV_ANYONE, count, .query = query, .summary = "Counts"),
    VV_END,
};

VV_PLUGIN(.name = "tally", .version = "1", .summary = "Counts its calls", .routes = routes,
          .metrics = metrics)
