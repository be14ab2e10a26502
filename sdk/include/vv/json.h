/* JSON: writing it member by member, and reading what was parsed. */
#ifndef VV_JSON_H
#define VV_JSON_H

#include <vv/request.h>

VV_BEGIN_C

/* ---- writing ----------------------------------------------------------------------------------
 */

/* A new, open object. Lives until the request ends. */
static inline struct vv_json *vv_object(struct vv_request *req)
{
    return vv_host->json_new(req, VV_JSON_OBJECT);
}

/* A new, open array. */
static inline struct vv_json *vv_array(struct vv_request *req)
{
    return vv_host->json_new(req, VV_JSON_ARRAY);
}

/* Adds a member: vv_put(json, "id", VV_INT(7)). In an array the name is NULL. VV_TIME is written in
 * RFC 3339 with a Z, VV_BYTES in base64url; the name is copied. */
static inline void vv_put(struct vv_json *json, const char *name, struct vv_param value)
{
    vv_host->json_put(json, name, value);
}

/* Opens an object or an array inside; vv_close() ends it. */
static inline void vv_open_object(struct vv_json *json, const char *name)
{
    vv_host->json_open(json, name, VV_JSON_OBJECT);
}

static inline void vv_open_array(struct vv_json *json, const char *name)
{
    vv_host->json_open(json, name, VV_JSON_ARRAY);
}

static inline void vv_close(struct vv_json *json)
{
    vv_host->json_close(json);
}

/* The text, with everything open closed; nothing can be added after that. Request. */
static inline const char *vv_json_text(struct vv_json *json)
{
    return vv_host->json_text(json, NULL);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

/* Parses a JSON text (UTF-8, no duplicate keys, at most 32 levels). VV_EINVAL: it is not. */
VV_MUST_CHECK static inline int vv_parse(struct vv_request *req, const char *text, size_t length,
                                         const struct vv_value **ret_value)
{
    return vv_host->parse(req, text, length, ret_value);
}

/* A member of an object; NULL when it is not there, or `value` is no object. */
static inline const struct vv_value *vv_get(const struct vv_value *value, const char *name)
{
    return vv_host->value_get(value, name);
}

/* An element of an array; NULL past its end. */
static inline const struct vv_value *vv_at(const struct vv_value *value, size_t index)
{
    return vv_host->value_at(value, index);
}

/* Elements of an array, members of an object; else 0. */
static inline size_t vv_count(const struct vv_value *value)
{
    return vv_host->value_count(value);
}

/* The value as a parameter: NULL, BOOL, INT, REAL or TEXT; objects and arrays are NULL. Borrowed.
 */
static inline struct vv_param vv_value_param(const struct vv_value *value)
{
    return vv_host->value_param(value);
}

/* The text of a member; NULL when it is absent or no text. Borrowed. */
static inline const char *vv_get_text(const struct vv_value *value, const char *name)
{
    struct vv_param param = vv_host->value_param(vv_get(value, name));

    return param.type == VV_TYPE_TEXT ? (const char *)param.data : NULL;
}

/* The integer of a member; `otherwise` when it is absent or no integer. */
static inline int64_t vv_get_int(const struct vv_value *value, const char *name, int64_t otherwise)
{
    struct vv_param param = vv_host->value_param(vv_get(value, name));

    return param.type == VV_TYPE_INT ? param.integer : otherwise;
}

static inline bool vv_get_bool(const struct vv_value *value, const char *name, bool otherwise)
{
    struct vv_param param = vv_host->value_param(vv_get(value, name));

    return param.type == VV_TYPE_BOOL ? param.integer != 0 : otherwise;
}

/* Whether the member is there, null included. */
static inline bool vv_has(const struct vv_value *value, const char *name)
{
    return vv_get(value, name) != NULL;
}

/* A value as JSON text. Request. */
static inline const char *vv_value_json(struct vv_request *req, const struct vv_value *value)
{
    return vv_host->value_json(req, value);
}

/* Members of the body and parameters of path and query, as their schema types them. */
static inline const char *vv_body_text(struct vv_request *req, const char *name)
{
    return vv_get_text(vv_body(req), name);
}

static inline int64_t vv_body_int(struct vv_request *req, const char *name)
{
    return vv_get_int(vv_body(req), name, 0);
}

static inline bool vv_body_bool(struct vv_request *req, const char *name)
{
    return vv_get_bool(vv_body(req), name, false);
}

static inline bool vv_body_has(struct vv_request *req, const char *name)
{
    return vv_has(vv_body(req), name);
}

static inline const char *vv_param_text(struct vv_request *req, const char *name)
{
    return vv_get_text(vv_args(req), name);
}

static inline int64_t vv_param_int(struct vv_request *req, const char *name)
{
    return vv_get_int(vv_args(req), name, 0);
}

/* Replies {"message": "..."} with 200. */
static inline int vv_reply_message(struct vv_request *req, const char *message)
{
    struct vv_json *json = vv_object(req);

    vv_put(json, "message", VV_TEXT(message));
    return vv_reply(req, 200, json);
}

VV_END_C

#endif
