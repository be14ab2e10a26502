/* A guest book: one table, two routes, one hook, one mail. */
#include <inttypes.h>
#include <vv/auth.h>
#include <vv/mail.h>
#include <vv/plugin.h>

struct conf {
    int64_t max_length;
    const char *moderator;
};

static int list_entries(struct vv_request *req)
{
    struct vv_rows *rows;

    VV_TRY(vv_query(req, &rows,
                    "select id, author, body, created_at from guestbook order by id desc limit $1",
                    VV_INT(vv_param_int(req, "limit"))));
    return vv_reply_rows(req, 200, "entries", rows);
}

static int add_entry(struct vv_request *req)
{
    const struct conf *conf = vv_conf();
    const char *body = vv_body_text(req, "body"); /* checked against entry_fields before we run */
    struct vv_json *variables = vv_object(req);
    struct vv_mail_message mail;
    struct vv_rows *rows;
    struct vv_tx *tx;

    if ((int64_t)strlen(body) > conf->max_length)
        return vv_fail(req, 422, "too_long", "At most %" PRId64 " bytes, please", conf->max_length);
    vv_put(variables, "body", VV_TEXT(body));
    mail = VV_MAIL(conf->moderator, "guestbook/entry", vv_json_text(variables));

    VV_TRY(vv_begin(req, &tx)); /* rolled back when the handler returns without a commit */
    VV_TRY(vv_tx_query(tx, &rows,
                       "insert into guestbook (author, body) values ($1, $2)"
                       " returning id, author, body, created_at",
                       VV_INT(vv_caller_id(req)), VV_TEXT(body)));
    VV_TRY(vv_mail()->send(tx, &mail));
    VV_TRY(vv_commit(tx)); /* the row and the mail, or neither */
    return vv_reply_row(req, 200, rows, 0);
}

/* Takes part in the deletion's own transaction. */
static int forget_user(struct vv_request *req, struct vv_event *event)
{
    (void)req;
    return vv_tx_exec(event->tx, "delete from guestbook where author = $1",
                      VV_INT(vv_event_user(event)->user_id));
}

static const struct vv_option options[] = {
    VV_OPTION_INT(struct conf, max_length, "2000", 1, 100000, 0, "Longest entry, in bytes"),
    VV_OPTION_TEXT(struct conf, moderator, NULL, VV_REQUIRED, "Who is told about new entries"),
    VV_END,
};

static const struct vv_field entry_fields[] = {
    VV_FIELD_TEXT("body", 1, 100000, VV_REQUIRED, "What to say"),
    VV_END,
};

static const struct vv_field list_fields[] = {
    VV_FIELD_INT("limit", 1, 100, 0, "How many", .value = "20"),
    VV_END,
};

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "/guestbook", VV_ANYONE, list_entries, .query = list_fields,
             .summary = "The latest entries"),
    VV_ROUTE(VV_POST, "/guestbook", VV_USER, add_entry, .body = entry_fields,
             .summary = "Signs the guest book"),
    VV_END,
};

static const struct vv_hook hooks[] = {
    VV_HOOK("user.deleted", VV_PRIORITY_NORMAL, forget_user),
    VV_END,
};

VV_PLUGIN(.name = "guestbook", .version = "1.0.0", .summary = "A guest book for signed-in users",
          .depends = "auth/1, mail/1", .conf_size = sizeof(struct conf), .options = options,
          .routes = routes, .hooks = hooks)
