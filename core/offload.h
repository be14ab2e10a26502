/* Threads beside the loop: one for hashing, a few for calls that block. */
#ifndef VV_CORE_OFFLOAD_H
#define VV_CORE_OFFLOAD_H

#include "base.h"

struct event_base;
struct vv_request;
struct vv_self;

/* After the fork, before the first use. Threads start with the first call. */
void vv_offload_init(struct event_base *base);
void vv_offload_stop(void);

/* The host's function of that name: see vv_offload() in <vv/request.h>. */
int vv_offload_call(struct vv_self *self, struct vv_request *req, uint32_t pool,
                    void (*function)(void *arg), void *arg);

/* Seconds until the hashing queue has room again, for Retry-After; at least 1. */
int64_t vv_offload_retry_after(void);

#endif
