/* What systemd is told: ready, reloading, stopping, alive. Nothing happens without systemd. */
#ifndef VV_CORE_NOTIFY_H
#define VV_CORE_NOTIFY_H

#include "base.h"

void vv_notify_ready(unsigned generation);
void vv_notify_reloading(void);
void vv_notify_stopping(void);
void vv_notify_alive(void);

/* Microseconds between two vv_notify_alive() that systemd's watchdog wants; 0 = none. */
int64_t vv_notify_interval(void);

#endif
