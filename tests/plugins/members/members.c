/* Lives on "auth/1": takes part in every event of an account, adds to the profile, derives keys. */
#include <vv/auth.h>
#include <vv/plugin.h>

static int note(struct vv_request *req, struct vv_event *event)
{
    const struct vv_user_event *user = vv_event_user(event);
    struct vv_json *json = vv_object(req);

    /* Somebody of this name is not wanted: whatever it was is undone. */
    if (user->last_name != NULL && strcmp(user->last_name, "Unwanted") == 0)
        return vv_fail(req, 403, "unwanted", "You are not wanted here");
    vv_put(json, "event", VV_TEXT(event->name));
    vv_put(json, "user", VV_INT(user->user_id));
    vv_put(json, "email", VV_TEXT(user->email));
    vv_put(json, "old_email", VV_TEXT(user->old_email));
    vv_put(json, "first_name", VV_TEXT(user->first_name));
    vv_put(json, "verified", VV_BOOL(user->verified != 0));
    vv_put(json, "uid", VV_TEXT(user->uid));
    VV_TRY(vv_tx_exec(event->tx, "insert into members_events (what) values ($1)",
                      VV_JSON(vv_json_text(json))));
    if (event->reply != NULL)
        vv_put(event->reply, "welcome", VV_TEXT("from members"));
    return VV_NEXT;
}

static int key(struct vv_request *req)
{
    struct vv_json *json = vv_object(req);
    uint8_t bytes[40];

    VV_TRY(vv_auth()->derive_key(vv_param_text(req, "label"), bytes, sizeof bytes));
    vv_put(json, "key", VV_BYTES(bytes, sizeof bytes));
    vv_put(json, "caller", VV_INT(vv_caller_id(req)));
    return vv_reply(req, 200, json);
}

static const struct vv_field key_query[] = {
    VV_FIELD_TEXT("label", 1, 100, VV_REQUIRED, "What the key is for"),
    VV_END,
};

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "/members/key", VV_USER, key, .query = key_query, .summary = "Derives a key"),
    VV_END,
};

static const struct vv_hook hooks[] = {
    VV_HOOK("user.registered", VV_PRIORITY_NORMAL, note),
    VV_HOOK("user.verified", VV_PRIORITY_NORMAL, note),
    VV_HOOK("user.changed", VV_PRIORITY_NORMAL, note),
    VV_HOOK("user.disabled", VV_PRIORITY_NORMAL, note),
    VV_HOOK("user.enabled", VV_PRIORITY_NORMAL, note),
    VV_HOOK("user.deleted", VV_PRIORITY_NORMAL, note),
    VV_END,
};

static int members_init(struct vv_request *req)
{
    static const struct vv_profile_field fields[] = {
        {sizeof fields[0], "subscription_plan", "m.plan",
         "left join (select 'gold'::text as plan, 5::bigint as used) m on true"},
        {sizeof fields[0], "api_calls_used", "m.used",
         "left join (select 'gold'::text as plan, 5::bigint as used) m on true"},
        {sizeof fields[0], "initials", "left(u.first_name, 1) || left(u.last_name, 1)", NULL},
    };

    (void)req;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        VV_TRY(vv_auth()->profile_field(&fields[i]));
    return 0;
}

VV_PLUGIN(.name = "members", .version = "1", .summary = "Takes part in accounts",
          .depends = "auth/1", .routes = routes, .hooks = hooks, .init = members_init)
