/* Checks: one that is well while a file says so, one for the doctor alone. */
#include <unistd.h>
#include <vv/plugin.h>

struct conf {
    const char *file;
};

static const struct vv_option options[] = {
    VV_OPTION_TEXT(struct conf, file, NULL, VV_REQUIRED, "While it exists, all is well"),
    VV_END,
};

static int pulse(struct vv_request *req)
{
    const struct conf *conf = vv_conf();

    if (access(conf->file, F_OK) != 0)
        return vv_fail(req, 503, "no_pulse", "There is no pulse; create the file again");
    vv_print(req, "beating");
    return 0;
}

static int teeth(struct vv_request *req)
{
    vv_print(req, "all there");
    return 0;
}

static const struct vv_check checks[] = {
    VV_CHECK("pulse", VV_CHECK_HEALTH, "Whether the file is there", pulse),
    VV_CHECK("teeth", 0, "Only looked at by the doctor", teeth),
    VV_END,
};

VV_PLUGIN(.name = "pulse", .version = "1", .summary = "Says how it feels",
          .conf_size = sizeof(struct conf), .options = options, .checks = checks)
