/* `vvctl user ...`: looking at accounts, and the few things an operator does to one. */
#include "auth.h"

#include <stdlib.h>
#include <string.h>

#define LIST_MAX 100

/* The account that an argument names by its id or its address. */
static int command_find(struct vv_request *req, int argc, const char *const *argv,
                        struct auth_user *ret_user)
{
    struct vv_rows *rows;

    if (argc != 1)
        return vv_fail(req, 400, "usage", "Name one account, by its address or its id");
    VV_TRY(vv_query(req, &rows,
                    "select " AUTH_USER_COLUMNS " from users u"
                    " where lower(u.email) = lower($1) or u.id::text = $1",
                    VV_TEXT(argv[0])));
    if (vv_rows_count(rows) == 0)
        return vv_fail(req, 404, "unknown_user", "There is no account %s", argv[0]);
    auth_user_read(rows, 0, ret_user);
    return 0;
}

static int command_list(struct vv_request *req, int argc, const char *const *argv)
{
    struct vv_rows *rows;

    if (argc > 1)
        return vv_fail(req, 400, "usage", "One part of an address at most");
    VV_TRY(vv_query_slow(req, &rows,
                         "select id::text, email, email_verified, disabled_at is not null as"
                         " disabled, to_char(created_at at time zone 'UTC', 'YYYY-MM-DD') as since"
                         " from users where $1::text is null or strpos(lower(email), lower($1)) > 0"
                         " order by id desc limit $2",
                         VV_TEXT(argc == 1 ? argv[0] : NULL), VV_INT(LIST_MAX)));
    for (size_t i = 0; i < vv_rows_count(rows); i++)
        vv_print(req, "%8s  %s  %-40s %s%s\n", vv_row_text(rows, i, "id"),
                 vv_row_text(rows, i, "since"), vv_row_text(rows, i, "email"),
                 vv_row_bool(rows, i, "email_verified") ? "verified" : "unverified",
                 vv_row_bool(rows, i, "disabled") ? ", disabled" : "");
    if (vv_rows_count(rows) == LIST_MAX)
        vv_print(req, "(the newest %d; name a part of the address to see others)\n", LIST_MAX);
    return 0;
}

static int command_show(struct vv_request *req, int argc, const char *const *argv)
{
    struct auth_user user;
    struct vv_rows *rows;

    VV_TRY(command_find(req, argc, argv, &user));
    VV_TRY(vv_query(req, &rows,
                    "select to_char(created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as since,"
                    " (select count(*) from auth_sessions where user_id = $1"
                    "  and expires_at > now()) as sessions from users where id = $1",
                    VV_INT(user.id)));
    vv_print(req, "id        %lld\nuid       %s\nemail     %s\n", (long long)user.id, user.uid,
             user.email);
    vv_print(req, "name      %s %s\nverified  %s\ndisabled  %s\nsince     %s UTC\nsessions  %lld\n",
             user.first_name == NULL ? "" : user.first_name,
             user.last_name == NULL ? "" : user.last_name, user.email_verified ? "yes" : "no",
             user.disabled ? "yes" : "no",
             vv_rows_count(rows) == 0 ? "?" : vv_row_text(rows, 0, "since"),
             vv_rows_count(rows) == 0 ? 0LL : (long long)vv_row_int(rows, 0, "sessions"));
    return 0;
}

static int command_verify(struct vv_request *req, int argc, const char *const *argv)
{
    struct auth_user user;
    struct vv_tx *tx;

    VV_TRY(command_find(req, argc, argv, &user));
    VV_TRY(vv_begin(req, &tx));
    user.email_verified = true;
    VV_TRY(auth_user_emit(tx, "user.verified", &user, NULL, NULL));
    VV_TRY(vv_tx_exec(tx,
                      "update users set email_verified = true, updated_at = now() where id = $1",
                      VV_INT(user.id)));
    VV_TRY(vv_commit(tx));
    vv_print(req, "%s counts as verified\n", user.email);
    return 0;
}

static int command_able(struct vv_request *req, int argc, const char *const *argv, bool disable)
{
    struct auth_user user;

    VV_TRY(command_find(req, argc, argv, &user));
    VV_TRY(auth_user_disable(req, user.id, disable));
    vv_print(req, disable ? "%s is disabled and logged out everywhere\n" : "%s may log in again\n",
             user.email);
    return 0;
}

static int command_disable(struct vv_request *req, int argc, const char *const *argv)
{
    return command_able(req, argc, argv, true);
}

static int command_enable(struct vv_request *req, int argc, const char *const *argv)
{
    return command_able(req, argc, argv, false);
}

static int command_delete(struct vv_request *req, int argc, const char *const *argv)
{
    struct auth_user user;

    VV_TRY(command_find(req, argc, argv, &user));
    VV_TRY(auth_user_delete(req, &user));
    vv_print(req, "%s is deleted, with all that belonged to it\n", user.email);
    return 0;
}

const struct vv_command auth_commands[] = {
    VV_COMMAND("user list", "[PART]", "The newest accounts, or those with PART in their address",
               command_list),
    VV_COMMAND("user show", "ADDRESS|ID", "One account", command_show),
    VV_COMMAND("user verify", "ADDRESS|ID", "Counts its address as verified", command_verify),
    VV_COMMAND("user disable", "ADDRESS|ID", "Ends its sessions and lets it log in no more",
               command_disable),
    VV_COMMAND("user enable", "ADDRESS|ID", "Lets it log in again", command_enable),
    VV_COMMAND("user delete", "ADDRESS|ID", "Deletes it for good", command_delete),
    VV_END,
};
