/* What is kept for a while only, and what doctor says about old keys. */
#include "apikeys.h"

#define SLICE "1000"

/* Statements that delete a slice, so that no lock is held for long. */
static const char *const slices[] = {
    "delete from api_keys where ctid = any (array(select ctid from api_keys"
    " where revoked_at < now() - interval '30 days' limit " SLICE "))",
    "delete from api_keys where ctid = any (array(select ctid from api_keys"
    " where expires_at < now() - interval '30 days' limit " SLICE "))",
    "delete from api_key_answers where ctid = any (array(select ctid from api_key_answers"
    " where created_at < now() - interval '24 hours' limit " SLICE "))",
};

int apikeys_cleanup(struct vv_request *req)
{
    struct vv_rows *rows;

    for (size_t i = 0; i < sizeof slices / sizeof slices[0]; i++) {
        do
            VV_TRY(vv_query_params(req, VV_LANE_WRITE, &rows, slices[i], NULL, 0));
        while (vv_rows_affected(rows) > 0);
    }
    return 0;
}

static int check_legacy(struct vv_request *req)
{
    struct vv_rows *rows;
    int64_t count;

    VV_TRY(vv_query_slow(req, &rows,
                         "select count(*) as count from api_keys where legacy and is_active"));
    count = vv_row_int(rows, 0, "count");
    if (count > 0)
        vv_print(req,
                 "%lld keys of the earlier server still work: until they are replaced, garbage is "
                 "not told apart from keys without asking the database",
                 (long long)count);
    return 0;
}

const struct vv_check apikeys_checks[] = {
    VV_CHECK("api-keys", 0, "Keys have the form that tells them apart from garbage", check_legacy),
    VV_END,
};
