/* What the files of this plugin share: its options, keys and where they come from, calls of STS,
 * and a user's session. */
#ifndef AWS_AWS_H
#define AWS_AWS_H

#include <vv/db.h>
#include <vv/http.h>

#define AWS_SECOND           INT64_C(1000)
#define AWS_SHORTEST         900  /* seconds: STS makes no session that is shorter */
#define AWS_LONGEST          3600 /* seconds: nor a longer one with the credentials of a role */
#define AWS_POLICY_MAX       2048 /* characters of a session policy */
#define AWS_UNAVAILABLE      "aws_unavailable"
#define AWS_UNAVAILABLE_TEXT "AWS cannot be reached right now; please try again in a moment"
#define AWS_ENDING_TEXT \
    "Your subscription ends too soon: AWS makes no credentials for less than 15 minutes"

struct aws_conf {
    const char *region, *role_arn, *sts_endpoint, *external_id;
    int64_t session_duration; /* milliseconds, as all durations */
    bool session_tags;
    const char *const *policy_actions;
    int64_t usage_cost;
    struct vv_rate rate_limit;
    int64_t reuse_seconds;
    int64_t presign_expires;
    int64_t timeout;
    int64_t breaker_failures, breaker_pause;
};

static inline const struct aws_conf *aws_conf(void)
{
    return (const struct aws_conf *)vv_conf();
}

/* What follows from the options: set in init. Static. */
struct aws_setup {
    const char *policy;      /* the inline session policy */
    const char *sts_url;     /* ends with a '/' */
    const char *sts_sigv4;   /* what libcurl is told: "aws:amz:REGION:sts" */
    const char *stream_host; /* of Transcribe's WebSockets, with its port */
};
extern struct aws_setup aws_setup;

enum aws_metric {
    AWS_METRIC_ISSUED = 0,
    AWS_METRIC_REUSED = 1,
    AWS_METRIC_DENIED = 2,      /* by us: access, quota, rate */
    AWS_METRIC_REFUSED = 3,     /* by AWS */
    AWS_METRIC_UNAVAILABLE = 4, /* AWS, or where our own credentials come from */
    AWS_METRIC_BAD_ANSWER = 5,
};

/* Credentials. Texts are NULL where there are none; `expires` is in microseconds since 1970 by
 * AWS's clock, 0: they do not, as far as is known. */
struct aws_keys {
    const char *id, *secret, *token;
    int64_t expires;
};

/* ---- texts and times: text.c ------------------------------------------------------------------
 */

int64_t aws_steady(void);         /* milliseconds of a clock that nobody sets */
int64_t aws_clock(void);          /* microseconds since 1970, by this machine's clock */
int64_t aws_chance(int64_t most); /* 0 to most, by chance */

/* "2026-10-01T12:00:00Z", with or without a fraction; 0: it is no such time. */
int64_t aws_time_iso(const char *text);

/* "Thu, 01 Oct 2026 12:00:00 GMT", as the header Date has it; 0: it is no such time. */
int64_t aws_time_http(const char *text);

/* "20261001T120000Z" */
void aws_time_basic(int64_t microseconds, char ret_text[17]);

/* Percent-encodes what RFC 3986 does not call unreserved. Request. */
const char *aws_escape(struct vv_request *req, const char *text);

/* "form&name=value" with the value escaped; a NULL form is empty, a NULL value leaves it as it is.
 */
const char *aws_form_add(struct vv_request *req, const char *form, const char *name,
                         const char *value);

/* A copy in the request's memory that is wiped when the request ends. */
const char *aws_keep(struct vv_request *req, const char *text, size_t length);
void aws_keys_keep(struct vv_request *req, const struct aws_keys *keys, struct aws_keys *ret_keys);

/* A copy on the heap, and its end: wiped, and all zero. */
void aws_keys_store(const struct aws_keys *keys, struct aws_keys *ret_keys);
void aws_keys_wipe(struct aws_keys *keys);

/* ---- where our own credentials come from: source_*.c ------------------------------------------
 */

struct aws_finding {
    struct aws_keys keys; /* in the request's memory */
    const char *where;    /* "the environment" */
    const char *why;      /* of an error: a sentence for the log and the operator */
    int64_t until;        /* when whoever asks has waited long enough, by aws_steady() */
};

/*
 * A link of the chain. 0: found. VV_ENOTFOUND: nothing says that there are any here, ask the next
 * one. Another error: they should be here, and are not; then nobody else is asked, because others
 * would be somebody else's. All may wait, and prepare no answer.
 */
struct aws_source {
    const char *name;
    int (*find)(struct vv_request *req, struct aws_finding *finding);
};
int aws_source_environment(struct vv_request *req, struct aws_finding *finding);
int aws_source_identity(struct vv_request *req, struct aws_finding *finding);
int aws_source_profile(struct vv_request *req, struct aws_finding *finding);
int aws_source_container(struct vv_request *req, struct aws_finding *finding);
int aws_source_metadata(struct vv_request *req, struct aws_finding *finding);

/* A variable of the environment; NULL also when it is empty. */
const char *aws_env(const char *name);

/* A whole file, read off the loop and kept as a secret. VV_ENOTFOUND: there is none. VV_EFAIL:
 * *ret_why says what is wrong with it. */
int aws_read_file(struct vv_request *req, const char *path, const char **ret_text,
                  const char **ret_why);

/* The JSON object with which the container's endpoint and the metadata hand out credentials. */
int aws_read_json(struct vv_request *req, const char *text, size_t length,
                  struct aws_finding *finding);

/* ---- our own credentials: base.c --------------------------------------------------------------
 */

struct aws_base {
    struct aws_keys keys; /* in the request's memory */
    const char *where;
    const char *why;     /* of an error: a sentence for the log and the operator */
    uint64_t generation; /* which refresh they came from */
};

/* The credentials that sign. Refreshed before they expire, by one for all who ask. May wait, until
 * `until` at most. VV_EUNAVAILABLE: ret_base->why; no answer is prepared. VV_ECANCELED. */
VV_MUST_CHECK int aws_base_get(struct vv_request *req, int64_t until, struct aws_base *ret_base);

/* AWS does not take those of this generation any more: they are looked up anew. */
void aws_base_reject(uint64_t generation);
void aws_base_wipe(void);

/* ---- STS: sts.c -------------------------------------------------------------------------------
 */

enum aws_result {
    AWS_DONE = 0,
    AWS_REFUSED = 1,         /* for good: `code` and `message` are AWS's */
    AWS_UNAVAILABLE_NOW = 2, /* away, slow, throttling or failing, after all attempts */
    AWS_BAD_ANSWER = 3,      /* it makes no sense */
    AWS_CANCELED = 4,        /* the request's time is over */
    AWS_ENDING = 5,          /* too little is left of `ends` for a session */
};

/* One call, and what came of it. */
struct aws_call {
    const char *form;            /* without Version */
    const struct aws_keys *keys; /* NULL: not signed */
    int64_t until;               /* when to give up, by aws_steady() */
    int64_t duration;            /* seconds of the session; 0: no DurationSeconds */
    int64_t ends;                /* when a session must have ended, by aws_steady(); 0: never */

    const char *answer; /* XML */
    size_t length;
    const char *code, *message; /* AWS_REFUSED; and why it is AWS_UNAVAILABLE_NOW */
};

/* Calls STS, again while that may help. May wait; prepares no answer. */
enum aws_result aws_sts_call(struct vv_request *req, struct aws_call *call);

/* AWS's clock, as far as it is known to differ from ours. Microseconds. */
int64_t aws_now(void);

/* The credentials in an answer to `action`. VV_EINVAL: there are none that make sense. */
VV_MUST_CHECK int aws_sts_keys(struct vv_request *req, const char *action,
                               const struct aws_call *call, struct aws_keys *ret_keys);

/* ---- a user's session: session.c, reuse.c, breaker.c ------------------------------------------
 */

struct aws_who {
    const char *name; /* of the session */
    const char *user; /* for the tags */
    const char *plan;
    int64_t left; /* seconds until access ends for good; 0: it does not */
};

/* Assumes the role once, with our credentials, without looking at the breaker. */
enum aws_result aws_session_assume(struct vv_request *req, const struct aws_who *who, int64_t until,
                                   struct aws_keys *ret_keys, struct aws_call *ret_call);

/* A session for a user who may have one. An error has its answer prepared. */
VV_MUST_CHECK int aws_session_get(struct vv_request *req, int64_t user_id,
                                  const struct aws_who *who, struct aws_keys *ret_keys);

/* Sessions kept for [aws] reuse_seconds. */
bool aws_reuse_find(struct vv_request *req, int64_t user_id, const struct aws_who *who,
                    struct aws_keys *ret_keys);
void aws_reuse_store(int64_t user_id, const struct aws_who *who, const struct aws_keys *keys);
void aws_reuse_sweep(void); /* wipes what may not be used again */
void aws_reuse_wipe(void);

/* Whether AWS may be asked. Else *ret_wait is how many seconds it may not. */
bool aws_breaker_pass(int64_t *ret_wait);
void aws_breaker_good(void);
void aws_breaker_bad(struct vv_request *req);
void aws_breaker_undecided(void); /* who passed cannot tell */

/* ---- the rest ---------------------------------------------------------------------------------
 */

/* The session policy of some actions. NULL: *ret_why says what is wrong. Request. */
const char *aws_policy_make(struct vv_request *req, const char *const *actions,
                            const char **ret_why);

/* Tags take letters, digits and a few signs: whatever else becomes '_'. Request. */
const char *aws_tag_value(struct vv_request *req, const char *text);

/* Runs a call of a user: whether it may go ahead, the session, the count; then gives `reply` the
 * session. */
int aws_grant(struct vv_request *req, const char *endpoint,
              int (*reply)(struct vv_request *req, const struct aws_keys *keys));

int aws_credentials_post(struct vv_request *req);
int aws_transcribe_post(struct vv_request *req);

extern const struct vv_check aws_checks[];
extern const struct vv_field aws_transcribe_body[], aws_transcribe_reply[];

#endif
