/* JSON: a writer that appends to a buffer, and a reader over json-c. */
#ifndef VV_CORE_JSON_H
#define VV_CORE_JSON_H

#include "request.h"

/* The host's functions of these names: see <vv/json.h>. */
struct vv_json *vv_json_new(struct vv_request *req, uint32_t kind);
void vv_json_put(struct vv_json *json, const char *name, struct vv_param value);
void vv_json_open(struct vv_json *json, const char *name, uint32_t kind);
void vv_json_close(struct vv_json *json);
const char *vv_json_finish(struct vv_json *json, size_t *ret_length);

/* Strict: RFC 8259, UTF-8, no duplicate keys, nothing after the value, at most 32 levels. On
 * VV_EINVAL `ret_why` (may be NULL) gets a static sentence. */
int vv_json_parse(struct vv_request *req, const char *text, size_t length,
                  const struct vv_value **ret_value, const char **ret_why);
int vv_json_parse_host(struct vv_request *req, const char *text, size_t length,
                       const struct vv_value **ret_value);
uint32_t vv_value_kind(const struct vv_value *value);
size_t vv_value_length(const struct vv_value *value);
const struct vv_value *vv_value_member(const struct vv_value *value, const char *name);
const struct vv_value *vv_value_element(const struct vv_value *value, size_t index);
struct vv_param vv_value_scalar(const struct vv_value *value);
const char *vv_value_text(struct vv_request *req, const struct vv_value *value);

#endif
