/* Hooks: typed events that one plugin emits and others take part in. */
#ifndef VV_HOOK_H
#define VV_HOOK_H

#include <vv/base.h>

VV_BEGIN_C

/* Lower runs first; plugins of one priority run in the order in which they were started. */
enum vv_priority {
    VV_PRIORITY_FIRST = -100,
    VV_PRIORITY_NORMAL = 0,
    VV_PRIORITY_LAST = 100,
};

/*
 * What happened. The emitter fills it in (through VV_EVENT()) and emits it with vv_emit(); every
 * hook of that name runs on the emitter's fiber, in order, and may wait.
 *
 * An event with a transaction is part of it: what hooks write through `tx` is committed or rolled
 * back together with the change, and a hook that returns an error stops the change.
 */
struct vv_event {
    uint32_t size;
    const char *name;      /* "user.registered" */
    struct vv_tx *tx;      /* the change's transaction; NULL when there is none */
    const void *data;      /* the event's own struct, see the header of its emitter; begins with its
                            * size; borrowed */
    struct vv_json *reply; /* the open object of the answer, to which hooks may add; or NULL */
};

/* Returns VV_NEXT to go on, VV_DONE to ask no later hook, or an error that stops the emitter. */
typedef int vv_hook_function(struct vv_request *req, struct vv_event *event);

/* An element of a table of hooks. */
struct vv_hook {
    const char *event;
    int32_t priority;
    vv_hook_function *function;
};

/*
 * The core's own events.
 *
 * "request.identify": somebody must say who calls. Data: struct vv_identify. A hook that knows the
 * credential calls vv_set_caller() and returns VV_DONE; one that finds it bad returns vv_fail(401);
 * one to which it means nothing returns VV_NEXT.
 */
struct vv_identify {
    uint32_t size;
    uint32_t who;              /* enum vv_who: what the route demands */
    const char *authorization; /* the header of that name; NULL when absent */
    const char *api_key;       /* the header X-API-Key; NULL when absent */
};

VV_END_C

#define VV_HOOK(name, rank, callback) \
    VV_ELEMENT_(vv_hook, VV_SET(event, name), VV_SET(priority, rank), VV_SET(function, callback))

#endif
