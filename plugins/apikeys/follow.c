/* What each worker remembers of keys: whether old ones exist, and which were used a moment ago. */
#include "apikeys.h"

#include <inttypes.h>
#include <string.h>

#define FOLLOW_MS     2000
#define LEGACY_EVERY  30   /* turns */
#define USED_SLOTS    2048 /* a power of two */
#define USED_MOST     (USED_SLOTS / 2)
#define USED_ID_CHARS 21

static bool legacy_none; /* no key of the earlier server works any more, as of the last look */

static int64_t used_slots[USED_SLOTS]; /* open addressing; 0: free */
static size_t used_count;

/* ---- keys of the earlier server ---------------------------------------------------------------
 */

bool apikeys_may_exist(const char *text)
{
    return apikeys_key_genuine(text) || (!legacy_none && text[0] != '\0');
}

/* None is ever added, so what was none stays none; it is asked again for those that are revoked. */
static int follow_legacy(struct vv_request *req, void *arg)
{
    struct vv_rows *rows;

    (void)arg;
    VV_TRY(vv_query(req, &rows,
                    "select exists (select from api_keys where legacy and is_active"
                    "  and coalesce(expires_at > now(), true)) as some"));
    legacy_none = !vv_row_bool(rows, 0, "some");
    return 0;
}

/* ---- when keys were used ----------------------------------------------------------------------
 */

/* Beyond what fits it is forgotten until the next turn: it says when a key was used, roughly. */
void apikeys_used(int64_t key_id)
{
    size_t at = (size_t)((uint64_t)key_id * 0x9E3779B97F4A7C15U >> 32) & (USED_SLOTS - 1);

    while (used_slots[at] != 0 && used_slots[at] != key_id)
        at = (at + 1) & (USED_SLOTS - 1);
    if (used_slots[at] == key_id || used_count == USED_MOST)
        return;
    used_slots[at] = key_id;
    used_count++;
}

/* As an array's literal; the table is empty afterwards. */
static const char *follow_take(struct vv_request *req)
{
    size_t size = used_count * USED_ID_CHARS + 3, length = 0;
    char *text = vv_alloc(req, size);

    for (size_t i = 0; i < USED_SLOTS; i++)
        if (used_slots[i] != 0)
            length += (size_t)snprintf(text + length, size - length, "%c%" PRId64,
                                       length == 0 ? '{' : ',', used_slots[i]);
    text[length] = '}';
    memset(used_slots, 0, sizeof used_slots);
    used_count = 0;
    return text;
}

/* On a connection of its own, so that no decision waits behind it; other workers write some of the
 * same rows, and what one of them holds it is about to write as well. */
static int follow_used(struct vv_request *req, void *arg)
{
    struct vv_rows *rows;

    (void)arg;
    if (used_count == 0)
        return 0;
    return vv_query_slow(req, &rows,
                         "with due as (select id from api_keys where id = any ($1::bigint[])"
                         "  and coalesce(last_used_at < now() - interval '1 minute', true)"
                         "  order by id for no key update skip locked)"
                         " update api_keys k set last_used_at = now() from due where k.id = due.id",
                         VV_TEXT(follow_take(req)));
}

int apikeys_follow(struct vv_request *req)
{
    int rc = 0, legacy = VV_EUNAVAILABLE;

    for (int turn = 0; rc != VV_ECANCELED; turn = (turn + 1) % LEGACY_EVERY) {
        if (turn == 0 || legacy < 0)
            rc = legacy = vv_step(req, follow_legacy, NULL);
        if (rc != VV_ECANCELED)
            rc = vv_step(req, follow_used, NULL);
        if (rc != VV_ECANCELED)
            rc = vv_sleep(req, FOLLOW_MS);
    }
    return 0;
}
