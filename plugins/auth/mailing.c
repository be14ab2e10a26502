/* The mails of this plugin: their links, and how often somebody may ask for one. */
#include "auth.h"

#include <string.h>
#include <time.h>

/* Longer than what the slowest of these requests does; shorter than anybody minds. */
#define SETTLE_MS 100

static const char *mail_base; /* links are this, "/verify-email?token=" and the token */

/* Good enough to try the server out on one machine; anybody else is told what is missing. */
static const char *mail_own_address(struct vv_request *req)
{
    const char *listen = vv_server_option("listen");
    size_t length = listen == NULL ? 0 : strcspn(listen, ", ");
    const char *port = length == 0 ? NULL : (const char *)memrchr(listen, ':', length);
    const char *base;

    if (port != NULL && (strncmp(listen, "0.0.0.0:", 8) == 0 || strncmp(listen, "[::]:", 5) == 0))
        base = vv_printf(req, "http://localhost%.*s", (int)(listen + length - port), port);
    else
        base = vv_printf(req, "http://%.*s", (int)length, listen == NULL ? "" : listen);
    vv_log(req, VV_LOG_WARNING,
           "[server] public_url is not set: links in mails lead to %s, which only this machine "
           "can be expected to reach",
           base);
    return base;
}

int auth_mail_setup(struct vv_request *req)
{
    const char *base = vv_server_option("frontend_url");

    if (vv_mail() == NULL)
        return auth_conf()->require_verification
                   ? vv_fail(req, 500, "no_mail",
                             "[auth] needs mail to verify addresses: enable [mail], or set "
                             "require_verification = false")
                   : 0;
    if (base == NULL)
        base = vv_server_option("public_url");
    if (base == NULL)
        base = mail_own_address(req);
    mail_base = vv_printf(req, "%.*s", (int)(strlen(base) - (base[strlen(base) - 1] == '/')), base);
    return 0;
}

/* "24 hours": how the mail says when its link expires. */
static const char *mail_duration(struct vv_request *req, int64_t milliseconds)
{
    static const struct {
        int64_t length;
        const char *name;
    } units[] = {{86400000, "day"}, {3600000, "hour"}, {60000, "minute"}, {1000, "second"}};
    size_t unit = 0;
    int64_t count;

    /* The largest that fits without a rest, but a day only from two of them on. */
    while (unit < 3 && (milliseconds % units[unit].length != 0 ||
                        milliseconds < units[unit].length * (unit == 0 ? 2 : 1)))
        unit++;
    count = milliseconds / units[unit].length;
    return vv_printf(req, "%lld %s%s", (long long)count, units[unit].name, count == 1 ? "" : "s");
}

static int mail_send(struct vv_tx *tx, const struct auth_user *user, const char *to,
                     const char *name, struct vv_json *variables)
{
    struct vv_request *req = vv_tx_request(tx);
    struct vv_mail_message message;

    vv_put(variables, "first_name",
           VV_TEXT(user->first_name == NULL || user->first_name[0] == '\0' ? "there"
                                                                           : user->first_name));
    message = VV_MAIL(to, name, vv_json_text(variables));
    message.user_id = user->id;
    if (user->first_name != NULL && user->last_name != NULL)
        message.to_name = vv_printf(req, "%s %s", user->first_name, user->last_name);
    return vv_mail()->send(tx, &message);
}

int auth_mail_token(struct vv_tx *tx, const struct auth_user *user, const char *to,
                    const char *purpose, const char *token)
{
    const struct auth_conf *conf = auth_conf();
    struct vv_request *req = vv_tx_request(tx);
    bool reset = strcmp(purpose, AUTH_RESET) == 0;
    struct vv_json *variables = vv_object(req);

    vv_put(variables, "link",
           VV_TEXT(vv_printf(req, "%s/%s?token=%s", mail_base,
                             reset ? "reset-password" : "verify-email", token)));
    vv_put(variables, "expires",
           VV_TEXT(mail_duration(req, reset ? conf->reset_ttl : conf->verification_ttl)));
    return mail_send(tx, user, to == NULL ? user->email : to,
                     reset                               ? "auth/reset-password"
                     : strcmp(purpose, AUTH_CHANGE) == 0 ? "auth/email-change"
                                                         : "auth/verify-email",
                     variables);
}

int auth_mail_notice(struct vv_tx *tx, const struct auth_user *user, const char *new_email)
{
    struct vv_request *req = vv_tx_request(tx);
    struct vv_json *variables = vv_object(req);
    time_t now = time(NULL);
    struct tm parts;
    char text[40];

    if (vv_mail() == NULL)
        return 0;
    if (new_email != NULL) {
        vv_put(variables, "new_email", VV_TEXT(new_email));
        return mail_send(tx, user, user->email, "auth/email-changed", variables);
    }
    strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", gmtime_r(&now, &parts));
    vv_put(variables, "time", VV_TEXT(text));
    return mail_send(tx, user, user->email, "auth/password-changed", variables);
}

int auth_mail_allowed(struct vv_tx *tx, const char *email, const char *purpose, bool *ret_allowed)
{
    uint8_t account[AUTH_DIGEST];
    struct vv_rows *rows;

    auth_account_key(email, account);
    VV_TRY(vv_tx_query(tx, &rows,
                       "insert into auth_mailings as m (account, purpose, times)"
                       " values ($1, $2, array[now()])"
                       " on conflict (account, purpose) do update set times ="
                       "  (array[now()] || m.times)[1:5]"
                       " where m.times[1] <= now() - interval '1 minute'"
                       "  and (cardinality(m.times) < 5 or m.times[5] <= now() - interval '1 hour')"
                       " returning 1",
                       VV_BYTES(account, sizeof account), VV_TEXT(purpose)));
    *ret_allowed = vv_rows_count(rows) > 0;
    return 0;
}

int64_t auth_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int auth_mail_settle(struct vv_request *req, int64_t started)
{
    int64_t rest = started + SETTLE_MS - auth_clock();

    return rest > 0 ? vv_sleep(req, rest) : 0;
}
