/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The x86-64 gates. A gate is called by a stub with the application's registers live, 128 bytes
 * below its stack pointer:
 *
 *     site %rsp ->  128(%rsp)
 *                     0(%rsp)  slot: tag|nr, tsc       (elf/emit.h)
 *                    -8(%rsp)  return address into the stub
 *                              [flags] rbp, callee-saved registers, padding, struct sc_call
 *
 * rcx and r11 are free there: the kernel overwrites them at every call.
 *
 * Longer than other files: the gates are assembly that shares this one frame layout, best compared side by side.
 */
#include <stddef.h>
#include "base/calls.h"
#include "base/mem.h"
#include "elf/emit.h"
#include "patch/arch/x86_64/gate.h"

struct sc_gate_handlers sc_gate_handlers SC_AT_START;

_Static_assert(sizeof(struct sc_call) == 72 && offsetof(struct sc_call, nr) == 56 &&
		       offsetof(struct sc_call, start) == 60 && offsetof(struct sc_call, sp) == 64,
	       "the gates build struct sc_call by pushes");
_Static_assert(sizeof(struct sc_call_info) == 2 && offsetof(struct sc_call_info, flags) == 0 &&
		       SC_CALL_PRE == 4 && SC_NR_MAX == 512 && SC_SLOT_TAG == 0x5c0e0000u,
	       "the gates look into the table of calls");

__asm__(".pushsection .text\n"
	".globl sc_gates_begin\n.hidden sc_gates_begin\nsc_gates_begin:\n"
	/*
	 * A frame. Callee-saved registers are kept not for our sake, C code keeps them: they are where cancel.c
	 * finds the program's values, whatever C code has done with the registers since. At -8…-40 of the frame.
	 */
	".macro SC_ENTER\n"
	"	push %rbp\n"
	"	mov %rsp,%rbp\n"
	"	push %rbx\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
	".endm\n"
	".macro SC_LEAVE\n"
	"	mov %rbp,%rsp\n"
	"	pop %rbp\n"
	".endm\n"
	/* Makes struct sc_call: rcx nr and start, r11 is kept behind it at 72, the site's stack pointer is rbp + sp. */
	".macro SC_MAKE_CALL sp\n"
	"	and $-16,%rsp\n"
	"	push %r11\n"
	"	lea \\sp(%rbp),%r11\n"
	"	push %r11\n"
	"	push %rcx\n"
	"	push %r9\n"
	"	push %r8\n"
	"	push %r10\n"
	"	push %rdx\n"
	"	push %rsi\n"
	"	push %rdi\n"
	"	push %rax\n"
	".endm\n"
	".macro SC_HANDLE handler\n"
	"	mov %rsp,%rdi\n"
	"	call *\\handler+sc_gate_handlers(%rip)\n"
	".endm\n"
	/* Takes the registers back from it. */
	".macro SC_TAKE_CALL\n"
	"	pop %rax\n"
	"	pop %rdi\n"
	"	pop %rsi\n"
	"	pop %rdx\n"
	"	pop %r10\n"
	"	pop %r8\n"
	"	pop %r9\n"
	".endm\n"
	".macro SC_GATE name\n"
	".globl \\name\n.hidden \\name\n.type \\name,@function\n.balign 16\n"
	"\\name:\n"
	".endm\n"
	".popsection\n");

/* In: rax result, arguments in place, rcx slot or constant, r11d number should the slot be no slot. */
__asm__(".pushsection .text\n"
	".macro SC_GATE_POST name, flags\n"
	"SC_GATE \\name\n"
	".if \\flags\n pushfq\n.endif\n"
	"	SC_ENTER\n"
	"	SC_MAKE_CALL 16+8*\\flags+128\n"
	"	mov %ecx,%edi\n"
	"	xor $0x5c0e0000,%edi\n"
	"	cmp $511,%edi\n"
	"	ja 2f\n"
	"	mov %edi,56(%rsp)\n"
	"1:	SC_HANDLE 0\n"
	"3:	SC_TAKE_CALL\n"
	"	SC_LEAVE\n"
	".if \\flags\n popfq\n.endif\n"
	"	ret\n"
	"2:	mov 72(%rsp),%edi\n"
	"	mov %rdi,56(%rsp)\n"
	"	cmp $511,%edi\n"
	"	jbe 1b\n"
	"	jmp 3b\n"
	".size \\name, . - \\name\n"
	".endm\n"
	"SC_GATE_POST sc_gate_post, 0\n"
	"SC_GATE_POST sc_gate_post_flags, 1\n"
	/*
	 * Behind a call where other code arrives too: only a tagged slot means that the call was made, and it
	 * is used up. Everything is kept, for whoever else comes along.
	 */
	"SC_GATE sc_gate_post_shared\n"
	"	pushfq\n"
	"	push %rcx\n"
	"	push %r11\n"
	"	mov 32(%rsp),%rcx\n" /* the slot, above the return address */
	"	mov %ecx,%r11d\n"
	"	xor $0x5c0e0000,%r11d\n"
	"	cmp $511,%r11d\n"
	"	ja 1f\n"
	"	movl $0,32(%rsp)\n"
	"	shr $32,%rcx\n"
	"	shl $32,%rcx\n"
	"	or %r11,%rcx\n"
	"	SC_ENTER\n"
	"	SC_MAKE_CALL 40+128\n"
	"	SC_HANDLE 0\n"
	"	SC_TAKE_CALL\n"
	"	SC_LEAVE\n"
	"1:	pop %r11\n"
	"	pop %rcx\n"
	"	popfq\n"
	"	ret\n"
	".size sc_gate_post_shared, . - sc_gate_post_shared\n"
	".popsection\n");

/* In: rax number, arguments in place. */
__asm__(".pushsection .text\n"
	".macro SC_GATE_PRE name, flags\n"
	"SC_GATE \\name\n"
	".if \\flags\n pushfq\n.endif\n"
	"	cmp $511,%rax\n"
	"	ja 1f\n"
	"	lea sc_call_table(%rip),%rcx\n"
	"	testb $4,(%rcx,%rax,2)\n"
	"	jz 1f\n"
	"	mov %rax,%rcx\n" /* nr, start 0 */
	"	SC_ENTER\n"
	"	SC_MAKE_CALL 16+8*\\flags+128\n"
	"	SC_HANDLE 8\n"
	"	SC_TAKE_CALL\n"
	"	SC_LEAVE\n"
	"1:\n"
	".if \\flags\n popfq\n.endif\n"
	"	ret\n"
	".size \\name, . - \\name\n"
	".endm\n"
	"SC_GATE_PRE sc_gate_pre, 0\n"
	"SC_GATE_PRE sc_gate_pre_flags, 1\n"
	".popsection\n");

/*
 * At a call of __syscall_cancel_arch(flag, nr, a1 … a6): rsi number, a1…a4 in rdx rcx r8 r9, a5 and
 * a6 on the stack. rax, r10, r11 are free.
 */
__asm__(".pushsection .text\n"
	"SC_GATE sc_gate_pre_cancel\n"
	"	cmp $511,%rsi\n"
	"	ja 1f\n"
	"	lea sc_call_table(%rip),%rax\n"
	"	testb $4,(%rax,%rsi,2)\n"
	"	jz 1f\n"
	"	SC_ENTER\n"
	"	and $-16,%rsp\n"
	"	push %rdi\n"
	"	push %rdi\n" /* padding */
	"	lea 144(%rbp),%rax\n"
	"	push %rax\n" /* sp */
	"	mov %esi,%esi\n"
	"	push %rsi\n" /* nr, start 0 */
	"	push 152(%rbp)\n"
	"	push 144(%rbp)\n"
	"	push %r9\n"
	"	push %r8\n"
	"	push %rcx\n"
	"	push %rdx\n"
	"	push %rsi\n"
	"	sub $8,%rsp\n"
	"	lea 8(%rsp),%rdi\n"
	"	call *8+sc_gate_handlers(%rip)\n"
	"	add $16,%rsp\n"
	"	pop %rdx\n"
	"	pop %rcx\n"
	"	pop %r8\n"
	"	pop %r9\n"
	"	pop 144(%rbp)\n"
	"	pop 152(%rbp)\n"
	"	pop %rsi\n"
	"	pop %rax\n"
	"	pop %rdi\n"
	"	SC_LEAVE\n"
	"1:	ret\n"
	".size sc_gate_pre_cancel, . - sc_gate_pre_cancel\n"
	".popsection\n");

/*
 * Go: g is the current goroutine, at %fs:-8, in r14, or at %fs:(%r11). When this thread runs an ordinary goroutine on
 * that goroutine's stack, the gate changes to the stack of the thread's g0, as the runtime does for
 * its own calls of the vDSO: nothing runs there meanwhile. In a signal handler (gsignal), on g0
 * itself, or with anything unexpected, it stays where it is. Offsets, the same in Go 1.18 … 1.27:
 * g.stack.lo 0, .hi 8, g.m 0x30, g.sched.sp 0x38, m.g0 0; m.gsignal 0x50, 0x48 in newer ones.
 * A new thread or process (clone returned 0) is left alone: it has no g of its own yet.
 * In, behind a call: rax result, rcx number, arguments in place; r13d its time where it has one.
 */
__asm__(".pushsection .text\n"
	".macro SC_GO_STACK no, g\n"
	".if \\g == 0\n mov %fs:-8,%rbx\n.elseif \\g == 1\n mov %r14,%rbx\n.else\n mov %fs:(%r11),%rbx\n.endif\n"
	"	test %rbx,%rbx\n"
	"	jz \\no\n"
	"	cmp (%rbx),%rsp\n"
	"	jb \\no\n"
	"	cmp 8(%rbx),%rsp\n"
	"	jae \\no\n"
	"	mov 0x30(%rbx),%r11\n"
	"	test %r11,%r11\n"
	"	jz \\no\n"
	"	cmp 0x48(%r11),%rbx\n"
	"	je \\no\n"
	"	cmp 0x50(%r11),%rbx\n"
	"	je \\no\n"
	"	mov (%r11),%r11\n"
	"	cmp %r11,%rbx\n"
	"	je \\no\n"
	"	mov 0x38(%r11),%r11\n"
	"	test %r11,%r11\n"
	"	jz \\no\n"
	"	mov %r11,%rsp\n"
	".endm\n"
	".macro SC_GO_ENTER g\n"
	"	push %rbp\n"
	"	mov %rsp,%rbp\n"
	"	push %rbx\n"
	"	SC_GO_STACK 3f, \\g\n"
	"3:\n"
	".endm\n"
	".macro SC_GO_LEAVE\n"
	"	lea -8(%rbp),%rsp\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	".endm\n"
	".macro SC_GATE_GO_POST name, timed, flags, g\n"
	"SC_GATE \\name\n"
	".if \\flags\n pushfq\n.endif\n"
	"	test %rax,%rax\n"
	"	jz 2f\n"
	"1:	SC_GO_ENTER \\g\n"
	"	SC_MAKE_CALL 16+8*\\flags\n"
	".if \\timed\n mov %r13d,60(%rsp)\n.endif\n"
	"	SC_HANDLE 0\n"
	"	SC_TAKE_CALL\n"
	"	SC_GO_LEAVE\n"
	"9:\n"
	".if \\flags\n popfq\n.endif\n"
	"	ret\n"
	"2:	cmp $56,%ecx\n"
	"	je 9b\n"
	"	cmp $435,%ecx\n"
	"	jne 1b\n"
	"	jmp 9b\n"
	".size \\name, . - \\name\n"
	".endm\n"
	"SC_GATE_GO_POST sc_gate_go_post, 1, 0, 0\n"
	"SC_GATE_GO_POST sc_gate_go_post_r14, 1, 0, 1\n"
	"SC_GATE_GO_POST sc_gate_go_leaf, 0, 0, 0\n"
	"SC_GATE_GO_POST sc_gate_go_leaf_flags, 0, 1, 0\n"
	"SC_GATE_GO_POST sc_gate_go_leaf_far, 0, 1, 2\n"
	".macro SC_GATE_GO_PRE name, g\n"
	"SC_GATE \\name\n"
	"	mov %eax,%ecx\n" /* nr, start 0 */
	"	SC_GO_ENTER \\g\n"
	"	SC_MAKE_CALL 16\n"
	"	SC_HANDLE 8\n"
	"	SC_TAKE_CALL\n"
	"	SC_GO_LEAVE\n"
	"	ret\n"
	".size \\name, . - \\name\n"
	".endm\n"
	"SC_GATE_GO_PRE sc_gate_go_pre, 0\n"
	"SC_GATE_GO_PRE sc_gate_go_pre_r14, 1\n"
	"SC_GATE_GO_PRE sc_gate_go_pre_far, 2\n"
	/* A return of Go's TLS functions: rax n, r11 the homes of receiver and pointer, r12 which. */
	".macro SC_GATE_GO_TLS name, g\n"
	"SC_GATE \\name\n"
	"	push %rbp\n"
	"	mov %rsp,%rbp\n"
	"	push %rbx\n"
	"	push %rcx\n"
	"	mov (%r11),%r8\n"
	"	mov 8(%r11),%r9\n"
	"	SC_GO_STACK 3f, \\g\n"
	"3:	and $-16,%rsp\n"
	"	push %rax\n" /* padding */
	"	push %rbp\n" /* sp: of no use here */
	"	push %r12\n"
	"	push $0\n"
	"	push $0\n"
	"	push $0\n"
	"	push %rax\n"
	"	push %r9\n"
	"	push %r8\n"
	"	push %rax\n"
	"	mov %rsp,%rdi\n"
	"	call *16+sc_gate_handlers(%rip)\n"
	"	pop %rax\n"
	"	lea -16(%rbp),%rsp\n"
	"	pop %rcx\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	ret\n"
	".size \\name, . - \\name\n"
	".endm\n"
	"SC_GATE_GO_TLS sc_gate_go_tls, 0\n"
	"SC_GATE_GO_TLS sc_gate_go_tls_r14, 1\n"
	".globl sc_gates_end\n.hidden sc_gates_end\nsc_gates_end:\n"
	".popsection\n");

void sc_gate_post(void);
void sc_gate_post_flags(void);
void sc_gate_post_shared(void);
void sc_gate_pre(void);
void sc_gate_pre_flags(void);
void sc_gate_pre_cancel(void);
void sc_gate_go_post(void);
void sc_gate_go_post_r14(void);
void sc_gate_go_leaf(void);
void sc_gate_go_leaf_flags(void);
void sc_gate_go_leaf_far(void);
void sc_gate_go_pre(void);
void sc_gate_go_pre_r14(void);
void sc_gate_go_pre_far(void);
void sc_gate_go_tls(void);
void sc_gate_go_tls_r14(void);

void sc_gate_cells(uint64_t *cells)
{
	cells[SC_CELL_POST] = (uint64_t)sc_gate_post;
	cells[SC_CELL_POST_FLAGS] = (uint64_t)sc_gate_post_flags;
	cells[SC_CELL_POST_SHARED] = (uint64_t)sc_gate_post_shared;
	cells[SC_CELL_PRE] = (uint64_t)sc_gate_pre;
	cells[SC_CELL_PRE_FLAGS] = (uint64_t)sc_gate_pre_flags;
	cells[SC_CELL_PRE_CANCEL] = (uint64_t)sc_gate_pre_cancel;
	cells[SC_CELL_GO_POST] = (uint64_t)sc_gate_go_post;
	cells[SC_CELL_GO_POST_R14] = (uint64_t)sc_gate_go_post_r14;
	cells[SC_CELL_GO_LEAF] = (uint64_t)sc_gate_go_leaf;
	cells[SC_CELL_GO_LEAF_FLAGS] = (uint64_t)sc_gate_go_leaf_flags;
	cells[SC_CELL_GO_LEAF_FAR] = (uint64_t)sc_gate_go_leaf_far;
	cells[SC_CELL_GO_PRE] = (uint64_t)sc_gate_go_pre;
	cells[SC_CELL_GO_PRE_R14] = (uint64_t)sc_gate_go_pre_r14;
	cells[SC_CELL_GO_PRE_FAR] = (uint64_t)sc_gate_go_pre_far;
	cells[SC_CELL_GO_TLS] = (uint64_t)sc_gate_go_tls;
	cells[SC_CELL_GO_TLS_R14] = (uint64_t)sc_gate_go_tls_r14;
}
