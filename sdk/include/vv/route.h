/* Routes and the fields of their bodies, query strings and replies. */
#ifndef VV_ROUTE_H
#define VV_ROUTE_H

#include <vv/base.h>
#include <vv/option.h>

VV_BEGIN_C

enum vv_method {
    VV_GET = 1, /* HEAD is answered by the same handler, without the body */
    VV_POST = 2,
    VV_PUT = 3,
    VV_PATCH = 4,
    VV_DELETE = 5,
};

/* Who may call. A route that demands somebody is refused with 401 when no plugin's
 * "request.identify" hook names a caller of that kind. */
enum vv_who {
    VV_ANYONE = 0,
    VV_USER = 1,    /* Authorization: Bearer <token of a signed-in user> */
    VV_KEY = 2,     /* X-API-Key */
    VV_SERVICE = 3, /* a back end, with a bearer token from the configuration */
};

enum vv_field_type {
    VV_FIELD_TYPE_END = 0,
    VV_FIELD_TYPE_TEXT = 1,   /* min, max: characters (code points) */
    VV_FIELD_TYPE_INT = 2,    /* min, max: bounds */
    VV_FIELD_TYPE_REAL = 3,   /* min, max: bounds */
    VV_FIELD_TYPE_BOOL = 4,   /* true or false */
    VV_FIELD_TYPE_EMAIL = 5,  /* trimmed, at most 254 characters, of a form that can be mailed */
    VV_FIELD_TYPE_ENUM = 6,   /* one of choices "a|b|c" */
    VV_FIELD_TYPE_TIME = 7,   /* RFC 3339 */
    VV_FIELD_TYPE_OBJECT = 8, /* with `fields` */
    VV_FIELD_TYPE_ARRAY = 9,  /* of objects with `fields`, or of anything */
};

/* An element of a table of fields. Unknown members of a body are refused, and every bad field is
 * named in one answer (422). Text never holds a NUL. */
struct vv_field {
    uint32_t type;  /* enum vv_field_type */
    uint32_t flags; /* VV_REQUIRED, VV_TRIMMED, VV_ONE_LINE, VV_NULLABLE, VV_SECRET */
    const char *name;
    int64_t min, max;              /* see the type; 0, 0: none */
    const char *value;             /* default, as text; NULL = none */
    const char *choices;           /* ENUM */
    const struct vv_field *fields; /* OBJECT, ARRAY */
    const char *help;
};

typedef int vv_handler(struct vv_request *req);

enum vv_route_flag {
    VV_RAW_BODY = 1,      /* any content type, not parsed: read it with vv_body_bytes() */
    VV_OPTIONAL_BODY = 2, /* a request without a body is an empty object */
    VV_HIDDEN_ROUTE = 4,  /* left out of the OpenAPI document (an alias, a page) */
    /* since 0.3: `who` is for the documents and the challenge of a 401 alone: the handler finds out
     * by itself who calls, and refuses */
    VV_SELF_IDENTIFIED = 8,
};

/* An element of a table of routes. */
struct vv_route {
    uint32_t method;     /* enum vv_method */
    uint32_t who;        /* enum vv_who */
    uint32_t flags;      /* enum vv_route_flag */
    uint32_t deadline;   /* milliseconds for the whole request; 0 = the server's (30 s) */
    const char *pattern; /* "/notes/{id}": a {name} is one segment, never empty */
    vv_handler *handler;
    const struct vv_field *query; /* parameters of the query string and of the path */
    const struct vv_field *body;  /* members of the JSON object in the body */
    const struct vv_field *reply; /* for the OpenAPI document */
    const char *limit;            /* the key in [limits] of its rate; NULL: for routes of VV_USER
                                   * "user", else none */
    const char *summary;          /* one line for the OpenAPI document and --show-routes */
};

/* Of what a limit counts the calls. Both are exact over the workers of a machine. */
enum vv_limit_per {
    VV_PER_ADDRESS = 0, /* of a client's address (IPv6: of its /64), before it is known who calls */
    VV_PER_USER = 1,    /* of a user, once that is known; since 0.3 */
};

/* An element of a table of rate limits: a key of [limits], with its default. */
struct vv_limit {
    const char *name;
    const char *value; /* "30/m" or "off" */
    const char *help;
    uint32_t per; /* enum vv_limit_per; since 0.3 */
};

VV_END_C

/* VV_FIELD_TEXT("name", 1, 100, VV_REQUIRED, "What it is", .value = "default"): name, bounds,
 * flags, the help line, and whatever else is to be set. */
#define VV_FIELD_TEXT(name, min, max, bits, ...) \
    VV_FIELD_(VV_FIELD_TYPE_TEXT, name, min, max, bits, NULL, NULL, __VA_ARGS__)
#define VV_FIELD_INT(name, min, max, bits, ...) \
    VV_FIELD_(VV_FIELD_TYPE_INT, name, min, max, bits, NULL, NULL, __VA_ARGS__)
#define VV_FIELD_REAL(name, min, max, bits, ...) \
    VV_FIELD_(VV_FIELD_TYPE_REAL, name, min, max, bits, NULL, NULL, __VA_ARGS__)
#define VV_FIELD_BOOL(name, bits, ...) \
    VV_FIELD_(VV_FIELD_TYPE_BOOL, name, 0, 0, bits, NULL, NULL, __VA_ARGS__)
#define VV_FIELD_EMAIL(name, bits, ...) \
    VV_FIELD_(VV_FIELD_TYPE_EMAIL, name, 0, 0, bits, NULL, NULL, __VA_ARGS__)
#define VV_FIELD_TIME(name, bits, ...) \
    VV_FIELD_(VV_FIELD_TYPE_TIME, name, 0, 0, bits, NULL, NULL, __VA_ARGS__)
#define VV_FIELD_ENUM(name, choices, bits, ...) \
    VV_FIELD_(VV_FIELD_TYPE_ENUM, name, 0, 0, bits, choices, NULL, __VA_ARGS__)
#define VV_FIELD_OBJECT(name, fields, bits, ...) \
    VV_FIELD_(VV_FIELD_TYPE_OBJECT, name, 0, 0, bits, NULL, fields, __VA_ARGS__)
#define VV_FIELD_ARRAY(name, fields, bits, ...) \
    VV_FIELD_(VV_FIELD_TYPE_ARRAY, name, 0, 0, bits, NULL, fields, __VA_ARGS__)

#ifdef __cplusplus
template <typename... S>
VV_HIDDEN constexpr vv_field vv_field_(uint32_t type, const char *name, int64_t least, int64_t most,
                                       uint32_t flags, const char *choices, const vv_field *fields,
                                       const char *help, S... sets)
{
    vv_field element{};

    element.type = type;
    element.flags = flags;
    element.name = name;
    element.min = least;
    element.max = most;
    element.choices = choices;
    element.fields = fields;
    element.help = help;
    vv_set_all_(element, sets...);
    return element;
}
#define VV_FIELD_(field_type, label, least, most, bits, list, members, ...) \
    vv_field_(field_type, label, least, most, bits, list, members, __VA_ARGS__)
#else
#define VV_FIELD_(field_type, label, least, most, bits, list, members, ...)          \
    {                                                                                \
        .type = field_type, .name = label, .min = least, .max = most, .flags = bits, \
        .choices = list, .fields = members, .help = __VA_ARGS__                      \
    }
#endif

/* VV_ROUTE(VV_POST, "/notes", VV_USER, add_note, .body = note_fields, .summary = "Adds a note"):
 * method, pattern, who may call, handler, and at least a summary. */
#define VV_ROUTE(verb, path, caller, function, ...)                                         \
    VV_ELEMENT_(vv_route, VV_SET(method, verb), VV_SET(pattern, path), VV_SET(who, caller), \
                VV_SET(handler, function), __VA_ARGS__)

/* VV_LIMIT("contact", "5/m", "Messages of the contact form"), per client address */
#define VV_LIMIT(key, rate, line) \
    VV_ELEMENT_(vv_limit, VV_SET(name, key), VV_SET(value, rate), VV_SET(help, line))
/* VV_USER_LIMIT("exports", "5/h", "Exports of one user") */
#define VV_USER_LIMIT(key, rate, line)                                                \
    VV_ELEMENT_(vv_limit, VV_SET(name, key), VV_SET(value, rate), VV_SET(help, line), \
                VV_SET(per, VV_PER_USER))

#endif
