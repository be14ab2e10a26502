/* Our own credentials: the chain that finds them, and one refresh for all who need them. */
#include "aws.h"

#define BASE_EARLY  (300 * INT64_C(1000000)) /* before they expire, new ones are fetched */
#define BASE_JITTER (60 * INT64_C(1000000))  /* up to so much earlier still */
#define BASE_LAST   (2 * INT64_C(1000000))   /* with less left they are of no use */
#define BASE_ODD    (30 * INT64_C(1000000))  /* how long ones serve that seem to have expired */
#define BASE_PAUSE  (10 * AWS_SECOND)        /* before a refresh that failed is tried again */
#define BASE_POLL   20                       /* milliseconds */

static const struct aws_source base_chain[] = {
    {"the environment", aws_source_environment},
    {"a web identity", aws_source_identity},
    {"a profile", aws_source_profile},
    {"the container's endpoint", aws_source_container},
    {"the instance's metadata", aws_source_metadata},
};

static struct {
    struct aws_keys keys; /* heap; id is NULL: none */
    char where[256];
    uint64_t generation;
    int64_t refresh_at; /* by AWS's clock; 0: never */
    int64_t not_before; /* the next refresh of ones that still serve, by aws_steady() */
    bool refreshing;    /* by a fiber that asked */

    uint64_t failures; /* refreshes that failed, ever: for those who wait for one */
    char why[256];     /* the last one */
} base;

static bool base_serves(void)
{
    return base.keys.id != NULL &&
           (base.keys.expires == 0 || base.keys.expires - aws_now() > BASE_LAST);
}

static bool base_due(void)
{
    return base.refresh_at != 0 && aws_now() >= base.refresh_at && aws_steady() >= base.not_before;
}

static void base_give(struct vv_request *req, struct aws_base *ret_base)
{
    aws_keys_keep(req, &base.keys, &ret_base->keys);
    ret_base->where = vv_strdup(req, base.where);
    ret_base->generation = base.generation;
}

static void base_take(struct aws_finding *finding)
{
    int64_t lifetime = finding->keys.expires - aws_now(), early;

    /* Handed out just now, and expired by our clock: either that clock is wrong, or whoever hands
     * them out has trouble. AWS knows; here they count for a moment. */
    if (finding->keys.expires != 0 && lifetime <= BASE_LAST) {
        finding->keys.expires += BASE_ODD - lifetime;
        lifetime = BASE_ODD;
    }
    aws_keys_wipe(&base.keys);
    aws_keys_store(&finding->keys, &base.keys);
    snprintf(base.where, sizeof base.where, "%s", finding->where);
    base.generation++;
    base.not_before = 0;
    base.refresh_at = 0;
    if (finding->keys.expires == 0)
        return;
    /* Of what lives shortly a half: else it would be fetched for every call. */
    early = BASE_EARLY + aws_chance(BASE_JITTER);
    base.refresh_at = finding->keys.expires - (early < lifetime / 2 ? early : lifetime / 2);
}

static int base_search(struct vv_request *req, struct aws_finding *finding)
{
    for (size_t i = 0; i < sizeof base_chain / sizeof base_chain[0]; i++) {
        int rc;

        finding->where = base_chain[i].name;
        finding->why = NULL;
        rc = base_chain[i].find(req, finding);
        if (rc != VV_ENOTFOUND)
            return rc;
    }
    finding->where = "the chain";
    finding->why = "neither environment, web identity, profile, container nor instance metadata "
                   "has credentials";
    return VV_EUNAVAILABLE;
}

/* Asks the chain for everybody. What others see of it is in `base` alone. */
static int base_refresh(struct vv_request *req, int64_t until)
{
    struct aws_finding finding = {.until = until};
    int rc;

    base.refreshing = true;
    rc = base_search(req, &finding);
    base.refreshing = false;
    if (rc == 0) {
        base_take(&finding);
        vv_log(req, VV_LOG_INFO, "credentials come from %s", base.where);
        return 0;
    }
    if (rc == VV_ECANCELED)
        return rc; /* who waits tries by itself */
    base.failures++;
    base.not_before = aws_steady() + BASE_PAUSE;
    snprintf(base.why, sizeof base.why, "%s: %s", finding.where,
             finding.why == NULL ? "no reason is known" : finding.why);
    vv_log(req, VV_LOG_WARNING, "no credentials of our own from %s", base.why);
    return VV_EUNAVAILABLE;
}

/* Waits for somebody else's refresh. VV_EUNAVAILABLE: that one failed. */
static int base_wait(struct vv_request *req, int64_t until)
{
    uint64_t failures = base.failures;

    while (base.refreshing) {
        if (aws_steady() >= until) {
            snprintf(base.why, sizeof base.why, "another call has not found any yet");
            return VV_EUNAVAILABLE;
        }
        VV_TRY(vv_sleep(req, BASE_POLL));
    }
    return base.failures == failures ? 0 : VV_EUNAVAILABLE;
}

int aws_base_get(struct vv_request *req, int64_t until, struct aws_base *ret_base)
{
    int rc = 0;

    memset(ret_base, 0, sizeof *ret_base);
    while (rc == 0 && !base_serves())
        rc = base.refreshing ? base_wait(req, until) : base_refresh(req, until);
    if (rc == 0 && base_due() && !base.refreshing)
        rc = base_refresh(req, until);
    if (rc == VV_ECANCELED)
        return rc;
    /* When the new ones could not be had the old ones are still good. */
    if (base_serves()) {
        base_give(req, ret_base);
        return 0;
    }
    ret_base->why = vv_strdup(req, base.why);
    return VV_EUNAVAILABLE;
}

void aws_base_reject(uint64_t generation)
{
    if (generation == base.generation)
        aws_base_wipe();
}

void aws_base_wipe(void)
{
    aws_keys_wipe(&base.keys);
    base.refresh_at = 0;
}
