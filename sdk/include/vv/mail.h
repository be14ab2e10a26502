/* The service "mail/1": a message from a template, sent if and only if a transaction commits. */
#ifndef VV_MAIL_H
#define VV_MAIL_H

#include <vv/db.h>

VV_BEGIN_C

/* What to send. Write it with VV_MAIL(). */
struct vv_mail_message {
    uint32_t size;
    const char *to;        /* one address */
    const char *to_name;   /* the person's name, any Unicode; NULL = none */
    const char *template_; /* a folder of templates/: "auth/verify-email" */
    const char *variables; /* a JSON object of texts and numbers for the template */
    int64_t user_id;       /* whose message it is, so that it goes with the account; 0 = nobody's */
    const char *unique;    /* at most one message of this name, ever; NULL = no limit */
};

struct vv_mail_service {
    struct vv_service base;

    /* Queues the message in the transaction. The delivery can be followed in the table
     * mail_messages and with `vvctl mail list`. VV_EINVAL: no such template, a variable missing, or
     * an address that cannot be mailed (the log says which). */
    int (*send)(struct vv_tx *tx, const struct vv_mail_message *message);

    /* Forgets every message to this user: queued ones are not sent, the log's rows go. For
     * "user.deleted". */
    int (*forget)(struct vv_tx *tx, int64_t user_id);
};

/* The service, for plugins that name "mail/1" in `depends`; NULL for "mail/1?" when it is off. */
static inline const struct vv_mail_service *vv_mail(void)
{
    return (const struct vv_mail_service *)(const void *)vv_service("mail/1");
}

static inline struct vv_mail_message vv_mail_make_(const char *to, const char *name,
                                                   const char *variables)
{
    struct vv_mail_message message;

    memset(&message, 0, sizeof message);
    message.size = (uint32_t)sizeof message;
    message.to = to;
    message.template_ = name;
    message.variables = variables;
    return message;
}
#define VV_MAIL(to, name, variables) vv_mail_make_((to), (name), (variables))

/* A day as people write it, "3 November 2026", in UTC; `time` is microseconds since 1970, not
 * before. Request. Since 0.3. */
VV_UNUSED static const char *vv_mail_date(struct vv_request *req, int64_t time)
{
    static const char *const names[] = {"March",    "April",    "May",       "June",
                                        "July",     "August",   "September", "October",
                                        "November", "December", "January",   "February"};
    /* In years that begin in March, a leap day is the last: days of eras of 400 of them. */
    int64_t days = time / INT64_C(86400000000) + 719468, era = days / 146097;
    int64_t in_era = days % 146097;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * in_year + 2) / 153;

    year += era * 400 + (month >= 10 ? 1 : 0);
    return vv_printf(req, "%d %s %d", (int)(in_year - (153 * month + 2) / 5 + 1), names[month],
                     (int)year);
}

/* The address of a page of the application, `path` being "/dashboard": below [server] frontend_url,
 * without one below public_url. Request. Since 0.3. */
VV_UNUSED static const char *vv_mail_link(struct vv_request *req, const char *path)
{
    const char *base = vv_server_option("frontend_url");
    size_t length;

    if (base == NULL)
        base = vv_server_option("public_url");
    length = base == NULL ? 0 : strlen(base);
    if (length > 0 && base[length - 1] == '/')
        length--;
    return vv_printf(req, "%.*s%s", (int)length, base == NULL ? "" : base, path);
}

VV_END_C

#endif
