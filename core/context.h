/* Switching stacks: the one machine-dependent piece of the fibers. */
#ifndef VV_CORE_CONTEXT_H
#define VV_CORE_CONTEXT_H

#include "base.h"

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ucontext.h>
#endif

/* A suspended flow of control: its stack pointer; everything else lies on its stack. */
struct vv_context {
    void *sp;
#if !defined(__x86_64__) && !defined(__aarch64__)
    ucontext_t context;
#endif
};

/* Prepares a context that will call entry() on the given stack; entry() must never return. */
void vv_context_make(struct vv_context *context, void *stack, size_t size, void (*entry)(void));

/* Goes on in `to` and comes back when somebody switches to `from`. */
void vv_context_switch(struct vv_context *from, struct vv_context *to);

#endif
