/* Outgoing HTTP: libcurl's multi interface on the loop of this process. */
#ifndef VV_CORE_OUTGOING_H
#define VV_CORE_OUTGOING_H

#include "request.h"
#include <vv/http.h>

struct event_base;

/* After the fork; nothing is connected before the first call. */
void vv_outgoing_init(struct event_base *base);

/* Ends every call with VV_EUNAVAILABLE and closes the connections. */
void vv_outgoing_stop(void);

/* The host's functions: see <vv/http.h>. */
int vv_outgoing_call(struct vv_self *self, struct vv_request *req, const struct vv_http_call *call,
                     struct vv_http_answer **ret_answer);
uint32_t vv_outgoing_status(const struct vv_http_answer *answer);
const char *vv_outgoing_body(const struct vv_http_answer *answer, size_t *ret_length);
const char *vv_outgoing_header(const struct vv_http_answer *answer, const char *name);

#endif
