/* Fills in the host table: which function of the core stands behind each of its members. */
#include "config.h"
#include "db.h"
#include "http.h"
#include "jobs.h"
#include "json.h"
#include "log.h"
#include "metrics.h"
#include "offload.h"
#include "outgoing.h"
#include "plugin.h"
#include "rate_limits.h"

static void host_log(struct vv_self *self, struct vv_request *req, int level, const char *text)
{
    vv_log_line(level, self, req, "%s", text);
}

static const char *host_sqlstate(struct vv_request *req)
{
    return req->sqlstate;
}

static const struct vv_host host_table = {
    .size = sizeof(struct vv_host),
    .major = VV_SDK_MAJOR,
    .minor = VV_SDK_MINOR,

    .conf = vv_plugin_conf,
    .server_option = vv_config_server_option,
    .log = host_log,
    .publish = vv_plugin_publish,
    .service = vv_plugin_service,
    .emit = vv_plugin_emit,
    .metric_add = vv_metrics_add,

    .alloc = vv_request_alloc,
    .defer = vv_request_defer,
    .sleep = vv_request_sleep,
    .offload = vv_offload_call,

    .info = vv_http_info,
    .header = vv_http_header,
    .args = vv_http_args,
    .body = vv_http_body,
    .body_bytes = vv_http_body_bytes,
    .caller = vv_http_caller,
    .set_caller = vv_http_set_caller,

    .fail = vv_request_fail,
    .fail_field = vv_request_fail_field,
    .reply_header = vv_http_reply_header,
    .reply = vv_http_reply,
    .reply_bytes = vv_http_reply_bytes,
    .print = vv_request_print,

    .json_new = vv_json_new,
    .json_put = vv_json_put,
    .json_open = vv_json_open,
    .json_close = vv_json_close,
    .json_text = vv_json_finish,
    .parse = vv_json_parse_host,
    .value_type = vv_value_kind,
    .value_count = vv_value_length,
    .value_get = vv_value_member,
    .value_at = vv_value_element,
    .value_param = vv_value_scalar,
    .value_json = vv_value_text,

    .query = vv_db_query,
    .batch = vv_db_batch,
    .begin = vv_db_begin,
    .tx_query = vv_db_tx_query,
    .commit = vv_db_commit,
    .rollback = vv_db_rollback,
    .tx_request = vv_db_tx_request,
    .rows_count = vv_db_rows_count,
    .rows_affected = vv_db_rows_affected,
    .rows_column = vv_db_rows_column,
    .rows_name = vv_db_rows_name,
    .rows_value = vv_db_rows_value,
    .sqlstate = host_sqlstate,
    .enqueue = vv_jobs_enqueue,
    .step = vv_request_step,

    .section_count = vv_plugin_section_count,
    .section = vv_plugin_section,
    .http_call = vv_outgoing_call,
    .http_status = vv_outgoing_status,
    .http_body = vv_outgoing_body,
    .http_header = vv_outgoing_header,

    .rate_take = vv_limits_host,
};

void vv_host_fill(struct vv_self *self)
{
    self->host = host_table;
    self->host.self = self;
}
