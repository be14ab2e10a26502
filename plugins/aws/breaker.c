/* Spares AWS and our callers while AWS fails: after some failures in a row nobody asks for a while,
 * then one does. */
#include "aws.h"

#define BREAKER_LONGEST 8 /* times the configured pause */

static struct {
    int64_t failures;   /* in a row */
    int64_t open_until; /* by aws_steady(); 0: closed */
    int64_t factor;     /* how many times the configured pause it was last */
    bool probing;       /* somebody finds out whether AWS is back */
} breaker;

bool aws_breaker_pass(int64_t *ret_wait)
{
    int64_t left = breaker.open_until - aws_steady();

    *ret_wait = left <= 0 ? 1 : (left + 999) / 1000;
    if (breaker.open_until == 0)
        return true;
    if (left > 0 || breaker.probing)
        return false;
    breaker.probing = true;
    return true;
}

void aws_breaker_good(void)
{
    if (breaker.open_until != 0)
        vv_log(NULL, VV_LOG_INFO, "AWS answers again");
    memset(&breaker, 0, sizeof breaker);
}

/* A failure of somebody who asked before it opened says nothing new. */
void aws_breaker_bad(struct vv_request *req)
{
    bool was_open = breaker.open_until != 0;
    int64_t pause;

    breaker.failures++;
    if (was_open && !breaker.probing)
        return;
    if (!was_open && breaker.failures < aws_conf()->breaker_failures)
        return;
    breaker.factor = was_open ? breaker.factor * 2 : 1;
    if (breaker.factor > BREAKER_LONGEST)
        breaker.factor = BREAKER_LONGEST;
    breaker.probing = false;
    /* Up to a fifth more, so that the workers of many machines do not come back together. */
    pause = aws_conf()->breaker_pause * breaker.factor;
    pause += aws_chance(pause / 5);
    breaker.open_until = aws_steady() + pause;
    vv_log(req, VV_LOG_WARNING, "AWS failed %lld times in a row: it is not asked for %lld ms",
           (long long)breaker.failures, (long long)pause);
}

void aws_breaker_undecided(void)
{
    breaker.probing = false;
}
