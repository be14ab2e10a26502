/* Metrics in memory that a generation's processes share, and their text for Prometheus. */
#include "metrics.h"
#include "db.h"
#include "fiber.h"
#include "log.h"
#include "plugin.h"
#include "process.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>

#define METRICS_LINE 64 /* bytes; rows of different processes share no cache line */

enum metrics_slot {
    METRICS_STATUS = 0, /* five: 1xx to 5xx */
    METRICS_BUCKET = 5, /* one for each bound, and one for what is slower */
    METRICS_SUM = 19,   /* microseconds */
    METRICS_HELD = 20,
    METRICS_OUTGOING = 21,    /* six: without an answer, 1xx to 5xx */
    METRICS_CONNECTIONS = 27, /* from here on: what is so now */
    METRICS_ACTIVE = 28,
    METRICS_FIBERS = 29,
    METRICS_DATABASE = 30,
    METRICS_PROCESSES = 31,
    METRICS_CORE = 32, /* how many there are; the plugins' follow */
};

/* Bounds of the histogram, in microseconds and as Prometheus wants to read them. */
static const struct {
    int64_t bound;
    const char *text;
} metrics_buckets[] = {
    {500, "0.0005"},  {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},
    {25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
    {1000000, "1"},   {2500000, "2.5"}, {10000000, "10"},
};
_Static_assert(METRICS_SUM - METRICS_BUCKET == VV_ARRAY_SIZE(metrics_buckets) + 1,
               "a slot for each bound and one more");

struct metrics_shared {
    _Atomic bool schema_ready;
    _Alignas(METRICS_LINE) _Atomic int64_t slots[];
};

static struct {
    struct metrics_shared *shared; /* NULL: this process counts nothing */
    const struct vv_plugins *plugins;
    size_t stride; /* slots of a row */
    unsigned rows;
    unsigned row; /* this process's own */
    bool attached;
    int64_t held_before; /* by the row's earlier processes */
} metrics;

void vv_metrics_create(const struct vv_plugins *plugins, unsigned processes)
{
    const size_t line = METRICS_LINE / sizeof(int64_t);
    size_t count = METRICS_CORE;
    size_t i;
    void *memory;

    for (i = 0; i < plugins->enabled_count; i++) {
        plugins->all[i]->first_metric = (uint32_t)count;
        count += plugins->all[i]->metric_count;
    }
    metrics.plugins = plugins;
    metrics.rows = processes;
    metrics.stride = (count + line - 1) / line * line;
    memory =
        mmap(NULL, sizeof(struct metrics_shared) + metrics.stride * processes * sizeof(int64_t),
             PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    vv_assert(memory != MAP_FAILED);
    metrics.shared = memory;
}

/* A row has one writer: no two threads ever add to one slot. */
static void metrics_set(size_t slot, int64_t value)
{
    atomic_store_explicit(&metrics.shared->slots[metrics.row * metrics.stride + slot], value,
                          memory_order_relaxed);
}

static int64_t metrics_get(size_t row, size_t slot)
{
    return atomic_load_explicit(&metrics.shared->slots[row * metrics.stride + slot],
                                memory_order_relaxed);
}

static void metrics_add(size_t slot, int64_t amount)
{
    if (metrics.attached)
        metrics_set(slot, metrics_get(metrics.row, slot) + amount);
}

void vv_metrics_attach(unsigned row)
{
    size_t i, k;

    vv_assert(metrics.shared != NULL && row < metrics.rows);
    metrics.row = row;
    metrics.attached = true;
    /* What was so in a process that is gone is so no more. */
    for (i = METRICS_CONNECTIONS; i < METRICS_CORE; i++)
        metrics_set(i, 0);
    for (i = 0; i < metrics.plugins->enabled_count; i++) {
        const struct vv_self *plugin = metrics.plugins->all[i];

        for (k = 0; k < plugin->metric_count; k++)
            if (plugin->metrics[k].type == VV_METRIC_TYPE_GAUGE)
                metrics_set(plugin->first_metric + k, 0);
    }
    metrics_set(METRICS_PROCESSES, 1);
    metrics.held_before = metrics_get(row, METRICS_HELD);
}

void vv_metrics_add(struct vv_self *self, uint32_t index, int64_t amount)
{
    if (index >= self->metric_count) {
        vv_log_line(VV_LOG_ERROR, self, NULL, "there is no metric %" PRIu32 " in its table", index);
        return;
    }
    metrics_add(self->first_metric + index, amount);
}

void vv_metrics_outgoing(uint32_t status)
{
    metrics_add(METRICS_OUTGOING + (status >= 600 ? 0 : status / 100), 1);
}

void vv_metrics_request(int status, int64_t microseconds)
{
    size_t bucket = 0;

    if (status >= 100 && status <= 599)
        metrics_add(METRICS_STATUS + (size_t)(status / 100) - 1, 1);
    while (bucket < VV_ARRAY_SIZE(metrics_buckets) && microseconds > metrics_buckets[bucket].bound)
        bucket++;
    metrics_add(METRICS_BUCKET + bucket, 1);
    metrics_add(METRICS_SUM, microseconds);
}

void vv_metrics_gauges(unsigned connections, unsigned active)
{
    if (!metrics.attached)
        return;
    metrics_set(METRICS_CONNECTIONS, connections);
    metrics_set(METRICS_ACTIVE, active);
    metrics_set(METRICS_FIBERS, vv_fibers_alive());
    metrics_set(METRICS_DATABASE, vv_db_ready());
    metrics_set(METRICS_HELD, metrics.held_before + (int64_t)vv_fibers_held());
}

static int64_t metrics_total(size_t slot)
{
    int64_t total = 0;
    unsigned row;

    for (row = 0; row < metrics.rows; row++)
        total += metrics_get(row, slot);
    return total;
}

static void metrics_head(struct vv_buffer *out, const char *name, uint32_t type, const char *help)
{
    vv_buffer_printf(out, "# HELP %s ", name);
    for (help = help == NULL ? "" : help; *help != '\0'; help++) {
        if (*help == '\\' || *help == '\n')
            vv_buffer_char(out, '\\');
        vv_buffer_char(out, *help == '\n' ? 'n' : *help);
    }
    vv_buffer_printf(out, "\n# TYPE %s %s\n", name,
                     type == VV_METRIC_TYPE_GAUGE ? "gauge" : "counter");
}

static void metrics_simple(struct vv_buffer *out, const char *name, uint32_t type, const char *help,
                           int64_t value)
{
    metrics_head(out, name, type, help);
    vv_buffer_printf(out, "%s %" PRId64 "\n", name, value);
}

static void metrics_requests(struct vv_buffer *out)
{
    int64_t count = 0;
    int64_t sum = metrics_total(METRICS_SUM);
    size_t i;

    metrics_head(out, "vv_http_requests_total", VV_METRIC_TYPE_COUNTER,
                 "Answered requests by class of status");
    for (i = 0; i < 5; i++)
        vv_buffer_printf(out, "vv_http_requests_total{status=\"%zuxx\"} %" PRId64 "\n", i + 1,
                         metrics_total(METRICS_STATUS + i));
    vv_buffer_text(out, "# HELP vv_http_request_duration_seconds From the first byte of a request "
                        "to its answer\n# TYPE vv_http_request_duration_seconds histogram\n");
    for (i = 0; i < VV_ARRAY_SIZE(metrics_buckets); i++) {
        count += metrics_total(METRICS_BUCKET + i);
        vv_buffer_printf(out, "vv_http_request_duration_seconds_bucket{le=\"%s\"} %" PRId64 "\n",
                         metrics_buckets[i].text, count);
    }
    count += metrics_total(METRICS_BUCKET + i);
    vv_buffer_printf(out,
                     "vv_http_request_duration_seconds_bucket{le=\"+Inf\"} %" PRId64 "\n"
                     "vv_http_request_duration_seconds_sum %" PRId64 ".%06" PRId64 "\n"
                     "vv_http_request_duration_seconds_count %" PRId64 "\n",
                     count, sum / 1000000, sum % 1000000, count);
}

static void metrics_calls(struct vv_buffer *out)
{
    static const char *const results[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    size_t i;

    metrics_head(out, "vv_outgoing_calls_total", VV_METRIC_TYPE_COUNTER,
                 "Outgoing HTTP calls by class of their last answer's status");
    for (i = 0; i < VV_ARRAY_SIZE(results); i++)
        vv_buffer_printf(out, "vv_outgoing_calls_total{status=\"%s\"} %" PRId64 "\n", results[i],
                         metrics_total(METRICS_OUTGOING + i));
}

static void metrics_core(struct vv_buffer *out)
{
    static const struct {
        size_t slot;
        uint32_t type;
        const char *name, *help;
    } simple[] = {
        {METRICS_HELD, VV_METRIC_TYPE_COUNTER, "vv_loop_held_total",
         "Times that a handler held the loop for over 50 ms"},
        {METRICS_CONNECTIONS, VV_METRIC_TYPE_GAUGE, "vv_http_connections", "Open connections"},
        {METRICS_ACTIVE, VV_METRIC_TYPE_GAUGE, "vv_http_requests_active",
         "Requests that are being handled"},
        {METRICS_FIBERS, VV_METRIC_TYPE_GAUGE, "vv_fibers", "Fibers that are alive"},
        {METRICS_DATABASE, VV_METRIC_TYPE_GAUGE, "vv_database_ready",
         "Processes that reach the database"},
        {METRICS_PROCESSES, VV_METRIC_TYPE_GAUGE, "vv_processes",
         "Places for workers and job workers that are filled"},
    };
    size_t i;

    vv_buffer_text(out, "# HELP vv_build_info The server's version\n# TYPE vv_build_info gauge\n"
                        "vv_build_info{version=\"" VV_VERSION "\"} 1\n");
    metrics_simple(out, "vv_uptime_seconds", VV_METRIC_TYPE_GAUGE,
                   "Since the first process was started", vv_uptime() / 1000000);
    metrics_requests(out);
    metrics_calls(out);
    for (i = 0; i < VV_ARRAY_SIZE(simple); i++)
        metrics_simple(out, simple[i].name, simple[i].type, simple[i].help,
                       metrics_total(simple[i].slot));
}

/* The plugins' metrics, of which the one numbered `index` is looked for. */
static const struct vv_metric *metrics_nth(size_t index, size_t *ret_slot)
{
    size_t i;

    for (i = 0; i < metrics.plugins->enabled_count; i++) {
        const struct vv_self *plugin = metrics.plugins->all[i];

        if (index < plugin->metric_count) {
            *ret_slot = plugin->first_metric + index;
            return &plugin->metrics[index];
        }
        index -= plugin->metric_count;
    }
    return NULL;
}

/* All slots of one name stand together, under one head: the format demands it. */
static void metrics_plugins(struct vv_buffer *out)
{
    const struct vv_metric *metric, *other;
    size_t i, k, slot;

    for (i = 0; (metric = metrics_nth(i, &slot)) != NULL; i++) {
        for (k = 0; k < i; k++)
            if (strcmp(metrics_nth(k, &slot)->name, metric->name) == 0)
                break;
        if (k < i)
            continue;
        metrics_head(out, metric->name, metric->type, metric->help);
        for (k = i; (other = metrics_nth(k, &slot)) != NULL; k++) {
            if (strcmp(other->name, metric->name) != 0)
                continue;
            if (other->labels == NULL)
                vv_buffer_printf(out, "%s %" PRId64 "\n", other->name, metrics_total(slot));
            else
                vv_buffer_printf(out, "%s{%s} %" PRId64 "\n", other->name, other->labels,
                                 metrics_total(slot));
        }
    }
}

void vv_metrics_text(struct vv_buffer *out)
{
    if (metrics.shared == NULL)
        return;
    metrics_core(out);
    metrics_plugins(out);
}

void vv_metrics_set_schema_ready(void)
{
    if (metrics.shared != NULL)
        atomic_store(&metrics.shared->schema_ready, true);
}

bool vv_metrics_schema_ready(void)
{
    return metrics.shared != NULL && atomic_load(&metrics.shared->schema_ready);
}
