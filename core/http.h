/* HTTP: listeners, connections, the request's HTTP side, and what handlers ask of it. */
#ifndef VV_CORE_HTTP_H
#define VV_CORE_HTTP_H

#include "request.h"
#include <event2/util.h>

struct event_base;

/* Before the fork, as part of the setup: reads [server] tls_cert and tls_key. False: they do not
 * fit; the configuration's problems say why. */
bool vv_http_check_tls(void);
bool vv_http_check_proxies(void);

/* Once in each worker: prepares evhttp on the loop. */
void vv_http_init(struct event_base *base);

/* Serves an inherited, listening, non-blocking socket. `metrics` is the separate listener of
 * [metrics] listen, which serves nothing else. TLS by [server] tls_cert, tls_key. */
void vv_http_listen(evutil_socket_t fd, bool metrics);

/* Stops accepting, answers what is held with Connection: close, keeps idle connections until they
 * ask once more or the deadline comes; calls done() when no connection is left. */
void vv_http_drain(int64_t deadline, void (*done)(void));

/* While draining: no other generation follows, so idle connections are kept for half a second at
 * most.
 */
void vv_http_drain_idle(void);
void vv_http_free(void);

/* Requests being handled, and open connections, in this worker. */
unsigned vv_http_active(void);
unsigned vv_http_connections(void);

/* The host's functions of these names: see <vv/request.h>. */
const char *vv_http_info(struct vv_request *req, uint32_t what);
const char *vv_http_header(struct vv_request *req, const char *name);
const struct vv_value *vv_http_args(struct vv_request *req);
const struct vv_value *vv_http_body(struct vv_request *req);
const void *vv_http_body_bytes(struct vv_request *req, size_t *ret_length);
const struct vv_caller *vv_http_caller(struct vv_request *req);
int vv_http_set_caller(struct vv_request *req, const struct vv_caller *caller);
int vv_http_reply_header(struct vv_request *req, const char *name, const char *value);
int vv_http_reply(struct vv_request *req, uint32_t status, struct vv_json *json);
int vv_http_reply_bytes(struct vv_request *req, uint32_t status, const char *content_type,
                        const void *data, size_t length);

#endif
