/* The OpenAPI 3.1 document, made from the tables of routes that are loaded. */
#include "openapi.h"

#include "config.h"
#include "http.h"
#include "json.h"
#include "plugin.h"
#include "router.h"

static void openapi_fields(struct vv_json *json, const struct vv_field *fields, bool closed);

static void openapi_type(struct vv_json *json, const struct vv_field *field)
{
    static const char *const types[] = {"object", "string", "integer", "number", "boolean",
                                        "string", "string", "string",  "object", "array"};
    const char *type = types[field->type < VV_ARRAY_SIZE(types) ? field->type : 0];

    if (!(field->flags & VV_NULLABLE)) {
        vv_json_put(json, "type", VV_TEXT(type));
        return;
    }
    vv_json_open(json, "type", VV_JSON_ARRAY);
    vv_json_put(json, NULL, VV_TEXT(type));
    vv_json_put(json, NULL, VV_TEXT("null"));
    vv_json_close(json);
}

static void openapi_bounds(struct vv_json *json, const struct vv_field *field)
{
    static const char *const names[][2] = {
        [VV_FIELD_TYPE_TEXT] = {"minLength", "maxLength"},
        [VV_FIELD_TYPE_INT] = {"minimum", "maximum"},
        [VV_FIELD_TYPE_REAL] = {"minimum", "maximum"},
        [VV_FIELD_TYPE_ARRAY] = {"minItems", "maxItems"},
    };
    bool number = field->type == VV_FIELD_TYPE_INT || field->type == VV_FIELD_TYPE_REAL;

    if (field->type >= VV_ARRAY_SIZE(names) || names[field->type][0] == NULL ||
        (field->min == 0 && field->max == 0))
        return;
    if (number || field->min > 0)
        vv_json_put(json, names[field->type][0], VV_INT(field->min));
    if (number || field->max > 0)
        vv_json_put(json, names[field->type][1], VV_INT(field->max));
}

static void openapi_choices(struct vv_json *json, const struct vv_field *field)
{
    const char *at = field->choices;

    vv_json_open(json, "enum", VV_JSON_ARRAY);
    while (at != NULL) {
        size_t length = strcspn(at, "|");

        vv_json_put(json, NULL, VV_TEXT_N(at, length));
        at = at[length] == '|' ? at + length + 1 : NULL;
    }
    if (field->flags & VV_NULLABLE)
        vv_json_put(json, NULL, VV_NULL());
    vv_json_close(json);
}

static void openapi_default(struct vv_json *json, const struct vv_field *field)
{
    if (field->value == NULL)
        return;
    if (field->type == VV_FIELD_TYPE_INT || field->type == VV_FIELD_TYPE_REAL ||
        field->type == VV_FIELD_TYPE_BOOL)
        vv_json_put(json, "default", VV_JSON(field->value));
    else
        vv_json_put(json, "default", VV_TEXT(field->value));
}

/* The members of a field's schema, into the open object. `closed`: unknown members are refused. */
static void openapi_schema(struct vv_json *json, const struct vv_field *field, bool closed)
{
    openapi_type(json, field);
    openapi_bounds(json, field);
    openapi_default(json, field);
    if (field->help != NULL)
        vv_json_put(json, "description", VV_TEXT(field->help));
    if (field->flags & VV_SECRET)
        vv_json_put(json, "format", VV_TEXT("password"));
    switch (field->type) {
    case VV_FIELD_TYPE_EMAIL:
        vv_json_put(json, "format", VV_TEXT("email"));
        vv_json_put(json, "maxLength", VV_INT(254));
        break;
    case VV_FIELD_TYPE_TIME:
        vv_json_put(json, "format", VV_TEXT("date-time"));
        break;
    case VV_FIELD_TYPE_ENUM:
        openapi_choices(json, field);
        break;
    case VV_FIELD_TYPE_OBJECT:
        openapi_fields(json, field->fields, closed);
        break;
    case VV_FIELD_TYPE_ARRAY:
        vv_json_open(json, "items", VV_JSON_OBJECT);
        if (field->fields != NULL) {
            vv_json_put(json, "type", VV_TEXT("object"));
            openapi_fields(json, field->fields, closed);
        }
        vv_json_close(json);
        break;
    default:
        break;
    }
}

static void openapi_fields(struct vv_json *json, const struct vv_field *fields, bool closed)
{
    const struct vv_field *field;
    bool required = false;

    if (fields == NULL)
        return;
    vv_json_open(json, "properties", VV_JSON_OBJECT);
    for (field = fields; field->type != VV_FIELD_TYPE_END; field++) {
        vv_json_open(json, field->name, VV_JSON_OBJECT);
        openapi_schema(json, field, closed);
        vv_json_close(json);
        required = required || (field->flags & VV_REQUIRED);
    }
    vv_json_close(json);
    if (required) {
        vv_json_open(json, "required", VV_JSON_ARRAY);
        for (field = fields; field->type != VV_FIELD_TYPE_END; field++) {
            if (field->flags & VV_REQUIRED)
                vv_json_put(json, NULL, VV_TEXT(field->name));
        }
        vv_json_close(json);
    }
    if (closed)
        vv_json_put(json, "additionalProperties", VV_BOOL(false));
}

/* "content": {TYPE: {"schema": {"type": "object", ...}}} */
static void openapi_content(struct vv_json *json, const char *type, const struct vv_field *fields,
                            bool closed)
{
    vv_json_open(json, "content", VV_JSON_OBJECT);
    vv_json_open(json, type, VV_JSON_OBJECT);
    if (fields != NULL) {
        vv_json_open(json, "schema", VV_JSON_OBJECT);
        vv_json_put(json, "type", VV_TEXT("object"));
        openapi_fields(json, fields, closed);
        vv_json_close(json);
    }
    vv_json_close(json);
    vv_json_close(json);
}

static bool openapi_in_path(const char *pattern, const char *name)
{
    size_t length = strlen(name);
    const char *at = pattern;

    while ((at = strchr(at, '{')) != NULL) {
        at++;
        if (strncmp(at, name, length) == 0 && at[length] == '}')
            return true;
    }
    return false;
}

static void openapi_parameter(struct vv_json *json, const char *name, bool path,
                              const struct vv_field *field)
{
    vv_json_open(json, NULL, VV_JSON_OBJECT);
    vv_json_put(json, "name", VV_TEXT(name));
    vv_json_put(json, "in", VV_TEXT(path ? "path" : "query"));
    if (path || (field->flags & VV_REQUIRED))
        vv_json_put(json, "required", VV_BOOL(true));
    if (field != NULL && field->help != NULL)
        vv_json_put(json, "description", VV_TEXT(field->help));
    vv_json_open(json, "schema", VV_JSON_OBJECT);
    if (field != NULL)
        openapi_schema(json, field, false);
    else
        vv_json_put(json, "type", VV_TEXT("string"));
    vv_json_close(json);
    vv_json_close(json);
}

/* What the table of arguments describes, and what of the path it does not. */
static void openapi_parameters(struct vv_request *req, struct vv_json *json,
                               const struct vv_route *route)
{
    const struct vv_field *field, *known;
    const char *at = route->pattern;

    vv_json_open(json, "parameters", VV_JSON_ARRAY);
    for (field = route->query; field != NULL && field->type != VV_FIELD_TYPE_END; field++)
        openapi_parameter(json, field->name, openapi_in_path(route->pattern, field->name), field);
    while ((at = strchr(at, '{')) != NULL) {
        const char *name = vv_arena_strndup(req->arena, at + 1, strcspn(at + 1, "}"));

        known = route->query;
        while (known != NULL && known->type != VV_FIELD_TYPE_END && strcmp(known->name, name) != 0)
            known++;
        if (known == NULL || known->type == VV_FIELD_TYPE_END)
            openapi_parameter(json, name, true, NULL);
        at++;
    }
    vv_json_close(json);
}

static void openapi_problem(struct vv_json *json, const char *status, const char *what)
{
    vv_json_open(json, status, VV_JSON_OBJECT);
    vv_json_put(json, "description", VV_TEXT(what));
    vv_json_put(json, "content",
                VV_JSON("{\"application/problem+json\":{\"schema\":"
                        "{\"$ref\":\"#/components/schemas/Problem\"}}}"));
    vv_json_close(json);
}

static void openapi_responses(struct vv_json *json, const struct vv_route_entry *entry)
{
    const struct vv_route *route = entry->route;

    vv_json_open(json, "responses", VV_JSON_OBJECT);
    vv_json_open(json, "200", VV_JSON_OBJECT);
    vv_json_put(json, "description", VV_TEXT("Success"));
    if (route->reply != NULL)
        openapi_content(json, "application/json", route->reply, false);
    vv_json_close(json);
    if (route->who != VV_ANYONE)
        openapi_problem(json, "401", "The credentials are missing or not valid");
    if (route->query != NULL || route->body != NULL)
        openapi_problem(json, "422", "Some fields are not right; each is named");
    if (entry->limits[VV_PER_ADDRESS].name != NULL || entry->limits[VV_PER_USER].name != NULL)
        openapi_problem(json, "429", "Too many requests; Retry-After says when");
    openapi_problem(json, "4XX", "The request was refused");
    openapi_problem(json, "5XX", "The server could not answer");
    vv_json_close(json);
}

static void openapi_security(struct vv_json *json, uint32_t who)
{
    static const char *const schemes[] = {NULL, "user", "key", "service"};

    vv_json_open(json, "security", VV_JSON_ARRAY);
    if (who > VV_ANYONE && who < VV_ARRAY_SIZE(schemes)) {
        vv_json_open(json, NULL, VV_JSON_OBJECT);
        vv_json_open(json, schemes[who], VV_JSON_ARRAY);
        vv_json_close(json);
        vv_json_close(json);
    }
    vv_json_close(json);
}

/* "post_notes_id": unique, as the router's table is. */
static const char *openapi_id(struct vv_request *req, const struct vv_route *route)
{
    char *id = vv_arena_printf(req->arena, "%s%s", vv_method_name(route->method), route->pattern);
    char *c, *out = id;

    for (c = id; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *out++ = (char)(*c | 0x20);
        else if ((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9'))
            *out++ = *c;
        else if (*c != '}' && out > id && out[-1] != '_')
            *out++ = '_';
    }
    *out = '\0';
    return id;
}

static void openapi_operation(struct vv_request *req, struct vv_json *json,
                              const struct vv_route_entry *entry)
{
    static const char *const methods[] = {"", "get", "post", "put", "patch", "delete"};
    const struct vv_route *route = entry->route;
    bool raw = route->flags & VV_RAW_BODY;

    vv_json_open(json, methods[route->method], VV_JSON_OBJECT);
    vv_json_put(json, "operationId", VV_TEXT(openapi_id(req, route)));
    vv_json_open(json, "tags", VV_JSON_ARRAY);
    vv_json_put(json, NULL, VV_TEXT(entry->plugin == NULL ? "core" : entry->plugin->name));
    vv_json_close(json);
    if (route->summary != NULL)
        vv_json_put(json, "summary", VV_TEXT(route->summary));
    openapi_security(json, route->who);
    openapi_parameters(req, json, route);
    if (raw || route->body != NULL) {
        vv_json_open(json, "requestBody", VV_JSON_OBJECT);
        vv_json_put(json, "required", VV_BOOL(!(route->flags & VV_OPTIONAL_BODY)));
        openapi_content(json, raw ? "*/*" : "application/json", route->body, true);
        vv_json_close(json);
    }
    openapi_responses(json, entry);
    vv_json_close(json);
}

static bool openapi_shown(const struct vv_route_entry *entry)
{
    return !(entry->route->flags & VV_HIDDEN_ROUTE);
}

/* Routes of one pattern stand together, where the first of them is in the table. */
static void openapi_paths(struct vv_request *req, struct vv_json *json)
{
    size_t count, i, k;
    const struct vv_route_entry *entries = vv_router_entries(&count);

    vv_json_open(json, "paths", VV_JSON_OBJECT);
    for (i = 0; i < count; i++) {
        const char *pattern = entries[i].route->pattern;

        for (k = 0; k < i; k++) {
            if (openapi_shown(&entries[k]) && strcmp(entries[k].route->pattern, pattern) == 0)
                break;
        }
        if (k < i || !openapi_shown(&entries[i]))
            continue;
        vv_json_open(json, pattern, VV_JSON_OBJECT);
        for (k = i; k < count; k++) {
            if (openapi_shown(&entries[k]) && strcmp(entries[k].route->pattern, pattern) == 0)
                openapi_operation(req, json, &entries[k]);
        }
        vv_json_close(json);
    }
    vv_json_close(json);
}

static const struct vv_field openapi_error_fields[] = {
    VV_FIELD_TEXT("field", 0, 0, VV_REQUIRED, "Its name, as in items[0].name"),
    VV_FIELD_TEXT("detail", 0, 0, VV_REQUIRED, "What is wrong with it"),
    VV_END,
};

static const struct vv_field openapi_problem_fields[] = {
    VV_FIELD_TEXT("type", 0, 0, VV_REQUIRED, "about:blank: the code says it"),
    VV_FIELD_TEXT("title", 0, 0, VV_REQUIRED, "What the status means"),
    VV_FIELD_INT("status", 400, 599, VV_REQUIRED, "The status of the answer"),
    VV_FIELD_TEXT("detail", 0, 0, VV_REQUIRED, "A sentence for a person"),
    VV_FIELD_TEXT("code", 0, 0, VV_REQUIRED, "A stable name for programs"),
    VV_FIELD_TEXT("request_id", 0, 0, VV_REQUIRED, "As in X-Request-Id and in the log"),
    VV_FIELD_ARRAY("errors", openapi_error_fields, 0, "Each bad field, with 422"),
    VV_END,
};

static void openapi_components(struct vv_json *json)
{
    vv_json_open(json, "components", VV_JSON_OBJECT);
    vv_json_open(json, "schemas", VV_JSON_OBJECT);
    vv_json_open(json, "Problem", VV_JSON_OBJECT);
    vv_json_put(json, "type", VV_TEXT("object"));
    vv_json_put(json, "description", VV_TEXT("RFC 9457"));
    openapi_fields(json, openapi_problem_fields, false);
    vv_json_close(json);
    vv_json_close(json);
    vv_json_put(json, "securitySchemes",
                VV_JSON("{\"user\":{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":"
                        "\"JWT\",\"description\":\"The token of a signed-in user\"},"
                        "\"key\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"X-API-Key\"},"
                        "\"service\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":"
                        "\"A token for other back ends, from the configuration\"}}"));
    vv_json_close(json);
}

static void openapi_tags(struct vv_json *json)
{
    size_t i;

    vv_json_open(json, "tags", VV_JSON_ARRAY);
    vv_json_put(json, NULL, VV_JSON("{\"name\":\"core\",\"description\":\"The server itself\"}"));
    for (i = 0; i < vv_plugins->enabled_count; i++) {
        const struct vv_self *plugin = vv_plugins->all[i];

        if (plugin->route_count == 0)
            continue;
        vv_json_open(json, NULL, VV_JSON_OBJECT);
        vv_json_put(json, "name", VV_TEXT(plugin->name));
        if (plugin->descriptor.summary != NULL)
            vv_json_put(json, "description", VV_TEXT(plugin->descriptor.summary));
        vv_json_close(json);
    }
    vv_json_close(json);
}

int vv_openapi_document(struct vv_request *req)
{
    struct vv_json *json = vv_json_new(req, VV_JSON_OBJECT);
    const char *url = vv_config->server.public_url;

    vv_json_put(json, "openapi", VV_TEXT("3.1.0"));
    vv_json_open(json, "info", VV_JSON_OBJECT);
    vv_json_put(json, "title", VV_TEXT("vvserver"));
    vv_json_put(json, "version", VV_TEXT(VV_VERSION));
    vv_json_put(json, "description", VV_TEXT("What the plugins of this server offer."));
    vv_json_close(json);
    vv_json_open(json, "servers", VV_JSON_ARRAY);
    vv_json_open(json, NULL, VV_JSON_OBJECT);
    vv_json_put(json, "url", VV_TEXT(url == NULL || url[0] == '\0' ? "/" : url));
    vv_json_close(json);
    vv_json_close(json);
    openapi_tags(json);
    openapi_paths(req, json);
    openapi_components(json);
    return vv_http_reply(req, 200, json);
}
