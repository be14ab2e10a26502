/* GET /profile: one statement, put together at start out of what the plugins contribute. */
#include "auth.h"

#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 48

static struct profile_field {
    const char *name, *expression, *join;
} fields[FIELDS_MAX] = {
    {"id", "u.id", NULL},
    {"email", "u.email", NULL},
    {"first_name", "u.first_name", NULL},
    {"last_name", "u.last_name", NULL},
    {"email_verified", "u.email_verified", NULL},
    {"subscription_status", "'none'::text", NULL},
    {"subscription_plan", "null::text", NULL},
    {"subscription_end_date", "null::timestamptz", NULL},
    {"api_calls_used", "0::bigint", NULL},
    {"api_calls_limit", "null::bigint", NULL},
    {"created_at", "u.created_at", NULL},
    {"updated_at", "u.updated_at", NULL},
};

static const char *statement;

static size_t profile_find(const char *name)
{
    size_t at = 0;

    while (at < FIELDS_MAX && fields[at].name != NULL && strcmp(fields[at].name, name) != 0)
        at++;
    return at;
}

int auth_profile_field(const struct vv_profile_field *field)
{
    size_t at = profile_find(field->name);

    if (statement != NULL || at == FIELDS_MAX)
        return VV_EINVAL;
    fields[at] = (struct profile_field){field->name, field->expression, field->join};
    return 0;
}

/* Fields of one plugin often need the same join. */
static bool profile_joined(size_t field)
{
    for (size_t i = 0; i < field; i++)
        if (fields[i].join != NULL && strcmp(fields[i].join, fields[field].join) == 0)
            return true;
    return false;
}

/* A statement's text must outlive every connection it was prepared on. */
static const char *profile_build(void)
{
    size_t size = 0;
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        abort();
    fputs("select ", out);
    for (size_t i = 0; i < FIELDS_MAX && fields[i].name != NULL; i++)
        fprintf(out, "%s%s as \"%s\"", i == 0 ? "" : ", ", fields[i].expression, fields[i].name);
    fputs(" from users u", out);
    for (size_t i = 0; i < FIELDS_MAX && fields[i].name != NULL; i++)
        if (fields[i].join != NULL && !profile_joined(i))
            fprintf(out, " %s", fields[i].join);
    fputs(" where u.id = $1", out);
    if (fclose(out) != 0)
        abort();
    return text;
}

int auth_profile_reply(struct vv_request *req)
{
    struct vv_rows *rows;

    if (statement == NULL) {
        if (!auth_conf()->require_verification)
            fields[profile_find("email_verified")].expression = "true";
        statement = profile_build();
    }
    VV_TRY(vv_query(req, &rows, statement, VV_INT(vv_caller_id(req))));
    if (vv_rows_count(rows) == 0)
        return vv_fail(req, 401, "invalid_token", "This account has been deleted");
    return vv_reply_row(req, 200, rows, 0);
}
