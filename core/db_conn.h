/* One connection to PostgreSQL, in pipeline mode, on the loop. */
#ifndef VV_CORE_DB_CONN_H
#define VV_CORE_DB_CONN_H

#include "db_unit.h"

struct event;
struct event_base;
struct vv_db_conn;

enum vv_db_conn_state {
    VV_DB_CLOSED,     /* nobody asked for it, or it was lost */
    VV_DB_PAUSED,     /* lost; tries again when its timer fires */
    VV_DB_CONNECTING, /* libpq is at it */
    VV_DB_SETTING_UP, /* connected; its settings are on their way */
    VV_DB_READY,
};

struct vv_db_conn_owner {
    /* It has become ready, or was lost, or could not be made. */
    void (*changed)(struct vv_db_conn *conn);
    /* The unit's outcome stands; it is the owner's now. */
    void (*completed)(struct vv_db_conn *conn, struct vv_db_unit *unit);
    bool persistent; /* it comes back by itself */
};

struct vv_db_conn {
    enum vv_db_conn_state state;
    PGconn *pg;
    struct event_base *base;
    const struct vv_db_conn_owner *owner;
    struct event *read, *write, *timer;
    struct vv_list sent; /* units, oldest first */
    unsigned sent_count;
    int64_t progress;  /* steady clock: when it last answered */
    unsigned failures; /* attempts since it was last ready */
    unsigned idle_results;
    int64_t statement_timeout, lock_timeout; /* in ms, of units without a timeout of their own */
    bool pooled;                             /* something like PgBouncer is in between */
    bool dirty;          /* must not be used again: closed when what was sent is answered */
    bool broken;         /* libpq refused to send: closed at once */
    unsigned epoch;      /* how many connections it has been */
    uint32_t *plans;     /* of each statement: twice the generation, plus one when it is prepared */
    struct vv_list link; /* the pool's */
    bool taken;          /* the pool's: somebody's exclusively */
};

void vv_db_conn_init(struct vv_db_conn *conn, struct event_base *base,
                     const struct vv_db_conn_owner *owner);
void vv_db_conn_open(struct vv_db_conn *conn);

/* Ends it; what it holds fails with VV_EUNAVAILABLE. It does not come back until opened. */
void vv_db_conn_close(struct vv_db_conn *conn);

/* As above and as if the other side had done it: one that is persistent comes back. */
void vv_db_conn_lose(struct vv_db_conn *conn, const char *why);

/* Gives a unit to a ready connection. */
void vv_db_conn_send(struct vv_db_conn *conn, struct vv_db_unit *unit);

/* Whether it has not answered for so long that it must be dead. */
bool vv_db_conn_stuck(const struct vv_db_conn *conn, int64_t now);

/* The last attempt to connect failed. */
bool vv_db_conn_away(const struct vv_db_conn *conn);

/* The time of the last statement that was alone on its way, in microseconds. */
int64_t vv_db_conn_latency(void);

#endif
