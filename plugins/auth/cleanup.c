/* The schedule that deletes what nobody can use any more, in slices that hold no lock for long. */
#include "auth.h"

#define SLICE "1000"

/* A statement that deletes a slice; $1 is how long ended sessions are remembered, in milliseconds.
 */
static const char *const slices[] = {
    "delete from email_verification_tokens where ctid = any (array(select ctid"
    " from email_verification_tokens where expires_at < now() limit " SLICE "))",
    "delete from auth_sessions where ctid = any (array(select ctid"
    " from auth_sessions where expires_at < now() limit " SLICE "))",
    "delete from auth_failures where ctid = any (array(select ctid"
    " from auth_failures where last_failure < now() - interval '1 day' limit " SLICE "))",
    "delete from auth_mailings where ctid = any (array(select ctid"
    " from auth_mailings where times[1] < now() - interval '1 hour' limit " SLICE "))",
};

static const char revocations[] =
    "delete from auth_revocations where ctid = any (array(select ctid from auth_revocations"
    " where revoked_at < now() - $1::bigint * interval '1 ms' limit " SLICE "))";

static int cleanup_drain(struct vv_request *req, const char *sql, const struct vv_param *params,
                         size_t count)
{
    struct vv_rows *rows;

    do
        VV_TRY(vv_query_params(req, VV_LANE_WRITE, &rows, sql, params, count));
    while (vv_rows_affected(rows) > 0);
    return 0;
}

int auth_cleanup(struct vv_request *req)
{
    /* As long as a token of the session may be taken anywhere, and the time for clocks and polls.
     */
    const struct vv_param kept = VV_INT(auth_conf()->access_token_ttl + 2000 * AUTH_LEEWAY + 60000);

    for (size_t i = 0; i < sizeof slices / sizeof slices[0]; i++)
        VV_TRY(cleanup_drain(req, slices[i], NULL, 0));
    return cleanup_drain(req, revocations, &kept, 1);
}
