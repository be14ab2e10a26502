/* API keys and what they may do: the table of contents of this plugin, and its start. */
#include "apikeys.h"

#include <vv/plugin.h>

#define HOUR INT64_C(3600000)

static const struct vv_option options[] = {
    VV_OPTION_TEXT(struct apikeys_conf, prefix, "vv_", 0,
                   "What new keys begin with: 1 to 16 of a-z and 0-9, then _"),
    VV_OPTION_INT(struct apikeys_conf, max_per_user, "10", 1, 10000, 0,
                  "How many keys one account may have that work"),
    VV_OPTION_LIST(struct apikeys_conf, service_tokens, NULL, VV_SECRET,
                   "Of back ends that validate keys: name:token each, 32 characters or more"),
    VV_OPTION_ENUM(struct apikeys_conf, authorize_over_limit, "403", "403|429", 0,
                   "What a proxy is told when a limit is reached: nginx passes only 403 on"),
    VV_OPTION_RATE(struct apikeys_conf, misses, "60/m", 0,
                   "Unknown keys that one network may try at /api-keys/authorize"),
    VV_END,
};

/* ---- what endpoints take and give -------------------------------------------------------------
 */

static const struct vv_field key_args[] = {
    VV_FIELD_INT("id", 1, INT64_MAX, VV_REQUIRED, "Of the key"),
    VV_END,
};

static const struct vv_field create_body[] = {
    VV_FIELD_TEXT("name", 1, APIKEYS_NAME_MAX, VV_REQUIRED | VV_TRIMMED | VV_ONE_LINE,
                  "What the key is for"),
    VV_FIELD_INT("expires_in_days", 1, APIKEYS_DAYS_MAX, VV_NULLABLE,
                 "After that it works no more; absent: it does not expire"),
    VV_END,
};

static const struct vv_field validate_body[] = {
    VV_FIELD_TEXT("api_key", 1, KEY_ASKED_MAX, VV_REQUIRED | VV_SECRET, "As the client showed it"),
    VV_FIELD_TEXT("endpoint", 1, VV_ENDPOINT_MAX, VV_NULLABLE | VV_ONE_LINE,
                  "What is called, for the history"),
    VV_FIELD_INT("cost", 1, VV_COST_MAX, 0, "What the call takes of the quota", .value = "1"),
    VV_END,
};

#define KEY_ROW                                                                             \
    VV_FIELD_INT("id", 0, 0, VV_REQUIRED, "Of the key"),                                    \
        VV_FIELD_TEXT("name", 0, 0, VV_REQUIRED, "What the key is for"),                    \
        VV_FIELD_TEXT("key_prefix", 0, 0, VV_REQUIRED,                                      \
                      "Its first characters, to recognise it by"),                          \
        VV_FIELD_BOOL("is_active", VV_REQUIRED, "It works: neither revoked nor expired"),   \
        VV_FIELD_TIME("last_used_at", VV_REQUIRED | VV_NULLABLE, "To the minute"),          \
        VV_FIELD_TIME("expires_at", VV_REQUIRED | VV_NULLABLE, "null: it does not expire"), \
        VV_FIELD_TIME("created_at", VV_REQUIRED, "Since when")

static const struct vv_field key_reply[] = {
    KEY_ROW,
    VV_FIELD_TEXT("api_key", 0, 0, VV_REQUIRED, "The key itself, shown this once"),
    VV_END,
};

static const struct vv_field regenerate_reply[] = {
    VV_FIELD_TEXT("api_key", 0, 0, VV_REQUIRED, "The only key that works from now on"),
    VV_FIELD_TIME("created_at", VV_REQUIRED, "Since when"),
    VV_END,
};

static const struct vv_field message_reply[] = {
    VV_FIELD_TEXT("message", 0, 0, VV_REQUIRED, "For a person"),
    VV_END,
};

static const struct vv_field usage_reply[] = {
    VV_FIELD_INT("used", 0, 0, VV_REQUIRED, "In this period, this call included"),
    VV_FIELD_INT("limit", 0, 0, VV_REQUIRED | VV_NULLABLE, "null: unlimited"),
    VV_FIELD_INT("remaining", 0, 0, VV_REQUIRED | VV_NULLABLE, "null: unlimited"),
    VV_FIELD_TIME("resets_at", VV_REQUIRED, "The next period begins"),
    VV_END,
};

static const struct vv_field validate_reply[] = {
    VV_FIELD_BOOL("valid", VV_REQUIRED, "true: the call may go ahead, and has been counted"),
    VV_FIELD_INT("user_id", 0, 0, VV_REQUIRED, "Whose key it is"),
    VV_FIELD_TEXT("email", 0, 0, VV_REQUIRED, "Their address"),
    VV_FIELD_INT("key_id", 0, 0, VV_REQUIRED, "Of the key"),
    VV_FIELD_TEXT("plan", 0, 0, VV_REQUIRED | VV_NULLABLE, "The plan's id; null: none"),
    VV_FIELD_TEXT("subscription_status", 0, 0, VV_REQUIRED, "\"none\" without one"),
    VV_FIELD_OBJECT("usage", usage_reply, VV_REQUIRED, "The quota"),
    VV_END,
};

static const struct vv_field authorize_reply[] = {
    VV_FIELD_BOOL("valid", VV_REQUIRED, "true; X-User-Id, X-Key-Id and X-Plan say whose it is"),
    VV_END,
};

/* Some proxies ask with their client's method; what it sent beside that is of no interest. */
#define AUTHORIZE_TOO(method)                                             \
    VV_ROUTE(method, "/api-keys/authorize", VV_KEY, apikeys_authorize,    \
             .flags = VV_SELF_IDENTIFIED | VV_RAW_BODY | VV_HIDDEN_ROUTE, \
             .reply = authorize_reply, .summary = "The same as GET, for Envoy")

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "/api-keys", VV_USER, apikeys_list,
             .summary = "The caller's keys, those of the last days that work no more included"),
    VV_ROUTE(VV_POST, "/api-keys", VV_USER, apikeys_post, .body = create_body, .reply = key_reply,
             .summary = "Makes a key"),
    VV_ROUTE(VV_DELETE, "/api-keys/{id}", VV_USER, apikeys_delete, .query = key_args,
             .reply = message_reply, .summary = "Revokes a key"),
    VV_ROUTE(VV_POST, "/api-keys/regenerate", VV_USER, apikeys_regenerate,
             .flags = VV_OPTIONAL_BODY, .reply = regenerate_reply,
             .summary = "Makes a key and revokes all others"),
    VV_ROUTE(VV_POST, "/api-keys/validate", VV_SERVICE, apikeys_validate, .body = validate_body,
             .reply = validate_reply, .summary = "Decides about a call of a key, and counts it"),
    VV_ROUTE(VV_GET, "/api-keys/authorize", VV_KEY, apikeys_authorize, .flags = VV_SELF_IDENTIFIED,
             .reply = authorize_reply, .summary = "The same decision, for a proxy"),
    AUTHORIZE_TOO(VV_POST),
    AUTHORIZE_TOO(VV_PUT),
    AUTHORIZE_TOO(VV_PATCH),
    AUTHORIZE_TOO(VV_DELETE),
    VV_END,
};

/* The usage plugin starts earlier, so its hooks of the same events have run. */
static const struct vv_hook hooks[] = {
    VV_HOOK("user.registered", VV_PRIORITY_NORMAL, apikeys_user_registered),
    VV_HOOK("user.deleted", VV_PRIORITY_NORMAL, apikeys_user_deleted),
    VV_HOOK("request.identify", VV_PRIORITY_NORMAL, apikeys_identify),
    VV_END,
};

static const struct vv_schedule schedules[] = {
    VV_SCHEDULE("apikeys.cleanup", HOUR, apikeys_cleanup),
    VV_END,
};

/* ---- start ------------------------------------------------------------------------------------
 */

static int apikeys_init(struct vv_request *req)
{
    static const struct vv_credential_source source = {
        .size = sizeof source,
        .sql = "select api_key as digest, id, user_id from api_keys"
               " where is_active and coalesce(expires_at > now(), true)",
    };

    if (!apikeys_prefix_valid(apikeys_conf()->prefix))
        return vv_fail(req, 500, "bad_prefix",
                       "[apikeys] prefix: '%s' must be 1 to 16 of a-z and 0-9, followed by _",
                       apikeys_conf()->prefix);
    VV_TRY(apikeys_services_setup(req));
    return vv_entitlements()->credentials(&source);
}

VV_PLUGIN(.name = "apikeys", .version = "0.1.0", .summary = "API keys, validated and counted",
          .depends = "auth/1, entitlements/1", .conf_size = sizeof(struct apikeys_conf),
          .options = options, .routes = routes, .hooks = hooks, .schedules = schedules,
          .commands = apikeys_commands, .checks = apikeys_checks, .init = apikeys_init,
          .start = apikeys_follow)
