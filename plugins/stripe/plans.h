/* How a plan's section is written, which only its reader and the table of options need to know. */
#ifndef STRIPE_PLANS_H
#define STRIPE_PLANS_H

#include "stripe.h"

/* A section [plan:ID] as it stands there. */
struct plan_section {
    const char *name, *price_id, *price, *currency, *api_calls;
    const char *const *former_price_ids;
    const char *const *features;
    int64_t interval; /* index into PLAN_INTERVALS */
    int64_t trial_days;
    bool popular;
};

#define PLAN_INTERVALS "month|year"

/* What of a section makes sense. The error is a sentence without a subject; NULL: it is fine. */
const char *stripe_plan_read(const char *id, const struct plan_section *section,
                             struct stripe_plan *ret_plan);

#endif
