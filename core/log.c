/* Writes the log: formats a line in memory and hands it to one write(2). */
#include "log.h"

#include "buffer.h"
#include "plugin.h"
#include "request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define LOG_TEXT 2048 /* a longer message is cut */

static int log_level = VV_LOG_INFO;
static int log_format = VV_LOG_TEXT;
static char log_process[32] = "vvserver";

void vv_log_init(int level, int format, const char *role)
{
    log_level = level;
    log_format = format;
    vv_log_role(role);
}

void vv_log_role(const char *role)
{
    snprintf(log_process, sizeof log_process, "%s", role);
}

bool vv_log_enabled(int level)
{
    return level <= log_level;
}

static const char *log_level_name(int level)
{
    static const char *const names[] = {"", "error", "warning", "info", "debug"};

    return level >= VV_LOG_ERROR && level <= VV_LOG_DEBUG ? names[level] : "info";
}

/* A line that cannot be written is lost: the log must never stop the server. */
static void log_write(struct vv_buffer *line)
{
    size_t done = 0;

    while (done < line->length) {
        ssize_t put = write(STDERR_FILENO, line->data + done, line->length - done);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            break;
        done += (size_t)put;
    }
}

/* In text form control characters would forge lines. */
static void log_plain(struct vv_buffer *line, const char *text)
{
    for (; *text != '\0'; text++)
        vv_buffer_char(line, (unsigned char)*text < 0x20 || *text == 0x7F ? ' ' : *text);
}

static void log_member(struct vv_buffer *line, const char *name, const char *text)
{
    if (text == NULL)
        return;
    if (log_format == VV_LOG_JSON) {
        vv_buffer_printf(line, ",\"%s\":", name);
        vv_buffer_json(line, text, strlen(text));
    } else {
        vv_buffer_printf(line, " %s=", name);
        log_plain(line, text);
    }
}

static void log_begin(struct vv_buffer *line, int level)
{
    vv_buffer_init(line, NULL);
    if (log_format == VV_LOG_JSON) {
        vv_buffer_text(line, "{\"time\":\"");
        vv_buffer_time(line, vv_clock_wall());
        vv_buffer_printf(line, "\",\"level\":\"%s\",\"process\":\"%s\",\"pid\":%ld",
                         log_level_name(level), log_process, (long)getpid());
    } else {
        vv_buffer_time(line, vv_clock_wall());
        vv_buffer_printf(line, " %-7s %s[%ld]", log_level_name(level), log_process, (long)getpid());
    }
}

static void log_end(struct vv_buffer *line)
{
    vv_buffer_text(line, log_format == VV_LOG_JSON ? "}\n" : "\n");
    log_write(line);
    vv_buffer_free(line);
}

void vv_log_line(int level, struct vv_self *self, struct vv_request *req, const char *format, ...)
{
    char text[LOG_TEXT];
    struct vv_buffer line;
    int saved = errno;
    va_list args;

    if (!vv_log_enabled(level))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_begin(&line, level);
    if (self == NULL && req != NULL)
        self = req->plugin;
    log_member(&line, "plugin", self == NULL ? NULL : self->name);
    log_member(&line, "request_id", req == NULL ? NULL : req->id);
    if (log_format == VV_LOG_JSON) {
        log_member(&line, "message", text);
    } else {
        vv_buffer_text(&line, ": ");
        log_plain(&line, text);
    }
    log_end(&line);
    errno = saved;
}

void vv_log_access(struct vv_request *req, const char *method, const char *path, int status,
                   int64_t microseconds, const char *address)
{
    struct vv_buffer line;

    if (!vv_log_enabled(VV_LOG_INFO))
        return;
    log_begin(&line, VV_LOG_INFO);
    log_member(&line, "plugin", req->plugin == NULL ? NULL : req->plugin->name);
    log_member(&line, "request_id", req->id);
    log_member(&line, "message", "answered");
    log_member(&line, "method", method);
    log_member(&line, "path", path);
    if (log_format == VV_LOG_JSON)
        vv_buffer_printf(&line, ",\"status\":%d,\"duration_ms\":%.3f", status,
                         (double)microseconds / 1000);
    else
        vv_buffer_printf(&line, " status=%d duration_ms=%.3f", status, (double)microseconds / 1000);
    log_member(&line, "address", address);
    log_end(&line);
}
