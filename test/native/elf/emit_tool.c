/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Description: stubs of sites that exist nowhere, in hex, for comparison with known good code.
 *   emit_tool KIND NR FLAGS PRE_HEX POST_HEX    "-" for no window
 * The site is at 0x2000, the stubs at 0x100000.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "elf/emit.h"

static uint8_t hex(const char *text, uint8_t *to)
{
	unsigned v;
	uint8_t n = 0;

	while (text[0] != '-' && sscanf(text + 2 * n, "%2x", &v) == 1)
		to[n++] = (uint8_t)v;
	return n;
}

static void print(const char *name, const uint8_t *code, const uint8_t *end)
{
	printf("%s ", name);
	for (; code < end; code++)
		printf("%02x", *code);
	puts("");
}

int main(int argc, char **argv)
{
	struct sc_plan *plan = calloc(1, sc_plan_bytes(1));
	struct sc_site *s = sc_plan_sites(plan);
	uint8_t bytes[64], *out;
	long n;

	if (argc != 6)
		return 2;
	plan->sites = 1;
	*s = (struct sc_site){ .va = 0x2000, .kind = (uint8_t)atoi(argv[1]), .nr = (int16_t)atoi(argv[2]),
			       .flags = (uint8_t)atoi(argv[3]) };
	s->core_len = s->kind == SC_SITE_CANCEL ? 5 : s->kind >= SC_SITE_EARLY ? 0 : 2;
	s->pre_len = hex(argv[4], s->bytes);
	s->post_len = hex(argv[5], bytes);
	memcpy(s->bytes + s->pre_len + s->core_len, bytes, s->post_len);
	out = calloc(1, sc_emit_room(plan));
	n = sc_emit_stubs(plan, 0x100000, out, sc_emit_room(plan));
	if (n < 0)
		return 1;
	if (s->pre_stub)
		print("pre", out + 8 * s->pre_stub, s->post_stub ? out + 8 * s->post_stub : out + n);
	if (s->post_stub)
		print("post", out + 8 * s->post_stub, out + n);
	return 0;
}
