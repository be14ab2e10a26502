/* Metrics in memory that a generation's processes share, and their text for Prometheus. */
#ifndef VV_CORE_METRICS_H
#define VV_CORE_METRICS_H

#include "buffer.h"

struct vv_self;
struct vv_plugins;

/* In the leader, before forking: a row of slots for each process. */
void vv_metrics_create(const struct vv_plugins *plugins, unsigned processes);

/* In a forked process: which row is its own. A new process of the same row goes on counting there.
 */
void vv_metrics_attach(unsigned row);

/* The host's function: see vv_metric_add() in <vv/request.h>. */
void vv_metrics_add(struct vv_self *self, uint32_t index, int64_t amount);

/* An answered request: counts by status class, and a histogram of durations. */
void vv_metrics_request(int status, int64_t microseconds);

/* An outgoing call: the status of its last answer; 0: there was none. */
void vv_metrics_outgoing(uint32_t status);

/* What is so now in this process: told once a second. Fibers and the database it asks itself. */
void vv_metrics_gauges(unsigned connections, unsigned active);

/* The whole text, summed over the rows. */
void vv_metrics_text(struct vv_buffer *out);

/* Flags that processes of a generation share through the same memory. */
void vv_metrics_set_schema_ready(void);
bool vv_metrics_schema_ready(void);

#endif
