/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Description: prints what the scan finds in an ELF file, for the tests that drive it.
 *   plan_tool sites FILE [OUT]  one line per site, then a summary; OUT: the plan file with overlay
 *   plan_tool lengths FILE      "va length" of every instruction the sweep marks
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "elf/overlay.h"
#include "elf/scan.h"
#include "elf/arch/x86_64/insn.h"

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void sites(const struct sc_plan *plan, double ms)
{
	const struct sc_site *s = sc_plan_sites(plan);
	int timed = 0, dynamic = 0;

	for (uint32_t i = 0; i < plan->sites; i++, s++) {
		printf("site %llx kind %d nr %d pre %d post %d flags %d bytes ", (unsigned long long)s->va,
		       s->kind, s->nr, s->pre_len, s->post_len, s->flags);
		for (int j = 0; j < s->pre_len + s->core_len + s->post_len; j++)
			printf("%s%02x", j == s->pre_len || j == s->pre_len + s->core_len ? "|" : "",
			       s->bytes[j]);
		puts("");
		dynamic += s->nr < 0;
		timed += (s->flags & SC_SITE_TIMED) != 0;
	}
	printf("sites %u unseen %u all %u dynamic %d timed %d ms %.1f\n", plan->sites, plan->unseen,
	       plan->all, dynamic, timed, ms);
}

static void lengths(const struct sc_elf *elf)
{
	for (uint32_t i = 0; i < elf->phnum; i++) {
		const Elf64_Phdr *p = &elf->phdr[i];
		struct sc_text t = { .elf = elf, .va = p->p_vaddr, .len = p->p_filesz };
		uint64_t bytes = (p->p_filesz >> 3) + 64;
		struct sc_insn in;

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		t.code = sc_elf_at(elf, t.va, t.len);
		for (int m = 0; m < SC_MARKS; m++)
			t.mark[m] = calloc(1, bytes);
		sc_scan_functions(&t);
		sc_scan_sweep(&t);
		for (uint64_t at = 0; at < t.len; at++)
			if (sc_marked(&t, SC_MARK_START, at))
				printf("%llx %d\n", (unsigned long long)(t.va + at),
				       sc_insn_decode(t.code + at, &in));
	}
}

static int overlay(const struct sc_elf *elf, const struct sc_plan *plan, const char *out)
{
	size_t room = sc_overlay_room(elf, plan);
	struct sc_plan *whole = calloc(1, room);
	double from = now_ms();
	int fd;

	memcpy(whole, plan, plan->size);
	printf("overlay %ld\n", sc_overlay_build(elf, whole, room));
	printf("check %d runs %u stubs %u ms %.1f\n", sc_plan_check(whole, room, elf), whole->runs,
	       whole->stub_len, now_ms() - from);
	fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	return write(fd, whole, whole->size) != (ssize_t)whole->size;
}

int main(int argc, char **argv)
{
	struct sc_elf elf;
	struct stat st;
	size_t cap = sc_plan_bytes(SC_SITES_MAX);
	struct sc_plan *plan = calloc(1, cap);
	double from;
	void *map;
	int fd, ret;

	if (argc < 3 || (fd = open(argv[2], O_RDONLY)) < 0 || fstat(fd, &st))
		return 1;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	ret = sc_elf_file(&elf, map, (size_t)st.st_size);
	if (!ret && !strcmp(argv[1], "lengths")) {
		lengths(&elf);
		return 0;
	}
	from = now_ms();
	if (!ret)
		ret = sc_scan(&elf, plan, cap, calloc(1, sc_scan_scratch(&elf)));
	if (ret) {
		printf("error %d\n", ret);
		return 1;
	}
	sites(plan, now_ms() - from);
	ret = sc_plan_check(plan, cap, &elf);
	printf("check %d\n", ret);
	return argc > 3 ? overlay(&elf, plan, argv[3]) : ret != 0;
}
