/* Wants the family of sections that caller has. */
#include <vv/plugin.h>

struct plan {
    int64_t price;
};

static const struct vv_option plan_options[] = {
    VV_OPTION_INT(struct plan, price, "5", 0, 9, 0, "What it costs"),
    VV_END,
};

static const struct vv_section sections[] = {
    VV_SECTION("plan", struct plan, plan_options, "One for each plan"),
    VV_END,
};

VV_PLUGIN(.name = "rival", .version = "1.0.0", .summary = "Has a family that another has",
          .sections = sections)
