/* What systemd is told: ready, reloading, stopping, alive. Nothing happens without systemd. */
#include "notify.h"
#include <inttypes.h>
#include <systemd/sd-daemon.h>

void vv_notify_ready(unsigned generation)
{
    (void)sd_notifyf(0, "READY=1\nSTATUS=Generation %u is serving", generation);
}

void vv_notify_reloading(void)
{
    struct timespec now;

    /* Type=notify-reload orders messages by this clock. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\nSTATUS=Reloading",
                     (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void vv_notify_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1\nSTATUS=Finishing what is under way");
}

void vv_notify_alive(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}

int64_t vv_notify_interval(void)
{
    uint64_t period = 0;

    if (sd_watchdog_enabled(0, &period) <= 0 || period == 0)
        return 0;
    return (int64_t)VV_MIN(period / 2, (uint64_t)3600 * 1000000);
}
