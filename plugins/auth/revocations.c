/* Which sessions have ended: a set in every worker's memory that follows a table. */
#include "auth.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_MS 300

struct revoked {
    int64_t session; /* 0: free */
    int64_t until;   /* on auth_clock(): no token of the session lives any more */
};

static struct {
    struct revoked *slots; /* open addressing, never more than half full */
    size_t size, used;
    int64_t seen; /* the database's clock at the last answer, less 10 s */
    bool ready;
} set;

static size_t revocations_slot(const struct revoked *slots, size_t size, int64_t session)
{
    size_t at = (size_t)((uint64_t)session * 0x9E3779B97F4A7C15U >> 32) & (size - 1);

    while (slots[at].session != 0 && slots[at].session != session)
        at = (at + 1) & (size - 1);
    return at;
}

/* Makes room, and leaves out what has no living token any more. */
static void revocations_grow(void)
{
    int64_t now = auth_clock();
    size_t alive = 0, size = 1024;
    struct revoked *slots;

    for (size_t i = 0; i < set.size; i++)
        alive += set.slots[i].session != 0 && set.slots[i].until > now;
    while (size < alive * 4)
        size *= 2;
    slots = calloc(size, sizeof *slots);
    if (slots == NULL)
        abort();
    for (size_t i = 0; i < set.size; i++)
        if (set.slots[i].session != 0 && set.slots[i].until > now)
            slots[revocations_slot(slots, size, set.slots[i].session)] = set.slots[i];
    free(set.slots);
    set.slots = slots;
    set.size = size;
    set.used = alive;
}

static void revocations_add(int64_t session)
{
    size_t at;

    if (set.used * 2 >= set.size)
        revocations_grow();
    at = revocations_slot(set.slots, set.size, session);
    if (set.slots[at].session == 0)
        set.used++;
    set.slots[at].session = session;
    /* Counted from now, which is never too early. */
    set.slots[at].until = auth_clock() + auth_conf()->access_token_ttl + 2000 * AUTH_LEEWAY;
}

bool auth_revoked(int64_t session_id)
{
    return set.size > 0 &&
           set.slots[revocations_slot(set.slots, set.size, session_id)].session == session_id;
}

void auth_revoked_rows(const struct vv_rows *rows)
{
    for (size_t i = 0; i < vv_rows_count(rows); i++)
        if (!vv_row_null(rows, i, "sid"))
            revocations_add(vv_row_int(rows, i, "sid"));
}

/* Rows commit out of order, which is why the last 10 s are always asked for again. */
static int revocations_poll(struct vv_request *req, void *arg)
{
    struct vv_rows *rows;

    (void)arg;
    VV_TRY(vv_query(req, &rows,
                    "select n.seen, r.sid from (select now() - interval '10 s' as seen) n"
                    " left join auth_revocations r on r.revoked_at >= $1",
                    VV_TIME(set.seen)));
    auth_revoked_rows(rows);
    set.seen = vv_row_int(rows, 0, "seen");
    set.ready = true;
    return 0;
}

int auth_revocations_follow(struct vv_request *req)
{
    int rc = 0;

    while (rc != VV_ECANCELED) {
        rc = vv_step(req, revocations_poll, NULL);
        if (rc != VV_ECANCELED)
            rc = vv_sleep(req, POLL_MS);
    }
    return 0;
}

int auth_revocations_ready(struct vv_request *req)
{
    for (int turns = 0; !set.ready; turns++) {
        if (turns == 200)
            return VV_EUNAVAILABLE;
        VV_TRY(vv_sleep(req, 10));
    }
    return 0;
}
