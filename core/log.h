/* The log: one line an event, JSON or text, to standard error. */
#ifndef VV_CORE_LOG_H
#define VV_CORE_LOG_H

#include "base.h"
#include <vv/host.h>

struct vv_request;
struct vv_self;

enum vv_log_format {
    VV_LOG_JSON = 0,
    VV_LOG_TEXT = 1,
};

/* The process's role ("supervisor", "leader", "worker 1", "jobs") stands in every line. */
void vv_log_init(int level, int format, const char *role);
void vv_log_role(const char *role);
bool vv_log_enabled(int level);

/* Writes one line; one write(2) a line, so that processes do not mix. `self` and `req` may be NULL.
 */
VV_PRINTF(4, 5)
void vv_log_line(int level, struct vv_self *self, struct vv_request *req, const char *format, ...);

#define vv_error(...)   vv_log_line(VV_LOG_ERROR, NULL, NULL, __VA_ARGS__)
#define vv_warning(...) vv_log_line(VV_LOG_WARNING, NULL, NULL, __VA_ARGS__)
#define vv_info_(...)   vv_log_line(VV_LOG_INFO, NULL, NULL, __VA_ARGS__)
#define vv_debug(...)   vv_log_line(VV_LOG_DEBUG, NULL, NULL, __VA_ARGS__)

/* The line of an answered request: method, path (never the query string), status, duration. */
void vv_log_access(struct vv_request *req, const char *method, const char *path, int status,
                   int64_t microseconds, const char *address);

#endif
