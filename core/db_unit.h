/* One statement on its way: parameters, what was made of it, and what became of it. */
#ifndef VV_CORE_DB_UNIT_H
#define VV_CORE_DB_UNIT_H

#include "db_param.h"
#include <libpq-fe.h>

/* A statement text that was seen before. One table for all connections of the process, bounded:
 * what comes after VV_DB_STATEMENTS texts runs unprepared. */
#define VV_DB_STATEMENTS 500

struct vv_db_statement {
    uint32_t index;
    char name[24]; /* made of the text's digest, so that one name never means two texts */
    char *sql;
    uint64_t hash;
    struct vv_db_statement *next;
};

/* NULL: the table is full. */
struct vv_db_statement *vv_db_statement_find(const char *sql);

enum vv_db_unit_flag {
    VV_DB_BEGIN = 1,    /* "begin" goes before it */
    VV_DB_SETTINGS = 2, /* behind a pooler: the settings go before it */
    VV_DB_UNNAMED = 4,  /* it is not prepared */
};

/*
 * What goes to the server between two Syncs. It is complete only at its own Sync: a statement may
 * report success and then fail while it is committed.
 */
struct vv_db_unit {
    struct vv_list link; /* in a lane's queue or a connection's list of what was sent */
    const char *sql;
    struct vv_db_statement *statement; /* NULL with VV_DB_UNNAMED */
    struct vv_db_params params;
    uint32_t flags;
    int64_t timeout;    /* a statement_timeout of its own in ms; 0 = none, -1 = as everybody */
    int64_t wait_until; /* steady clock: waits in no queue for longer */
    unsigned tries, most_tries; /* how often it was repeated after a deadlock, and may be */

    /* kept by the lane and the connection that has it */
    struct vv_db_lane *lane; /* in whose queue it is; NULL once it was sent */
    int64_t sent;
    uint32_t generation; /* of its prepared statement on that connection */
    uint32_t before;     /* statements that go before its Parse; UINT32_MAX: it had none */
    uint32_t answered;   /* statements of the unit that succeeded */
    bool planned_anew, abandoned, alone;
    bool gives_back; /* when it is complete, its connection goes back to the pool ... */
    bool rolls_back; /* ... which it does not deserve when this fails */

    /* what became of it: called once, and the unit is the function's */
    void (*done)(struct vv_db_unit *unit);
    void *arg;
    PGresult *result; /* of the statement itself; NULL after an error */
    int code;
    char sqlstate[6];
    char *message; /* PostgreSQL's sentence, without what a caller may have sent */
};

/* A copy of the parameters; NULL: they make no sense. */
struct vv_db_unit *vv_db_unit_new(const char *sql, const struct vv_param *params, size_t count);
void vv_db_unit_free(struct vv_db_unit *unit);

/* Tells its owner, or frees it when nobody waits any more. */
void vv_db_unit_finish(struct vv_db_unit *unit);

/* Makes it as good as new, to be sent again. */
void vv_db_unit_reset(struct vv_db_unit *unit);

/* Nobody waits for it any more: taken out of its queue, or let run and forgotten. */
void vv_db_unit_abandon(struct vv_db_unit *unit);

/* Notes an error; the first one counts. */
void vv_db_unit_fail(struct vv_db_unit *unit, int code);
void vv_db_unit_error(struct vv_db_unit *unit, const PGresult *error);

/* Which code of <vv/base.h> an SQLSTATE is. */
int vv_db_code(const char *sqlstate);

/* A transaction that another one got in the way of: 40001, 40P01. */
bool vv_db_is_conflict(const char *sqlstate);

#endif
