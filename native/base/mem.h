/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes and strings without libc: for the freestanding library and the launcher alike. */
#ifndef SCOPE_BASE_MEM_H
#define SCOPE_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/*
 * For variables that every start of a program touches: beside .data, whose page the loader has written
 * already. A page of its own for a few bytes costs a fault and a page of memory in every process.
 */
#define SC_AT_START __attribute__((section(".data.start")))

/* The compiler calls these by name; in the freestanding library base/mem.c has them. */
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *p, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

static inline size_t sc_strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

/*
 * Length of s, at most max. By aligned words, which never reach into a page that the string is not in;
 * bytes of the first word in front of s count as not 0.
 */
__attribute__((no_sanitize("address"))) static inline size_t sc_strnlen(const char *s, size_t max)
{
	const uint64_t __attribute__((may_alias)) *p = (const void *)((uintptr_t)s & ~7ul);
	const uint64_t ones = 0x0101010101010101ull;
	long n = -(long)((uintptr_t)s & 7);
	uint64_t before = (1ull << (-n * 8)) - 1;

	for (; n < (long)max; n += 8, before = 0) {
		uint64_t v = *p++ | before, zero = (v - ones) & ~v & ones << 7;

		if (!zero)
			continue;
		n += __builtin_ctzll(zero) / 8;
		return n < (long)max ? (size_t)n : max;
	}
	return max;
}

static inline int sc_streq(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* 1 when s begins with prefix. */
static inline int sc_starts(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return 0;
	return 1;
}

/* Copies s into to[size], cut where it is too long, always NUL-terminated. Returns the length. */
static inline size_t sc_strcpy(char *to, size_t size, const char *s)
{
	size_t n = 0;

	if (size == 0)
		return 0;
	while (n + 1 < size && s[n]) {
		to[n] = s[n];
		n++;
	}
	to[n] = 0;
	return n;
}

/* Puts v in decimal at to (room for 20 and the NUL). Returns the length. */
size_t sc_put_dec(char *to, uint64_t v);

/* Puts v in lower case hex without leading zeroes (room for 16 and the NUL). Returns the length. */
size_t sc_put_hex(char *to, uint64_t v);

#endif
