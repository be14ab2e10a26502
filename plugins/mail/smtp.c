/* Holds one SMTP conversation and judges its end: sent, another time, or never. */
#include "smtp.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vv/base.h>

/* How far it came. Only from MAIL on does a refusal concern the message; before that it concerns
 * the server or our configuration, and waiting for the operator is better than losing mail. */
enum smtp_stage { STAGE_GREETING, STAGE_AUTH, STAGE_MAIL };

static void smtp_keep_reply(struct mail_smtp *smtp, const char *line, size_t length)
{
    size_t out = 0, i;

    for (i = 0; i < length && out < sizeof smtp->reply - 1; i++) {
        unsigned char c = (unsigned char)line[i];

        if (c == '\r' || c == '\n')
            break;
        smtp->reply[out++] = c < 0x20 || c > 0x7e ? '?' : (char)c;
    }
    smtp->reply[out] = '\0';
}

/* Sees both sides' lines. What we send may be a password: only its verb is looked at. */
static int smtp_trace(CURL *handle, curl_infotype type, char *data, size_t length, void *arg)
{
    struct mail_smtp *smtp = arg;

    (void)handle;
    if (type == CURLINFO_HEADER_IN && !smtp->quitting) {
        smtp_keep_reply(smtp, data, length);
        smtp->code = strtol(smtp->reply, NULL, 10);
    } else if (type == CURLINFO_HEADER_OUT) {
        if (length > 5 && strncasecmp(data, "AUTH ", 5) == 0 && smtp->stage < STAGE_AUTH)
            smtp->stage = STAGE_AUTH;
        else if (length > 10 && strncasecmp(data, "MAIL FROM:", 10) == 0)
            smtp->stage = STAGE_MAIL;
        else if (length >= 4 && strncasecmp(data, "QUIT", 4) == 0)
            smtp->quitting = true;
    }
    return 0;
}

static size_t smtp_read(char *to, size_t size, size_t count, void *arg)
{
    struct mail_smtp *smtp = arg;
    size_t left = smtp->length - smtp->sent, length = size * count < left ? size * count : left;

    memcpy(to, smtp->data + smtp->sent, length);
    smtp->sent += length;
    return length;
}

static size_t smtp_ignore(char *data, size_t size, size_t count, void *arg)
{
    (void)data;
    (void)arg;
    return size * count;
}

static void smtp_set_server(CURL *handle, const struct mail_smtp_server *server)
{
    curl_easy_setopt(handle, CURLOPT_URL, server->url);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(handle, CURLOPT_PROXY, "");
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, (long)server->timeout);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(server->timeout < 15000 ? server->timeout : 15000));
    curl_easy_setopt(handle, CURLOPT_USE_SSL,
                     server->tls ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_NONE);
    curl_easy_setopt(handle, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
    if (server->ca_file != NULL)
        curl_easy_setopt(handle, CURLOPT_CAINFO, server->ca_file);
    if (server->user != NULL) {
        curl_easy_setopt(handle, CURLOPT_USERNAME, server->user);
        curl_easy_setopt(handle, CURLOPT_PASSWORD,
                         server->password == NULL ? "" : server->password);
        curl_easy_setopt(handle, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN");
    }
}

/* The message, or nothing but a NOOP. Returns the list of recipients, to be freed. */
static struct curl_slist *smtp_set_message(CURL *handle, struct mail_smtp *smtp)
{
    struct curl_slist *to = NULL;
    char from[260];

    if (smtp->data == NULL) {
        curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
        curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, "NOOP");
        return NULL;
    }
    snprintf(from, sizeof from, "<%s>", smtp->from);
    to = curl_slist_append(NULL, smtp->to);
    curl_easy_setopt(handle, CURLOPT_MAIL_FROM, from);
    curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, smtp_read);
    curl_easy_setopt(handle, CURLOPT_READDATA, smtp);
    curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, (curl_off_t)smtp->length);
    return to;
}

static enum mail_smtp_outcome smtp_judge(const struct mail_smtp *smtp, CURLcode rc)
{
    if (rc == CURLE_OK)
        return MAIL_SMTP_SENT;
    if (smtp->stage < STAGE_MAIL || smtp->code < 500 || smtp->code > 599)
        return MAIL_SMTP_RETRY;
    /* "Authentication required" and its kin come late, but are not about the message either. */
    if (smtp->code == 530 || smtp->code == 534 || smtp->code == 535 || smtp->code == 538)
        return MAIL_SMTP_RETRY;
    return MAIL_SMTP_REFUSED;
}

static const char *smtp_explain(CURLcode rc, const char *error)
{
    switch (rc) {
    case CURLE_USE_SSL_FAILED:
        return "the server offers no STARTTLS, which tls = required demands";
    case CURLE_OPERATION_TIMEDOUT:
        return "the server did not answer in time";
    default:
        return error[0] != '\0' ? error : curl_easy_strerror(rc);
    }
}

void mail_smtp_run(void *arg)
{
    struct mail_smtp *smtp = arg;
    char error[CURL_ERROR_SIZE] = "";
    CURL *handle = curl_easy_init();
    struct curl_slist *to;
    CURLcode rc;

    smtp->outcome = MAIL_SMTP_RETRY;
    smtp->handle = handle;
    if (handle == NULL) {
        snprintf(smtp->reply, sizeof smtp->reply, "libcurl has no memory");
        return;
    }
    smtp_set_server(handle, smtp->server);
    to = smtp_set_message(handle, smtp);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, smtp_ignore);
    curl_easy_setopt(handle, CURLOPT_VERBOSE, 1L);
    curl_easy_setopt(handle, CURLOPT_DEBUGFUNCTION, smtp_trace);
    curl_easy_setopt(handle, CURLOPT_DEBUGDATA, smtp);
    rc = curl_easy_perform(handle);
    smtp->outcome = smtp_judge(smtp, rc);
    /* The server's own words say most; ours stand in where it said nothing bad. */
    if (rc != CURLE_OK && smtp->code < 400) {
        const char *text = smtp_explain(rc, error);

        smtp_keep_reply(smtp, text, strlen(text));
    }
    curl_easy_setopt(handle, CURLOPT_VERBOSE, 0L);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, NULL);
    curl_slist_free_all(to);
}

bool mail_smtp_about_message(const struct mail_smtp *smtp)
{
    return smtp->stage >= STAGE_MAIL && smtp->code >= 400;
}

void mail_smtp_close(void *arg)
{
    struct mail_smtp *smtp = arg;

    if (smtp->handle == NULL)
        return;
    curl_easy_setopt(smtp->handle, CURLOPT_SERVER_RESPONSE_TIMEOUT, 2L);
    curl_easy_cleanup(smtp->handle);
    smtp->handle = NULL;
}
