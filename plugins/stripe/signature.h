/* Stripe-Signature: whether a webhook's body comes from somebody who knows one of our secrets. */
#ifndef STRIPE_SIGNATURE_H
#define STRIPE_SIGNATURE_H

#include <vv/base.h>

/* How far a signature's time may be from ours, either way, in seconds. */
#define STRIPE_SIGNATURE_TOLERANCE 300

enum stripe_signature {
    STRIPE_SIGNATURE_GOOD = 0,
    STRIPE_SIGNATURE_ABSENT,    /* no header, or one without a time or a v1 */
    STRIPE_SIGNATURE_STALE,     /* true, but its time is too far from ours */
    STRIPE_SIGNATURE_DIFFERENT, /* made with another secret, or over another body */
};

/* Checks the header over the raw body. `secrets` ends with NULL; one true v1 by any of them will
 * do. */
VV_MUST_CHECK enum stripe_signature stripe_signature_check(const char *header, const void *body,
                                                           size_t length,
                                                           const char *const *secrets, int64_t now);

#endif
