/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a program bears a library in LD_PRELOAD. See preload.h. */
#include <elf.h>
#include <fcntl.h>
#include "base/mem.h"
#include "elf/preload.h"
#include "sys/sys.h"

#define HEADERS 16
#define ENTRIES 16

struct image {
	int fd;
	uint32_t phnum;
	Elf64_Phdr ph[HEADERS];
};

static int take(const struct image *im, void *to, size_t n, uint64_t at)
{
	return sc_sys_pread(im->fd, to, n, (int64_t)at) == (long)n;
}

/* File offset of a virtual address; 0: none. */
static uint64_t offset_of(const struct image *im, uint64_t va)
{
	for (uint32_t i = 0; i < im->phnum; i++) {
		const Elf64_Phdr *p = &im->ph[i];

		if (p->p_type == PT_LOAD && va >= p->p_vaddr && va - p->p_vaddr < p->p_filesz)
			return va - p->p_vaddr + p->p_offset;
	}
	return 0;
}

static int is_sanitizer(const struct image *im, uint64_t at)
{
	char name[24] = "";

	sc_sys_pread(im->fd, name, sizeof(name) - 1, (int64_t)at);
	return sc_starts(name, "libasan.so") || sc_starts(name, "libclang_rt.asan");
}

/* Two walks over the dynamic entries: the names lie in a table that stands anywhere among them. */
static int needs_sanitizer(const struct image *im, const Elf64_Phdr *dynamic)
{
	uint64_t strings = 0, n = dynamic->p_filesz / sizeof(Elf64_Dyn);
	Elf64_Dyn d[ENTRIES];

	for (int pass = 0; pass < 2; pass++) {
		for (uint64_t i = 0; i < n; i++) {
			uint64_t left = n - i < ENTRIES ? n - i : ENTRIES;
			const Elf64_Dyn *e = &d[i % ENTRIES];

			if (i % ENTRIES == 0 &&
			    !take(im, d, left * sizeof(*d), dynamic->p_offset + i * sizeof(*d)))
				return 0;
			if (e->d_tag == DT_NULL)
				break;
			if (pass == 0 && e->d_tag == DT_STRTAB)
				strings = offset_of(im, e->d_un.d_ptr);
			if (pass == 1 && e->d_tag == DT_NEEDED &&
			    is_sanitizer(im, strings + e->d_un.d_val))
				return 1;
		}
		if (!strings)
			return 0;
	}
	return 0;
}

static int look(struct image *im)
{
	Elf64_Ehdr eh;

	if (!take(im, &eh, sizeof(eh), 0) || memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0)
		return 1;
	if (eh.e_ident[EI_CLASS] != ELFCLASS64)
		return 0;
	im->phnum = eh.e_phnum;
	if (eh.e_machine != EM_X86_64 || eh.e_phnum > HEADERS ||
	    !take(im, im->ph, eh.e_phnum * sizeof(im->ph[0]), eh.e_phoff))
		return 1;
	for (uint32_t i = 0; i < im->phnum; i++)
		if (im->ph[i].p_type == PT_DYNAMIC)
			return !needs_sanitizer(im, &im->ph[i]);
	return 1;
}

int sc_elf_preloadable(const char *path)
{
	struct image im;
	int ret;

	im.fd = sc_sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
	if (im.fd < 0)
		return 1;
	ret = look(&im);
	sc_sys_close(im.fd);
	return ret;
}
