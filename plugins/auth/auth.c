/* Accounts with verified addresses: the table of contents of this plugin, and its start. */
#include "auth.h"
#include "password.h"

#include <vv/plugin.h>

#define MINUTE 60000
#define DAY    (24 * 60 * (int64_t)MINUTE)

static const struct vv_option options[] = {
    VV_OPTION_ENUM(struct auth_conf, jwt_algorithm, "HS256", "HS256|ES256|RS256|EdDSA", 0,
                   "How access tokens are signed"),
    VV_OPTION_TEXT(struct auth_conf, jwt_secret, NULL, VV_SECRET,
                   "For HS256: 32 bytes or more; make one with `openssl rand -base64 48`"),
    VV_OPTION_PATH(struct auth_conf, jwt_key_file, NULL, 0,
                   "For the others: a private key (PKCS #8 PEM)"),
    VV_OPTION_TEXT(struct auth_conf, jwt_secret_previous, NULL, VV_SECRET,
                   "The secret before this one: still checks, signs no more"),
    VV_OPTION_PATH(struct auth_conf, jwt_key_file_previous, NULL, 0,
                   "The key before this one: still checks, signs no more"),
    VV_OPTION_TEXT(struct auth_conf, issuer, NULL, 0,
                   "`iss` of access tokens; without it public_url"),
    VV_OPTION_TEXT(struct auth_conf, audience, NULL, 0,
                   "`aud` of access tokens; without it the issuer"),
    VV_OPTION_DURATION(struct auth_conf, access_token_ttl, "15m", 1000, DAY, 0,
                       "How long an access token lives"),
    VV_OPTION_DURATION(struct auth_conf, refresh_token_ttl, "30d", 1000, 400 * DAY, 0,
                       "How long a session lives that is not refreshed"),
    VV_OPTION_DURATION(struct auth_conf, verification_ttl, "24h", 1000, 30 * DAY, 0,
                       "How long the link that verifies an address works"),
    VV_OPTION_DURATION(struct auth_conf, reset_ttl, "1h", 1000, DAY, 0,
                       "How long the link that resets a password works"),
    VV_OPTION_INT(struct auth_conf, bcrypt_cost, "12", 4, 16, 0,
                  "Cost of password hashes: each step doubles it"),
    VV_OPTION_BOOL(struct auth_conf, require_verification, "true", 0,
                   "Whether addresses must be verified; off, every one counts as verified"),
    VV_END,
};

#define EMAIL VV_FIELD_EMAIL("email", VV_REQUIRED, "Letter case does not matter")
#define SECRET_FIELD(name, line) \
    VV_FIELD_TEXT(name, 1, AUTH_PASSWORD_MAX, VV_REQUIRED | VV_SECRET, line)
#define NEW_PASSWORD(name)                                                   \
    VV_FIELD_TEXT(                                                           \
        name, AUTH_PASSWORD_MIN, AUTH_PASSWORD_MAX, VV_REQUIRED | VV_SECRET, \
        "8 characters or more, at most 1,024 bytes, any Unicode; none that everybody tries first")
#define NAME(name, flags, line) VV_FIELD_TEXT(name, 1, 100, flags | VV_TRIMMED | VV_ONE_LINE, line)

static const struct vv_field register_fields[] = {
    EMAIL,
    NEW_PASSWORD("password"),
    NAME("first_name", VV_REQUIRED, "What to call the person"),
    NAME("last_name", VV_REQUIRED, "Family name"),
    VV_END,
};

static const struct vv_field login_fields[] = {
    EMAIL,
    SECRET_FIELD("password", "The account's password"),
    VV_END,
};

static const struct vv_field email_fields[] = {EMAIL, VV_END};

static const struct vv_field verify_fields[] = {
    SECRET_FIELD("token", "Out of the mail's link"),
    VV_END,
};

static const struct vv_field refresh_fields[] = {
    SECRET_FIELD("refresh_token", "The newest one of the session"),
    VV_END,
};

static const struct vv_field reset_fields[] = {
    SECRET_FIELD("token", "Out of the mail's link"),
    NEW_PASSWORD("password"),
    VV_END,
};

static const struct vv_field change_fields[] = {
    SECRET_FIELD("current_password", "The present password"),
    NEW_PASSWORD("new_password"),
    VV_END,
};

static const struct vv_field logout_fields[] = {
    VV_FIELD_BOOL("all", 0, "Ends every session, not only this one"),
    VV_END,
};

static const struct vv_field session_args[] = {
    VV_FIELD_INT("id", 1, INT64_MAX, VV_REQUIRED, "Of the session"),
    VV_END,
};

static const struct vv_field patch_fields[] = {
    NAME("first_name", 0, "What to call the person"),
    NAME("last_name", 0, "Family name"),
    VV_FIELD_EMAIL("email", 0, "Counts once it is verified; needs current_password"),
    VV_FIELD_TEXT("current_password", 1, AUTH_PASSWORD_MAX, VV_SECRET, "To change the address"),
    VV_END,
};

static const struct vv_field delete_fields[] = {
    SECRET_FIELD("password", "The account's password"),
    VV_END,
};

static const struct vv_field page_args[] = {
    VV_FIELD_TEXT("token", 0, 2048, 0, "Read by the page's script alone"),
    VV_END,
};

static const struct vv_field message_reply[] = {
    VV_FIELD_TEXT("message", 0, 0, VV_REQUIRED, "For a person"),
    VV_END,
};

static const struct vv_field register_reply[] = {
    VV_FIELD_TEXT("message", 0, 0, VV_REQUIRED, "For a person"),
    VV_FIELD_INT("user_id", 0, 0, VV_REQUIRED, "The account's id"),
    VV_FIELD_BOOL("email_verification_sent", VV_REQUIRED, "Whether a mail was queued"),
    VV_END,
};

static const struct vv_field user_reply[] = {
    VV_FIELD_INT("id", 0, 0, VV_REQUIRED, "The account's id"),
    VV_FIELD_TEXT("email", 0, 0, VV_REQUIRED, "Its address"),
    VV_FIELD_TEXT("first_name", 0, 0, VV_REQUIRED | VV_NULLABLE, "What to call the person"),
    VV_FIELD_TEXT("last_name", 0, 0, VV_REQUIRED | VV_NULLABLE, "Family name"),
    VV_FIELD_BOOL("email_verified", VV_REQUIRED, "Whether the address counts"),
    VV_FIELD_TIME("created_at", VV_REQUIRED, "Since when"),
    VV_FIELD_TIME("updated_at", VV_REQUIRED, "Last change"),
    VV_END,
};

static const struct vv_field login_reply[] = {
    VV_FIELD_TEXT("access_token", 0, 0, VV_REQUIRED, "For the Authorization header"),
    VV_FIELD_TEXT("token_type", 0, 0, VV_REQUIRED, "bearer"),
    VV_FIELD_INT("expires_in", 0, 0, VV_REQUIRED, "Seconds"),
    VV_FIELD_TEXT("refresh_token", 0, 0, VV_REQUIRED, "For one refresh"),
    VV_FIELD_INT("user_id", 0, 0, VV_REQUIRED, "The account's id"),
    VV_FIELD_BOOL("email_verified", VV_REQUIRED, "Whether the address counts"),
    VV_FIELD_OBJECT("user", user_reply, VV_REQUIRED, "The account"),
    VV_END,
};

static const struct vv_field profile_reply[] = {
    VV_FIELD_INT("id", 0, 0, VV_REQUIRED, "The account's id"),
    VV_FIELD_TEXT("email", 0, 0, VV_REQUIRED, "Its address"),
    VV_FIELD_TEXT("first_name", 0, 0, VV_REQUIRED | VV_NULLABLE, "What to call the person"),
    VV_FIELD_TEXT("last_name", 0, 0, VV_REQUIRED | VV_NULLABLE, "Family name"),
    VV_FIELD_BOOL("email_verified", VV_REQUIRED, "Whether the address counts"),
    VV_FIELD_TEXT("subscription_status", 0, 0, VV_REQUIRED, "\"none\" without one"),
    VV_FIELD_TEXT("subscription_plan", 0, 0, VV_REQUIRED | VV_NULLABLE, "Name of the plan"),
    VV_FIELD_TIME("subscription_end_date", VV_REQUIRED | VV_NULLABLE, "End of the paid period"),
    VV_FIELD_INT("api_calls_used", 0, 0, VV_REQUIRED, "In this period"),
    VV_FIELD_INT("api_calls_limit", 0, 0, VV_REQUIRED | VV_NULLABLE, "null: unlimited"),
    VV_FIELD_TIME("created_at", VV_REQUIRED, "Since when"),
    VV_FIELD_TIME("updated_at", VV_REQUIRED, "Last change"),
    VV_END,
};

#define LIMITED .limit = "auth"

static const struct vv_route routes[] = {
    VV_ROUTE(VV_POST, "/auth/register", VV_ANYONE, auth_register, .body = register_fields,
             .reply = register_reply, LIMITED, .summary = "Makes an account"),
    VV_ROUTE(VV_POST, "/auth/login", VV_ANYONE, auth_login, .body = login_fields,
             .reply = login_reply, LIMITED, .summary = "Begins a session"),
    VV_ROUTE(VV_POST, "/auth/refresh", VV_ANYONE, auth_refresh, .body = refresh_fields,
             .reply = login_reply, .summary = "Exchanges a refresh token for fresh ones"),
    VV_ROUTE(VV_POST, "/auth/logout", VV_USER, auth_logout, .flags = VV_OPTIONAL_BODY,
             .body = logout_fields, .reply = message_reply, .summary = "Ends sessions"),
    VV_ROUTE(VV_GET, "/auth/sessions", VV_USER, auth_sessions_list,
             .summary = "What is signed in, from where, since when"),
    VV_ROUTE(VV_DELETE, "/auth/sessions/{id}", VV_USER, auth_session_delete, .query = session_args,
             .reply = message_reply, .summary = "Ends one session"),
    VV_ROUTE(VV_POST, "/auth/verify-email", VV_ANYONE, auth_verify_email, .body = verify_fields,
             .reply = message_reply, LIMITED, .summary = "Verifies an address by its mail's token"),
    VV_ROUTE(VV_POST, "/auth/resend-verification", VV_ANYONE, auth_resend_verification,
             .body = email_fields, .reply = message_reply, LIMITED,
             .summary = "Mails another verification link"),
    VV_ROUTE(VV_POST, "/auth/forgot-password", VV_ANYONE, auth_forgot_password,
             .body = email_fields, .reply = message_reply, LIMITED,
             .summary = "Mails a link to reset the password"),
    VV_ROUTE(VV_POST, "/auth/reset-password", VV_ANYONE, auth_reset_password, .body = reset_fields,
             .reply = message_reply, LIMITED, .summary = "Sets a password by its mail's token"),
    VV_ROUTE(VV_POST, "/auth/change-password", VV_USER, auth_change_password, .body = change_fields,
             .reply = message_reply, .summary = "Sets a password; the other sessions end"),
    VV_ROUTE(VV_GET, "/profile", VV_USER, auth_profile_get, .reply = profile_reply,
             .summary = "The account, its subscription and its usage"),
    VV_ROUTE(VV_PATCH, "/profile", VV_USER, auth_profile_patch, .body = patch_fields,
             .reply = profile_reply, .summary = "Changes name or address"),
    VV_ROUTE(VV_DELETE, "/profile", VV_USER, auth_profile_delete, .body = delete_fields,
             .reply = message_reply, .summary = "Deletes the account and its data"),
    VV_ROUTE(VV_GET, "/auth/profile", VV_USER, auth_profile_get, .flags = VV_HIDDEN_ROUTE,
             .reply = profile_reply, .summary = "The same as /profile"),
    VV_ROUTE(VV_PATCH, "/auth/profile", VV_USER, auth_profile_patch, .flags = VV_HIDDEN_ROUTE,
             .body = patch_fields, .reply = profile_reply, .summary = "The same as /profile"),
    VV_ROUTE(VV_DELETE, "/auth/profile", VV_USER, auth_profile_delete, .flags = VV_HIDDEN_ROUTE,
             .body = delete_fields, .reply = message_reply, .summary = "The same as /profile"),
    VV_ROUTE(VV_GET, "/.well-known/jwks.json", VV_ANYONE, auth_jwks,
             .summary = "The public keys of access tokens"),
    VV_ROUTE(VV_GET, "/verify-email", VV_ANYONE, auth_page_verify, .flags = VV_HIDDEN_ROUTE,
             .query = page_args, .summary = "The page behind the verification link"),
    VV_ROUTE(VV_GET, "/reset-password", VV_ANYONE, auth_page_reset, .flags = VV_HIDDEN_ROUTE,
             .query = page_args, .summary = "The page behind the reset link"),
    VV_END,
};

static const struct vv_limit limits[] = {
    VV_LIMIT("auth", "30/m", "Registering, logging in, and what sends or takes mailed tokens"),
    VV_END,
};

static const struct vv_hook hooks[] = {
    VV_HOOK("request.identify", VV_PRIORITY_NORMAL, auth_identify),
    VV_END,
};

static const struct vv_schedule schedules[] = {
    VV_SCHEDULE("auth.cleanup", 10 * MINUTE, auth_cleanup),
    VV_END,
};

static int auth_init(struct vv_request *req)
{
    VV_TRY(auth_keys_load(req));
    VV_TRY(auth_identify_setup(req));
    VV_TRY(auth_mail_setup(req));
    VV_TRY(auth_pages_setup(req));
    if (auth_conf()->bcrypt_cost < 10)
        vv_log(req, VV_LOG_WARNING, "[auth] bcrypt_cost %lld is for tests: use 12",
               (long long)auth_conf()->bcrypt_cost);
    return vv_publish("auth/1", &auth_service.base);
}

VV_PLUGIN(.name = "auth", .version = "0.1.0", .summary = "Accounts with verified addresses",
          .depends = "mail/1?", .provides = "auth/1", .conf_size = sizeof(struct auth_conf),
          .options = options, .routes = routes, .limits = limits, .hooks = hooks,
          .schedules = schedules, .commands = auth_commands, .init = auth_init,
          .start = auth_revocations_follow)
