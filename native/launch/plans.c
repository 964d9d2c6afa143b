// SPDX-License-Identifier: Apache-2.0
// Makes the patch plans a program will need before it runs, so that it does not have to (about 10 ms a libc, once). Layer 5.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launch/far.h"
#include "launch/launch.h"
#include "patch/store.h"

/* Where libc lies beside the dynamic loader. */
static const char *const beside_loader[] = {"libc.so.6", "libpthread.so.0"};

/* One object: its plan is computed and stored when it is absent, and brought to the target. Copies its loader's path when it has one. */
static void prepare_file(const char *path, const char *plans, const struct sc_far *far, char *loader, size_t size)
{
	struct sc_object object = {.path = path};
	struct sc_plan_source source;
	const Elf64_Phdr *interp;
	struct stat st;
	void *map = MAP_FAILED;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (loader)
		loader[0] = '\0';
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_size > 0)
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return;
	if (sc_elf_file(&object.elf, map, (size_t)st.st_size) == 0) {
		const uint8_t *name = NULL;

		interp = sc_elf_segment(&object.elf, PT_INTERP);
		if (interp)
			name = sc_elf_at(&object.elf, interp->p_vaddr, interp->p_filesz);
		if (loader && name && interp->p_filesz > 0 && interp->p_filesz < size) {
			memcpy(loader, name, interp->p_filesz);
			loader[interp->p_filesz - 1] = '\0';
		}
		/* A dynamic program's calls are in its libraries; Go's are its own, and their scan is the library's. */
		if (!(loader && name) && sc_plan_get(plans, &object, 0, &source) == 0) {
			if (far)
				sc_far_put_plan(far, source.plan, source.fd);
			munmap(source.plan, source.map_size);
			if (source.fd >= 0)
				close(source.fd);
		}
	}
	munmap(map, (size_t)st.st_size);
}

void sc_plans_prepare(const char *program, const char *plans)
{
	char loader[PATH_MAX], real[PATH_MAX], *slash;

	prepare_file(program, plans, NULL, loader, sizeof(loader));
	if (!loader[0] || !realpath(loader, real))
		return;
	prepare_file(real, plans, NULL, NULL, 0);
	slash = strrchr(real, '/');
	for (size_t i = 0; slash && i < sizeof(beside_loader) / sizeof(*beside_loader); i++) {
		if ((size_t)(slash + 1 - real) + strlen(beside_loader[i]) >= sizeof(real))
			return;
		strcpy(slash + 1, beside_loader[i]);
		prepare_file(real, plans, NULL, NULL, 0);
	}
}

static bool makes_calls(const char *path)
{
	static const char *const names[] = {"libc.so", "libc-", "libc.musl", "libpthread", "ld-"};
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strncmp(base, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

void sc_plans_prepare_process(pid_t pid, const char *plans, const struct sc_far *far)
{
	char path[PATH_MAX + 64], line[PATH_MAX + 256], last[PATH_MAX] = "", loader[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	prepare_file(path, plans, far, loader, sizeof(loader));
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		char *name = strchr(line, '/');

		if (!name)
			continue;
		name[strcspn(name, "\n")] = '\0';
		if (!makes_calls(name) || strcmp(name, last) == 0)
			continue;
		snprintf(last, sizeof(last), "%s", name);
		snprintf(path, sizeof(path), "/proc/%d/root%s", (int)pid, name);
		prepare_file(path, plans, far, NULL, 0);
	}
	if (f)
		fclose(f);
}
