/* SPDX-License-Identifier: Apache-2.0 */
/* memcpy and its kin for the freestanding library, without vector registers. */
#include "base/mem.h"

#if !__STDC_HOSTED__
void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	char *d = to;
	const char *s = from;

	if (n >= 64) {
		__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
		return to;
	}
	for (; n >= 8; n -= 8, d += 8, s += 8)
		*(uint64_t __attribute__((may_alias, aligned(1))) *)d =
			*(const uint64_t __attribute__((may_alias, aligned(1))) *)s;
	while (n--)
		*d++ = *s++;
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	char *d = to;
	const char *s = from;

	if (d <= s || d >= s + n)
		return memcpy(to, from, n);
	while (n--)
		d[n] = s[n];
	return to;
}

void *memset(void *p, int c, size_t n)
{
	char *d = p;

	__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
	return p;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n >= 8; n -= 8, x += 8, y += 8)
		if (*(const uint64_t __attribute__((may_alias, aligned(1))) *)x !=
		    *(const uint64_t __attribute__((may_alias, aligned(1))) *)y)
			break;
	for (size_t i = 0; i < n; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}
#endif
