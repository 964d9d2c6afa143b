/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as text, without libc. */
#include "base/mem.h"

size_t sc_put_dec(char *to, uint64_t v)
{
	char digits[20];
	size_t n = 0, len = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while (v /= 10);
	while (n)
		to[len++] = digits[--n];
	to[len] = 0;
	return len;
}

size_t sc_put_hex(char *to, uint64_t v)
{
	char digits[16];
	size_t n = 0, len = 0;

	do
		digits[n++] = "0123456789abcdef"[v & 15];
	while (v >>= 4);
	while (n)
		to[len++] = digits[--n];
	to[len] = 0;
	return len;
}
