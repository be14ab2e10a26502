/* Sessions that a user may get again for a while: in this worker's memory, and nowhere else. */
#include "aws.h"

#include <stdlib.h>

#define REUSE_PLACES   1024
#define REUSE_PLAN     128
#define REUSE_LIFETIME (300 * INT64_C(1000000)) /* what must be left of one that is given again */

/* A user has one place; of two users with the same place the later one has it. */
struct reuse {
    int64_t user_id; /* 0: nobody's */
    int64_t since;   /* by aws_steady() */
    char plan[REUSE_PLAN];
    struct aws_keys keys;
};

static struct reuse *reuse_places; /* NULL: nothing was kept yet */

static struct reuse *reuse_place(int64_t user_id)
{
    return &reuse_places[(uint64_t)user_id * UINT64_C(0x9E3779B97F4A7C15) >> 54];
}

static void reuse_clear(struct reuse *place)
{
    aws_keys_wipe(&place->keys);
    memset(place, 0, sizeof *place);
}

static bool reuse_is_old(const struct reuse *place)
{
    return aws_steady() - place->since >= aws_conf()->reuse_seconds * AWS_SECOND ||
           place->keys.expires - aws_now() < REUSE_LIFETIME;
}

bool aws_reuse_find(struct vv_request *req, int64_t user_id, const struct aws_who *who,
                    struct aws_keys *ret_keys)
{
    struct reuse *place;

    if (reuse_places == NULL)
        return false;
    place = reuse_place(user_id);
    if (place->user_id != user_id || reuse_is_old(place) || strcmp(place->plan, who->plan) != 0)
        return false;
    /* It was made when access had no end, or a later one. */
    if (who->left != 0 && place->keys.expires > aws_now() + who->left * 1000000)
        return false;
    aws_keys_keep(req, &place->keys, ret_keys);
    return true;
}

void aws_reuse_store(int64_t user_id, const struct aws_who *who, const struct aws_keys *keys)
{
    struct reuse *place;

    if (aws_conf()->reuse_seconds == 0 || strlen(who->plan) >= REUSE_PLAN)
        return;
    if (reuse_places == NULL)
        reuse_places = calloc(REUSE_PLACES, sizeof *reuse_places);
    if (reuse_places == NULL)
        return;
    place = reuse_place(user_id);
    reuse_clear(place);
    place->user_id = user_id;
    place->since = aws_steady();
    snprintf(place->plan, sizeof place->plan, "%s", who->plan);
    aws_keys_store(keys, &place->keys);
}

void aws_reuse_sweep(void)
{
    for (size_t i = 0; reuse_places != NULL && i < REUSE_PLACES; i++)
        if (reuse_places[i].user_id != 0 && reuse_is_old(&reuse_places[i]))
            reuse_clear(&reuse_places[i]);
}

void aws_reuse_wipe(void)
{
    for (size_t i = 0; reuse_places != NULL && i < REUSE_PLACES; i++)
        reuse_clear(&reuse_places[i]);
    free(reuse_places);
    reuse_places = NULL;
}
