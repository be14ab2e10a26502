/* "Did you mean": the known word that is nearest to a mistyped one. */
#ifndef VV_CORE_SUGGEST_H
#define VV_CORE_SUGGEST_H

#include "base.h"

/* How many letters have to be added, dropped, changed or swapped with their neighbour. Words of
 * more than 63 letters are never near one another. */
size_t vv_suggest_distance(const char *a, const char *b);

/* Keeps the nearest of the words it is shown; begin with best = NULL. */
struct vv_suggestion {
    const char *word; /* what was typed */
    const char *best; /* NULL: nothing is near enough to be meant */
    size_t distance;
};

void vv_suggest_offer(struct vv_suggestion *suggestion, const char *known);

#endif
