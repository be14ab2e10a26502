/* What one thread can hash: bcrypt of the given cost, for the given seconds, at the server's
 * niceness. */
#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static double rate_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    unsigned long cost = argc > 1 ? strtoul(argv[1], NULL, 10) : 12;
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 10, began;
    struct crypt_data *data = calloc(1, sizeof *data);
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    unsigned done = 0;

    if (data == NULL ||
        crypt_gensalt_rn("$2b$", cost, NULL, 0, setting, (int)sizeof setting) == NULL)
        return 1;
    setpriority(PRIO_PROCESS, 0, 10);
    began = rate_now();
    while (rate_now() - began < seconds) {
        if (crypt_rn("correct horse battery staple", setting, data, (int)sizeof *data) == NULL)
            return 1;
        done++;
    }
    printf("%.3f\n", done / (rate_now() - began));
    free(data);
    return 0;
}
