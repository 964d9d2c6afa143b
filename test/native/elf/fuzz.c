/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Description: damaged objects and damaged plan files must be refused or survived, never followed.
 *   fuzz FILE   300 damaged copies of FILE are scanned, 20,000 damaged plans of it are checked
 * Exit 0: nothing crashed and every accepted plan stays inside its object.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "elf/emit.h"
#include "elf/overlay.h"

static uint32_t seed = 20260101;

static uint32_t next(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)seed * below) >> 32);
}

/* A copy of the file that ends exactly before a page that cannot be read. */
static uint8_t *guarded(const uint8_t *from, size_t n)
{
	size_t pages = (n + 4095) & ~4095ul;
	uint8_t *p = mmap(NULL, pages + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(p + pages, 4096, PROT_NONE);
	memcpy(p + (pages - n), from, n);
	return p + (pages - n);
}

static void damaged_objects(const uint8_t *file, size_t size, struct sc_plan *plan, size_t cap)
{
	for (int round = 0; round < 300; round++) {
		size_t n = round % 3 ? size : (size_t)next((uint32_t)size) & ~7ul;
		uint8_t *copy = guarded(file, n ? n : 8);
		struct sc_elf elf;

		for (uint32_t i = 0; i < 1 + next(40) && n > 1024; i++)
			copy[next(round % 2 ? 1024 : (uint32_t)n)] = (uint8_t)next(256);
		if (!sc_elf_file(&elf, copy, n) && sc_scan_scratch(&elf) < (64u << 20)) {
			void *scratch = calloc(1, sc_scan_scratch(&elf) + 64);

			if (!sc_scan(&elf, plan, cap, scratch) && sc_plan_check(plan, cap, &elf) == 0 &&
			    sc_overlay_room(&elf, plan) < (64u << 20)) {
				struct sc_plan *whole = calloc(1, sc_overlay_room(&elf, plan));

				memcpy(whole, plan, plan->size);
				sc_overlay_build(&elf, whole, sc_overlay_room(&elf, plan));
				free(whole);
			}
			free(scratch);
		}
		munmap((void *)((uintptr_t)copy & ~4095ul), ((n + 4095) & ~4095ul) + 4096);
	}
}

static int stays_inside(const struct sc_plan *p, const struct sc_elf *elf)
{
	const struct sc_site *s = sc_plan_sites(p);

	for (uint32_t i = 0; i < p->sites; i++, s++)
		if (s->va - s->pre_len < elf->lo || s->va + s->core_len + s->post_len > elf->hi)
			return 0;
	return 1;
}

static int damaged_plans(const struct sc_plan *plan, const struct sc_elf *elf)
{
	size_t n = sc_plan_bytes(plan->sites);
	int accepted = 0;

	for (int round = 0; round < 20000; round++) {
		struct sc_plan *copy = malloc(n);

		memcpy(copy, plan, n);
		for (uint32_t i = 0; i < 1 + next(4); i++)
			((uint8_t *)copy)[next(round % 2 ? 512 : (uint32_t)n)] = (uint8_t)next(256);
		if (!sc_plan_check(copy, n, elf)) {
			accepted++;
			if (!stays_inside(copy, elf)) {
				printf("round %d: a window outside the object was accepted\n", round);
				return 1;
			}
		}
		free(copy);
	}
	printf("accepted %d of 20000\n", accepted);
	return 0;
}

int main(int argc, char **argv)
{
	size_t cap = sc_plan_bytes(SC_SITES_MAX);
	struct sc_plan *plan = calloc(1, cap), *kept = calloc(1, cap);
	struct sc_elf elf;
	struct stat st;
	uint8_t *map;
	int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;

	if (fd < 0 || fstat(fd, &st))
		return 2;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (sc_elf_file(&elf, map, (size_t)st.st_size) ||
	    sc_scan(&elf, kept, cap, calloc(1, sc_scan_scratch(&elf))))
		return 2;
	damaged_objects(map, (size_t)st.st_size, plan, cap);
	return damaged_plans(kept, &elf);
}
