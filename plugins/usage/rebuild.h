/* What the files of the rebuild share: how much of it there was to do. */
#ifndef USAGE_REBUILD_H
#define USAGE_REBUILD_H

#include "usage.h"

struct rebuild_counts {
    int64_t added, corrected, subscriptions, forgotten;
    int64_t turn, after; /* of the turn that runs: what it did, and where the next one goes on */
};

/* Makes entitlements what accounts and subscriptions say. Cheap when they are. May wait. */
VV_MUST_CHECK int usage_rebuild(struct vv_request *req, struct rebuild_counts *ret_counts);

/* The part of it that is about subscriptions: rebuild_access.c. */
VV_MUST_CHECK int usage_rebuild_access(struct vv_request *req, struct rebuild_counts *counts);

#endif
