/* Sends any message through the service mail/1, so that tests can reach it over HTTP. */
#include <vv/mail.h>
#include <vv/plugin.h>

static int send_mail(struct vv_request *req)
{
    struct vv_mail_message message = VV_MAIL(vv_body_text(req, "to"), vv_body_text(req, "template"),
                                             vv_body_text(req, "variables"));
    struct vv_tx *tx;

    message.to_name = vv_body_text(req, "to_name");
    message.user_id = vv_body_int(req, "user_id");
    message.unique = vv_body_text(req, "unique");
    VV_TRY(vv_begin(req, &tx));
    VV_TRY(vv_mail()->send(tx, &message));
    if (vv_body_bool(req, "roll_back"))
        VV_TRY(vv_rollback(tx));
    else
        VV_TRY(vv_commit(tx));
    return vv_reply_message(req, "queued");
}

static int forget_user(struct vv_request *req)
{
    struct vv_tx *tx;

    VV_TRY(vv_begin(req, &tx));
    VV_TRY(vv_mail()->forget(tx, vv_param_int(req, "user_id")));
    VV_TRY(vv_commit(tx));
    return vv_reply_message(req, "forgotten");
}

static const struct vv_field send_body[] = {
    VV_FIELD_TEXT("to", 1, 1000, VV_REQUIRED, "Address"),
    VV_FIELD_TEXT("to_name", 1, 1000, VV_NULLABLE, "Name"),
    VV_FIELD_TEXT("template", 1, 100, VV_REQUIRED, "Template"),
    VV_FIELD_TEXT("variables", 2, 10000, VV_REQUIRED, "What it needs, as a JSON text"),
    VV_FIELD_INT("user_id", 0, 1000000, 0, "Whose"),
    VV_FIELD_TEXT("unique", 1, 100, VV_NULLABLE, "Name"),
    VV_FIELD_BOOL("roll_back", 0, "Whether the transaction fails"),
    VV_END,
};

static const struct vv_field forget_query[] = {
    VV_FIELD_INT("user_id", 1, 1000000, VV_REQUIRED, "Whose"),
    VV_END,
};

static const struct vv_route routes[] = {
    VV_ROUTE(VV_POST, "/mailtest", VV_ANYONE, send_mail, VV_SET(body, send_body),
             VV_SET(summary, "Sends a message")),
    VV_ROUTE(VV_DELETE, "/mailtest/{user_id}", VV_ANYONE, forget_user, VV_SET(query, forget_query),
             VV_SET(summary, "Forgets a user's messages")),
    VV_END,
};

VV_PLUGIN(.name = "mailtest", .version = "1.0.0", .summary = "Sends messages for tests",
          .depends = "mail/1", .routes = routes)
