/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Description: entry hooks on functions whose first bytes are of every kind found in libc: the wrapper
 * is called, the trampoline does what the function did, undo restores every byte, and functions whose
 * start cannot be moved are refused untouched. Exit 0: all as expected.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "patch/entry.h"
#include "patch/patch.h"

/* clang-format off */
__asm__(".text\n"
	"helper: lea 5(%rdi),%rax\n ret\n"
	".globl f_long\nf_long: mov $7,%eax\n add %edi,%eax\n ret\n"
	".globl f_push\nf_push: push %rbp\n mov %rsp,%rbp\n push %rbx\n mov %edi,%ebx\n lea 1(%rbx),%eax\n pop %rbx\n pop %rbp\n ret\n"
	".globl f_endbr\nf_endbr: endbr64\n lea 2(%rdi),%eax\n ret\n nop\n nop\n"
	".globl f_rip\nf_rip: cmpb $0,flag(%rip)\n jne 1f\n lea 3(%rdi),%eax\n ret\n1: xor %eax,%eax\n ret\n"
	".globl f_jcc\nf_jcc: test %edi,%edi\n je 1f\n lea 4(%rdi),%eax\n ret\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n1: mov $-1,%eax\n ret\n"
	".globl f_call\nf_call: call helper\n add $1,%eax\n ret\n"
	".globl f_fs\nf_fs: mov %fs:0,%rax\n cmp %fs:0,%rax\n jne 1f\n lea 9(%rdi),%eax\n ret\n1: xor %eax,%eax\n ret\n"
	".globl f_ret\nf_ret: ret\n nop\n nop\n nop\n nop\n nop\n"
	".globl f_jmp\nf_jmp: jmp helper\n nop\n nop\n nop\n"
	".globl f_loop\nf_loop: dec %edi\n jnz f_loop\n mov %edi,%eax\n ret\n"
	".data\nflag: .byte 0\n.text\n");
/* clang-format on */

int f_long(int), f_push(int), f_endbr(int), f_rip(int), f_jcc(int), f_call(int), f_fs(int);
int f_ret(int), f_jmp(int), f_loop(int);

static struct {
	const char *name;
	int (*function)(int);
	int refused;
	int (*original)(int);
} cases[] = {
	{ "long", f_long, 0, NULL },   { "push", f_push, 0, NULL }, { "endbr", f_endbr, 0, NULL },
	{ "rip", f_rip, 0, NULL },     { "jcc", f_jcc, 0, NULL },   { "call", f_call, 0, NULL },
	{ "fs", f_fs, 0, NULL },       { "ret", f_ret, 1, NULL },   { "jmp", f_jmp, 1, NULL },
	{ "loop", f_loop, 1, NULL },
};

#define CASES (sizeof(cases) / sizeof(*cases))

static int calls;
static unsigned current;

static int wrapper(int v)
{
	calls++;
	return cases[current].original(v) + 1000;
}

static int fail(const char *name, const char *what, long a, long b)
{
	printf("%s: %s %ld, expected %ld\n", name, what, a, b);
	return 1;
}

int main(void)
{
	unsigned char before[CASES][16];
	int plain[CASES];

	for (unsigned i = 0; i < CASES; i++) {
		memcpy(before[i], (const void *)cases[i].function, 16);
		plain[i] = cases[i].refused ? 0 : cases[i].function(10);
	}
	for (unsigned i = 0; i < CASES; i++) {
		int ret = sc_patch_entry((void *)cases[i].function, (void *)wrapper,
					 (void **)&cases[i].original);

		if (ret != (cases[i].refused ? -EINVAL : 0))
			return fail(cases[i].name, "returned", ret, cases[i].refused ? -EINVAL : 0);
		if (cases[i].refused)
			continue;
		current = i;
		for (int k = 0; k < 3; k++)
			if (cases[i].function(10) != plain[i] + 1000)
				return fail(cases[i].name, "hooked gave", cases[i].function(10),
					    plain[i] + 1000);
	}
	if (calls != 7 * 3)
		return fail("all", "wrapper calls", calls, 21);
	current = 4;
	if (f_jcc(0) != 999)
		return fail("jcc", "taken branch gave", f_jcc(0), 999);
	if (sc_entry_undo())
		return fail("undo", "failed", 1, 0);
	for (unsigned i = 0; i < CASES; i++)
		if (memcmp(before[i], (const void *)cases[i].function, 16))
			return fail(cases[i].name, "bytes differ after undo", 1, 0);
	if (sc_patch_symbol("libc.so", "getaddrinfo") == NULL || sc_patch_symbol("libc.so", "no_such_function"))
		return fail("symbol", "found", 0, 1);
	puts("ok");
	return 0;
}
