/* Stack switching in a dozen instructions where we know the machine, with ucontext elsewhere. */
#include "context.h"

#if defined(__x86_64__)

/* System V ABI: rbx, rbp, r12-r15, the control bits of mxcsr and the x87 word belong to the caller.
 */
void vv_context_swap(void **from, void *to) __attribute__((visibility("hidden")));
__asm__(".text\n"
        ".globl vv_context_swap\n"
        ".hidden vv_context_swap\n"
        ".type vv_context_swap,@function\n"
        "vv_context_swap:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    subq $8, %rsp\n"
        "    stmxcsr (%rsp)\n"
        "    fnstcw 4(%rsp)\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    ldmxcsr (%rsp)\n"
        "    fldcw 4(%rsp)\n"
        "    addq $8, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size vv_context_swap,.-vv_context_swap\n");

void vv_context_make(struct vv_context *context, void *stack, size_t size, void (*entry)(void))
{
    uintptr_t top = ((uintptr_t)stack + size) & ~(uintptr_t)15;
    uint64_t *slots = (uint64_t *)top;

    slots[-1] = 0; /* entry()'s return address: the end of a backtrace */
    slots[-2] = (uint64_t)(uintptr_t)entry;
    memset(&slots[-8], 0, 6 * sizeof *slots); /* r15 r14 r13 r12 rbx rbp */
    slots[-9] = UINT64_C(0x0000037F00001F80); /* x87 control word and mxcsr at their defaults */
    context->sp = &slots[-9];
}

void vv_context_switch(struct vv_context *from, struct vv_context *to)
{
    vv_context_swap(&from->sp, to->sp);
}

#elif defined(__aarch64__)

/* AAPCS64: x19-x30 and the low halves of v8-v15 belong to the caller. */
void vv_context_swap(void **from, void *to) __attribute__((visibility("hidden")));
__asm__(".text\n"
        ".globl vv_context_swap\n"
        ".hidden vv_context_swap\n"
        ".type vv_context_swap,%function\n"
        "vv_context_swap:\n"
        "    sub sp, sp, #160\n"
        "    stp x19, x20, [sp, #0]\n"
        "    stp x21, x22, [sp, #16]\n"
        "    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n"
        "    stp x27, x28, [sp, #64]\n"
        "    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n"
        "    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n"
        "    mov x9, sp\n"
        "    str x9, [x0]\n"
        "    mov sp, x1\n"
        "    ldp x19, x20, [sp, #0]\n"
        "    ldp x21, x22, [sp, #16]\n"
        "    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n"
        "    ldp x27, x28, [sp, #64]\n"
        "    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n"
        "    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #160\n"
        "    ret\n"
        ".size vv_context_swap,.-vv_context_swap\n");

void vv_context_make(struct vv_context *context, void *stack, size_t size, void (*entry)(void))
{
    uintptr_t top = ((uintptr_t)stack + size) & ~(uintptr_t)15;
    uint64_t *frame = (uint64_t *)(top - 160);

    memset(frame, 0, 160);
    frame[11] = (uint64_t)(uintptr_t)entry; /* x30 */
    context->sp = frame;
}

void vv_context_switch(struct vv_context *from, struct vv_context *to)
{
    vv_context_swap(&from->sp, to->sp);
}

#else

void vv_context_make(struct vv_context *context, void *stack, size_t size, void (*entry)(void))
{
    vv_assert(getcontext(&context->context) == 0);
    context->context.uc_stack.ss_sp = stack;
    context->context.uc_stack.ss_size = size;
    context->context.uc_link = NULL;
    makecontext(&context->context, entry, 0);
}

void vv_context_switch(struct vv_context *from, struct vv_context *to)
{
    vv_assert(swapcontext(&from->context, &to->context) == 0);
}

#endif
