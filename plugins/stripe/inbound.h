/* What the files share that take in what Stripe says: events, syncs, and what follows from them. */
#ifndef STRIPE_INBOUND_H
#define STRIPE_INBOUND_H

#include "stripe.h"
#include <vv/work.h>

/* ---- object.c: what is read out of Stripe's objects -------------------------------------------
 */

/* What is kept of an event: enough to find its object again, and nothing of its payload. */
struct stripe_event {
    const char *id, *type;
    const char *object_id, *customer; /* NULL: the object has none */
    int64_t created;                  /* microseconds since 1970 */
};

/* Borrowed from `value`. VV_EINVAL: it is no event. */
VV_MUST_CHECK int stripe_object_event(const struct vv_value *value, struct stripe_event *ret_event);

/* Borrowed from `value`; both shapes, with the period on the subscription and on its items.
 * VV_EINVAL: it is no subscription. */
VV_MUST_CHECK int stripe_object_subscription(const struct vv_value *value,
                                             struct stripe_sub *ret_sub);

/* Of two made within one second either may be the older, as long as it is always the same. */
bool stripe_object_older(const struct stripe_sub *a, const struct stripe_sub *b);

/* ---- access.c ---------------------------------------------------------------------------------
 */

/* Active, trialing, past_due: what a user can have one of. */
bool stripe_access_live(const char *status);

/* Canceled, incomplete_expired: nothing revives it. */
bool stripe_access_ended(const char *status);

/* When it ends for good by itself; 0: it renews. */
int64_t stripe_access_ends_at(const struct stripe_sub *sub);

/* Until when this gives access; 0: it gives none. Whether a plan knows the price is not asked. */
int64_t stripe_access_until(const struct stripe_sub *sub);

/* The members of GET /profile; in init. */
VV_MUST_CHECK int stripe_access_profile(struct vv_request *req);

/* ---- webhook.c, sync.c, … : what stripe.c lists in its tables ---------------------------------
 */
extern const struct vv_subscriptions_service stripe_subscriptions_service VV_HIDDEN;
extern const struct vv_command stripe_commands[] VV_HIDDEN;
extern const struct vv_check stripe_checks[] VV_HIDDEN;

int stripe_webhook(struct vv_request *req);
int stripe_sync_job(struct vv_request *req, const struct vv_job_run *run);
int stripe_event_job(struct vv_request *req, const struct vv_job_run *run);
int stripe_extra_job(struct vv_request *req, const struct vv_job_run *run);
int stripe_reconcile_events(struct vv_request *req);
int stripe_reconcile_all(struct vv_request *req);

/* Stores an event that did not come by itself, as the webhook would; 1: it is new, 0: known. */
VV_MUST_CHECK int stripe_webhook_store(struct vv_request *req, const struct stripe_event *event);

/* ---- apply.c ----------------------------------------------------------------------------------
 */

/* What becomes of one subscription of a customer. */
struct stripe_change {
    const struct stripe_sub *before; /* the row as it was read before Stripe was asked; or NULL */
    struct stripe_sub after;
    struct stripe_change *next;
};

struct stripe_changes {
    int64_t user_id;
    const char *customer;
    struct stripe_change *first;
    const struct vv_rows *events; /* of which column "id" names those that are settled by this */
};

/* Writes the rows, tells hooks and the user, and marks the events, in one transaction. 1: done. 0:
 * somebody was quicker, and nothing is written: what Stripe said may be old by now. */
VV_MUST_CHECK int stripe_apply(struct vv_request *req, const struct stripe_changes *changes);

/* Marks events that change nothing here. */
VV_MUST_CHECK int stripe_apply_nothing(struct vv_request *req, const struct vv_rows *events);

/* ---- mails.c ----------------------------------------------------------------------------------
 */

/* Tells the user what a change of a row means; `before` is NULL for a new one. */
VV_MUST_CHECK int stripe_mails_changed(struct vv_tx *tx, const struct stripe_sub *before,
                                       const struct stripe_sub *after);

/* ---- duplicates.c -----------------------------------------------------------------------------
 */

/* Ends a subscription at Stripe now, and gives back what was paid for it if `refund`. */
VV_MUST_CHECK int stripe_extra_end(struct vv_request *req, const char *subscription, bool refund);

#endif
