/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments and environment as the kernel laid them on the first stack. Layer 5. */
#ifndef SCOPE_LIBSCOPE_STACK_H
#define SCOPE_LIBSCOPE_STACK_H

#include "sys/process.h"

struct sc_stack {
	int argc;
	char **argv;
	char **envp;
};

/*
 * Finds them from the auxiliary vector alone: constructors of musl get no arguments, and libc's own
 * variables need a libc. 1: found.
 */
int sc_stack_find(struct sc_stack *stack, const struct sc_auxv *auxv, size_t n);

/* The value of a variable ("NAME="), or NULL. */
const char *sc_stack_env(const struct sc_stack *stack, const char *name);

#endif
