/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments and environment from the first stack. Layer 5. */
#include <elf.h>
#include "base/mem.h"
#include "libscope/stack.h"
#include "sys/sys.h"

#define FAR_WORDS 4096 /* from the random bytes down to the vector: alignment and platform name */
#define MANY      (1l << 21)

/*
 * From high to low addresses: strings, 16 random bytes (AT_RANDOM), padding, auxv, 0, envp
 * pointers, 0, argv pointers, argc. The vector's own AT_RANDOM entry is found below the bytes.
 */
static uint64_t *find_entry(uint64_t random)
{
	uint64_t *p = (uint64_t *)(random & ~7ul);

	for (int i = 0; i < FAR_WORDS; i++, p--) {
		if (((uintptr_t)p & (SC_PAGE - 1)) == SC_PAGE - 8 && !sc_readable(p, 8))
			return NULL;
		if (p[0] == AT_RANDOM && p[1] == random)
			return p;
	}
	return NULL;
}

int sc_stack_find(struct sc_stack *stack, const struct sc_auxv *auxv, size_t n)
{
	uint64_t random = sc_auxv_get(auxv, n, AT_RANDOM, 0);
	uint64_t *p = random ? find_entry(random) : NULL;
	long words;

	if (!p)
		return 0;
	/* Down to the first pair: keys are small, the pair below it would be (pointer, 0). */
	while (p[-2] != 0 && p[-2] < 4096)
		p -= 2;
	if (p[-1] != 0)
		return 0;
	p--;
	for (words = 0; p[-1] != 0 && words < MANY; words++)
		p--;
	stack->envp = (char **)p;
	if (words == MANY)
		return 0;
	/* p[-1] is the NULL behind argv; argc is the word that equals the pointers above it. */
	p--;
	for (words = 0; words < MANY; words++)
		if (p[-1 - words] == (uint64_t)words)
			break;
	if (words == MANY)
		return 0;
	stack->argc = (int)words;
	stack->argv = (char **)(p - words);
	return 1;
}

const char *sc_stack_env(const struct sc_stack *stack, const char *name)
{
	for (char **e = stack->envp; e && *e; e++)
		if (sc_starts(*e, name))
			return *e + sc_strlen(name);
	return NULL;
}
