/* "Did you mean": edit distance with transpositions, for names as short as keys are. */
#include "suggest.h"

#define SUGGEST_LONGEST 63

size_t vv_suggest_distance(const char *a, const char *b)
{
    size_t rows[3][SUGGEST_LONGEST + 1];
    size_t la = strlen(a), lb = strlen(b), i, j;

    if (la > SUGGEST_LONGEST || lb > SUGGEST_LONGEST)
        return SIZE_MAX;
    for (j = 0; j <= lb; j++)
        rows[0][j] = j;
    for (i = 1; i <= la; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

        row[0] = i;
        for (j = 1; j <= lb; j++) {
            row[j] = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = VV_MIN(row[j], above[j] + 1);
            row[j] = VV_MIN(row[j], row[j - 1] + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = VV_MIN(row[j], before[j - 2] + 1);
        }
    }
    return rows[la % 3][lb];
}

void vv_suggest_offer(struct vv_suggestion *suggestion, const char *known)
{
    size_t distance = vv_suggest_distance(suggestion->word, known);

    /* A third of the letters may be wrong: more, and the guess is a joke. */
    if (distance > (strlen(suggestion->word) + 2) / 3 || distance >= strlen(known))
        return;
    if (suggestion->best != NULL && distance >= suggestion->distance)
        return;
    suggestion->best = known;
    suggestion->distance = distance;
}
