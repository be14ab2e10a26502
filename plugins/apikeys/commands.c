/* `vvctl key ...`: looking at an account's keys, and what an operator does about one. */
#include "apikeys.h"

#include <stdlib.h>
#include <string.h>

static int command_user(struct vv_request *req, const char *who, int64_t *ret_id)
{
    struct vv_rows *rows;

    VV_TRY(vv_query(req, &rows,
                    "select id from users where lower(email) = lower($1) or id::text = $1",
                    VV_TEXT(who)));
    if (vv_rows_count(rows) == 0)
        return vv_fail(req, 404, "unknown_user", "There is no account %s", who);
    *ret_id = vv_row_int(rows, 0, "id");
    return 0;
}

static int command_list(struct vv_request *req, int argc, const char *const *argv)
{
    struct vv_rows *rows;
    int64_t user;

    if (argc != 1)
        return vv_fail(req, 400, "usage", "Whose keys? Name one account, by its address or its id");
    VV_TRY(command_user(req, argv[0], &user));
    VV_TRY(vv_query_slow(req, &rows,
                         "select id::text, key_prefix, name,"
                         " case when not is_active then 'revoked' when expires_at <= now() then"
                         "  'expired' when legacy then 'active, of the earlier server'"
                         "  else 'active' end as state,"
                         " to_char(created_at at time zone 'UTC', 'YYYY-MM-DD') as since,"
                         " coalesce('used ' || to_char(last_used_at at time zone 'UTC',"
                         "  'YYYY-MM-DD HH24:MI'), 'never used') as used"
                         " from api_keys where user_id = $1 order by api_keys.id",
                         VV_INT(user)));
    for (size_t i = 0; i < vv_rows_count(rows); i++)
        vv_print(req, "%8s  %-12s  %s  %-16s  %s, %s\n", vv_row_text(rows, i, "id"),
                 vv_row_text(rows, i, "key_prefix"), vv_row_text(rows, i, "since"),
                 vv_row_text(rows, i, "used"), vv_row_text(rows, i, "state"),
                 vv_row_text(rows, i, "name"));
    if (vv_rows_count(rows) == 0)
        vv_print(req, "none\n");
    return 0;
}

static int command_revoke(struct vv_request *req, int argc, const char *const *argv)
{
    char *end = NULL;
    long long id = argc == 1 ? strtoll(argv[0], &end, 10) : 0;
    int rc;

    if (id <= 0 || *end != '\0')
        return vv_fail(req, 400, "usage", "Which key? Its id is in `vvctl key list`");
    rc = apikeys_revoke(req, id, 0);
    if (rc == VV_ENOTFOUND)
        return vv_fail(req, 404, "unknown_key", "There is no key %lld that could be revoked", id);
    if (rc == 0)
        vv_print(req, "key %lld is revoked\n", id);
    return rc;
}

/* What the endpoint takes as a name: the rule is its field's. */
static bool command_name(const char *name)
{
    size_t characters = 0;

    for (const char *at = name; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return false;
        characters += (*at & 0xc0) != 0x80;
    }
    return characters > 0 && characters <= APIKEYS_NAME_MAX && strspn(name, " ") < strlen(name);
}

static int command_create(struct vv_request *req, int argc, const char *const *argv)
{
    struct vv_rows *row;
    char key[KEY_SIZE];
    int64_t user;

    if (argc != 2 || !command_name(argv[1]))
        return vv_fail(req, 400, "usage",
                       "Name the account, by its address or its id, and the key, in 1 to %d "
                       "characters",
                       APIKEYS_NAME_MAX);
    VV_TRY(command_user(req, argv[0], &user));
    VV_TRY(apikeys_create(req, user, argv[1], 0, key, &row));
    vv_print(req, "%s\n", key);
    return 0;
}

const struct vv_command apikeys_commands[] = {
    VV_COMMAND("key list", "ADDRESS|ID", "An account's API keys", command_list),
    VV_COMMAND("key create", "ADDRESS|ID NAME", "Makes a key, and prints it this once",
               command_create),
    VV_COMMAND("key revoke", "ID", "Lets a key work no more, from the next call on",
               command_revoke),
    VV_END,
};
