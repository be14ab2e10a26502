/* Rates per client address, exact over the workers of a machine: GCRA in shared memory. */

#ifndef VV_CORE_RATE_LIMITS_H
#define VV_CORE_RATE_LIMITS_H

#include "base.h"
#include <vv/option.h>

/* The supervisor makes the table (a memfd) and hands it on; a process without one makes its own. */
int vv_limits_create(void);
void vv_limits_attach(int fd);

struct vv_limit_answer {
    bool allowed;
    int64_t remaining;   /* calls that would still pass now */
    int64_t retry_after; /* microseconds until one passes; 0 when allowed */
    int64_t reset;       /* microseconds until the burst is whole again */
};

/* Counts `amount` events of `class_` for `key` (SipHash-ed with a secret of the table), if all of
 * them pass; 0 only looks whether one would. */
struct vv_limit_answer vv_limits_take(uint32_t class_, const char *key, struct vv_rate rate,
                                      uint32_t amount);

/* A class for a name: the same in every generation, because they all share the table. */
uint32_t vv_limits_class(const char *name);

/* The host's function: a rate under a name of the plugin's own. */
struct vv_self;
struct vv_rate_state;
int vv_limits_host(struct vv_self *self, const char *name, const char *key,
                   const struct vv_rate *rate, uint32_t amount, struct vv_rate_state *ret_state);

/* SipHash-2-4 with a key of 128 bits. */
uint64_t vv_limits_hash(const uint64_t secret[2], const uint8_t *bytes, size_t length);

#endif
