/* The life of one connection: made in the background, read, flushed, lost, made again. */
#include "db_conn.h"

#include "config.h"
#include "db_connect.h"
#include "db_send.h"
#include "log.h"

#include <event2/event.h>

#define CONN_FIRST_PAUSE 50000    /* microseconds before the second attempt, doubling ... */
#define CONN_LAST_PAUSE  1000000  /* ... up to this: back within 2 s after PostgreSQL is */
#define CONN_GRACE       5000000  /* past statement_timeout a server that says nothing is dead */
#define CONN_QUIET       10000000 /* between two log lines on the same failure */

static int64_t conn_latency;
static int64_t conn_complained; /* when the log last said that the database is away */

static void conn_on_read(evutil_socket_t fd, short what, void *arg);
static void conn_on_write(evutil_socket_t fd, short what, void *arg);
static void conn_on_timer(evutil_socket_t fd, short what, void *arg);
static void conn_wait_for(struct vv_db_conn *conn, PostgresPollingStatusType wanted);

void vv_db_conn_init(struct vv_db_conn *conn, struct event_base *base,
                     const struct vv_db_conn_owner *owner)
{
    memset(conn, 0, sizeof *conn);
    conn->base = base;
    conn->owner = owner;
    conn->statement_timeout = vv_config->database.statement_timeout;
    conn->lock_timeout = vv_config->database.lock_timeout;
    vv_list_init(&conn->sent);
    vv_list_init(&conn->link);
    conn->timer = evtimer_new(base, conn_on_timer, conn);
    vv_assert(conn->timer != NULL);
}

int64_t vv_db_conn_latency(void)
{
    return conn_latency;
}

bool vv_db_conn_away(const struct vv_db_conn *conn)
{
    return conn->state != VV_DB_READY && conn->failures > 0;
}

static void conn_timer(struct vv_db_conn *conn, int64_t microseconds)
{
    struct timeval after = {.tv_sec = (time_t)(microseconds / 1000000),
                            .tv_usec = (suseconds_t)(microseconds % 1000000)};

    evtimer_add(conn->timer, &after);
}

/* Always before libpq may close the socket: epoll's changes are written late, and would otherwise
 * be made to whatever has the same number by then. */
static void conn_drop_events(struct vv_db_conn *conn)
{
    if (conn->read != NULL)
        event_free(conn->read);
    if (conn->write != NULL)
        event_free(conn->write);
    conn->read = conn->write = NULL;
}

static void conn_tear_down(struct vv_db_conn *conn)
{
    conn_drop_events(conn);
    evtimer_del(conn->timer);
    PQfinish(conn->pg);
    conn->pg = NULL;
    conn->pooled = conn->dirty = conn->broken = false;
    conn->epoch++;
    conn->idle_results = 0;
    free(conn->plans);
    conn->plans = NULL;
}

/* Some of it may have run: nobody can know. */
static void conn_fail_sent(struct vv_db_conn *conn)
{
    struct vv_list lost, *item;

    vv_list_init(&lost);
    while ((item = vv_list_shift(&conn->sent)) != NULL)
        vv_list_append(&lost, item);
    conn->sent_count = 0;
    while ((item = vv_list_shift(&lost)) != NULL) {
        struct vv_db_unit *unit = VV_CONTAINER(item, struct vv_db_unit, link);

        unit->code = 0;
        vv_db_unit_fail(unit, VV_EUNAVAILABLE);
        unit->sqlstate[0] = '\0';
        if (unit->arg == conn)
            vv_db_unit_free(unit); /* the setup: the connection's own */
        else
            conn->owner->completed(conn, unit);
    }
}

static void conn_complain(const char *why)
{
    int64_t now = vv_clock_steady();

    if (conn_complained != 0 && now - conn_complained < CONN_QUIET)
        return;
    conn_complained = now;
    vv_warning("the database is away: %.*s", (int)strcspn(why, "\n"), why);
}

/* The connection is gone, or never came to be. */
static void conn_gone(struct vv_db_conn *conn, const char *why)
{
    bool was_ready = conn->state == VV_DB_READY;
    const char *message = PQerrorMessage(conn->pg);
    unsigned shift;

    conn_complain(why != NULL ? why : message[0] != '\0' ? message : "no reason is known");
    conn_tear_down(conn);
    /* One that served until now is tried again at once: a restart is over soon. */
    conn->failures = was_ready ? 0 : conn->failures + 1;
    shift = VV_MIN(conn->failures, 6u);
    if (conn->owner->persistent) {
        int64_t pause = VV_MIN((int64_t)CONN_FIRST_PAUSE << shift, (int64_t)CONN_LAST_PAUSE);
        uint16_t random;

        vv_random_bytes(&random, sizeof random);
        conn->state = VV_DB_PAUSED;
        conn_timer(conn, was_ready ? 1000 : pause / 2 + pause / 2 * random / UINT16_MAX);
    } else {
        conn->state = VV_DB_CLOSED;
    }
    conn_fail_sent(conn);
    conn->owner->changed(conn);
}

void vv_db_conn_lose(struct vv_db_conn *conn, const char *why)
{
    conn_gone(conn, why);
}

void vv_db_conn_close(struct vv_db_conn *conn)
{
    conn_tear_down(conn);
    conn->state = VV_DB_CLOSED;
    conn_fail_sent(conn);
}

void vv_db_conn_open(struct vv_db_conn *conn)
{
    vv_assert(conn->state == VV_DB_CLOSED || conn->state == VV_DB_PAUSED);
    conn->state = VV_DB_CONNECTING;
    conn->pg = vv_db_connect_start(conn->failures);
    conn_timer(conn, vv_config->database.connect_timeout * 1000);
    /* A failure is told from the loop, so that whoever opens it has not to expect it here. */
    if (PQstatus(conn->pg) == CONNECTION_BAD)
        conn_timer(conn, 0);
    else
        conn_wait_for(conn, PGRES_POLLING_WRITING);
}

static void conn_setup(struct vv_db_conn *conn)
{
    struct vv_db_unit *unit;

    conn_drop_events(conn);
    conn->state = VV_DB_SETTING_UP;
    conn->plans = vv_xcalloc(VV_DB_STATEMENTS, sizeof *conn->plans);
    if (PQsetnonblocking(conn->pg, 1) != 0 || PQenterPipelineMode(conn->pg) != 1) {
        conn_gone(conn, NULL);
        return;
    }
    conn->read =
        event_new(conn->base, PQsocket(conn->pg), EV_READ | EV_PERSIST, conn_on_read, conn);
    conn->write = event_new(conn->base, PQsocket(conn->pg), EV_WRITE, conn_on_write, conn);
    vv_assert(conn->read != NULL && conn->write != NULL);
    event_add(conn->read, NULL);
    unit = vv_db_setup_unit(conn);
    unit->arg = conn;
    vv_db_conn_send(conn, unit);
}

static void conn_set_up(struct vv_db_conn *conn, struct vv_db_unit *unit)
{
    int code = unit->code;

    if (code != 0)
        conn_complain(unit->message == NULL ? "its settings were refused" : unit->message);
    else
        conn->pooled = vv_db_setup_pooled(conn, unit);
    vv_db_unit_free(unit);
    if (code != 0) {
        conn_gone(conn, "the settings of the connection were refused");
        return;
    }
    evtimer_del(conn->timer);
    if (conn_complained != 0)
        vv_info_("the database is there");
    conn_complained = 0;
    conn->failures = 0;
    conn->state = VV_DB_READY;
    conn->owner->changed(conn);
}

static void conn_on_poll(evutil_socket_t fd, short what, void *arg)
{
    struct vv_db_conn *conn = arg;
    PostgresPollingStatusType wanted;

    (void)fd, (void)what;
    conn_drop_events(conn); /* polling may go on to another host, with another socket */
    wanted = PQconnectPoll(conn->pg);
    if (wanted == PGRES_POLLING_OK)
        conn_setup(conn);
    else if (wanted == PGRES_POLLING_FAILED)
        conn_gone(conn, NULL);
    else
        conn_wait_for(conn, wanted);
}

static void conn_wait_for(struct vv_db_conn *conn, PostgresPollingStatusType wanted)
{
    short what = wanted == PGRES_POLLING_READING ? EV_READ : EV_WRITE;

    conn->read = event_new(conn->base, PQsocket(conn->pg), what, conn_on_poll, conn);
    vv_assert(conn->read != NULL);
    event_add(conn->read, NULL);
}

static void conn_on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct vv_db_conn *conn = arg;

    (void)fd, (void)what;
    if (conn->state == VV_DB_PAUSED)
        vv_db_conn_open(conn);
    else if (PQstatus(conn->pg) == CONNECTION_BAD)
        conn_gone(conn, NULL);
    else
        conn_gone(conn, "it does not answer within connect_timeout");
}

static void conn_flush(struct vv_db_conn *conn)
{
    if (PQflush(conn->pg) != 0)
        event_add(conn->write, NULL);
}

void vv_db_conn_send(struct vv_db_conn *conn, struct vv_db_unit *unit)
{
    bool written;

    vv_list_append(&conn->sent, &unit->link);
    unit->alone = conn->sent_count++ == 0;
    unit->sent = vv_clock_steady();
    written =
        conn->state == VV_DB_READY ? vv_db_send_unit(conn, unit) : vv_db_send_setup(conn, unit);
    if (written) {
        conn_flush(conn);
        return;
    }
    conn->broken = true;
    event_active(conn->read, EV_READ, 0); /* from the loop, so that senders need not expect it */
}

/* The head of the line has its Sync. */
static void conn_complete(struct vv_db_conn *conn)
{
    struct vv_db_unit *unit = VV_CONTAINER(vv_list_shift(&conn->sent), struct vv_db_unit, link);

    conn->sent_count--;
    conn->progress = vv_clock_steady();
    if (unit->alone)
        conn_latency = conn->progress - unit->sent;
    if (conn->state == VV_DB_SETTING_UP) {
        conn_set_up(conn, unit);
        return;
    }
    vv_db_send_learn(conn, unit);
    if (strcmp(unit->sqlstate, "25006") == 0)
        conn->dirty = true; /* the server has become a standby: another one is the primary */
    conn->owner->completed(conn, unit);
}

static void conn_take(struct vv_db_conn *conn, PGresult *result)
{
    struct vv_db_unit *unit = VV_CONTAINER(conn->sent.next, struct vv_db_unit, link);

    switch (PQresultStatus(result)) {
    case PGRES_PIPELINE_SYNC:
        PQclear(result);
        conn_complete(conn);
        return;
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
        PQclear(unit->result);
        unit->result = result;
        unit->answered++;
        return;
    case PGRES_PIPELINE_ABORTED:
        break; /* a statement after the one that failed */
    default:
        vv_db_unit_error(unit, result);
    }
    PQclear(result);
}

/* Takes what has arrived. libpq says NULL between statements, when nothing more is there, and for
 * ever when the connection is dead. */
static void conn_drain(struct vv_db_conn *conn)
{
    unsigned epoch = conn->epoch;
    PGconn *pg = conn->pg;

    while (conn->epoch == epoch && !vv_list_empty(&conn->sent) && !PQisBusy(pg)) {
        PGresult *result = PQgetResult(pg);

        if (result != NULL) {
            conn->idle_results = 0;
            conn_take(conn, result);
        } else if (++conn->idle_results > 2 || PQstatus(pg) == CONNECTION_BAD) {
            return;
        }
    }
}

static void conn_on_read(evutil_socket_t fd, short what, void *arg)
{
    struct vv_db_conn *conn = arg;
    unsigned epoch = conn->epoch;
    PGconn *pg = conn->pg;
    bool alive;

    (void)fd, (void)what;
    alive = PQconsumeInput(pg) == 1;
    conn_drain(conn); /* also what came before the end */
    if (conn->epoch != epoch)
        return;
    if (!alive || PQstatus(pg) == CONNECTION_BAD || conn->broken || conn->idle_results > 2)
        conn_gone(conn, NULL);
    else if (conn->dirty && vv_list_empty(&conn->sent))
        conn_gone(conn, "the server takes no changes any more");
    else
        conn_flush(conn);
}

/* libpq may also have read, to make room for what it had to write. */
static void conn_on_write(evutil_socket_t fd, short what, void *arg)
{
    conn_on_read(fd, what, arg);
}

bool vv_db_conn_stuck(const struct vv_db_conn *conn, int64_t now)
{
    const struct vv_db_unit *head = VV_CONTAINER(conn->sent.next, struct vv_db_unit, link);
    int64_t limit = conn->statement_timeout * 1000 + CONN_GRACE;

    if (vv_list_empty(&conn->sent) || conn->state != VV_DB_READY)
        return false;
    /* A unit with a timeout of its own may take that long; one without any, for ever. */
    if (head->timeout == 0)
        return false;
    if (head->timeout > 0)
        limit = head->timeout * 1000 + CONN_GRACE;
    return now - VV_MAX(conn->progress, head->sent) > limit;
}
