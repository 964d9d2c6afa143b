// SPDX-License-Identifier: Apache-2.0
// The mappings and memory of a stopped process. Layer 4.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "inject/crash.h"

static int add(struct sc_maps *m, char *line)
{
	struct sc_map *more, *map;
	unsigned long lo, hi, off;
	char perms[8], *path;
	int at = 0;

	if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %n", &lo, &hi, perms, &off, &at) < 4)
		return 0;
	more = realloc(m->map, (m->count + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	m->map = more;
	map = &more[m->count++];
	memset(map, 0, sizeof(*map));
	map->lo = lo;
	map->hi = hi;
	map->off = off;
	map->prot = (perms[0] == 'r' ? PROT_READ : 0) | (perms[1] == 'w' ? PROT_WRITE : 0) |
		    (perms[2] == 'x' ? PROT_EXEC : 0);
	path = at ? line + at : (char *)"";
	path[strcspn(path, "\n")] = '\0';
	snprintf(map->path, sizeof(map->path), "%s", path);
	map->special = strncmp(path, "[vvar", 5) == 0 || strcmp(path, "[vsyscall]") == 0;
	return 0;
}

/*
 * The library maps patched copies of a text over the text itself, from a file of another name (native/elf/plan.h):
 * they are named by the object they belong to, which the mapping below them still shows.
 */
static void name_overlays(struct sc_maps *m)
{
	static const char suffix[] = ".plan";

	for (size_t i = 1; i < m->count; i++) {
		struct sc_map *map = &m->map[i];
		const struct sc_map *below = map - 1;
		size_t n = strlen(map->path);

		if (n < sizeof(suffix) || strcmp(map->path + n - sizeof(suffix) + 1, suffix) != 0 || below->hi != map->lo)
			continue;
		memcpy(map->path, below->path, sizeof(map->path));
		map->off = below->off + (map->lo - below->lo);
	}
}

int sc_maps_open(struct sc_maps *m, pid_t pid)
{
	char path[64], line[4352];
	int err = 0;
	FILE *f;

	memset(m, 0, sizeof(*m));
	m->pid = pid;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	m->mem = open(path, O_RDONLY | O_CLOEXEC);
	if (m->mem < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	if (!f)
		err = -errno;
	while (!err && fgets(line, sizeof(line), f))
		err = add(m, line);
	if (f)
		fclose(f);
	if (err)
		sc_maps_close(m);
	else
		name_overlays(m);
	return err;
}

void sc_maps_close(struct sc_maps *m)
{
	free(m->map);
	m->map = NULL;
	m->count = 0;
	close(m->mem);
}

const struct sc_map *sc_maps_find(const struct sc_maps *m, uint64_t address)
{
	for (size_t i = 0; i < m->count; i++)
		if (address >= m->map[i].lo && address < m->map[i].hi)
			return &m->map[i];
	return NULL;
}

int sc_maps_read(const struct sc_maps *m, uint64_t at, void *to, size_t n)
{
	return pread(m->mem, to, n, (off_t)at) == (ssize_t)n;
}
