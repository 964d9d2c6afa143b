// SPDX-License-Identifier: Apache-2.0
// The stack of a stopped thread as text: address, function and offset, object. Layer 4.
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf/image.h"
#include "inject/crash.h"

#define FRAMES 128

/* The object's file, mapped. */
struct object {
	void *bytes;
	size_t size;
	struct sc_elf elf;
};

static int open_object(struct object *o, const struct sc_maps *m, const char *path)
{
	char name[400];
	struct stat st;
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/root%s", (int)m->pid, path);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	o->bytes = MAP_FAILED;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		o->size = (size_t)st.st_size;
		o->bytes = mmap(NULL, o->size, PROT_READ, MAP_PRIVATE, fd, 0);
	}
	close(fd);
	if (o->bytes == MAP_FAILED)
		return 0;
	if (sc_elf_file(&o->elf, o->bytes, o->size) == 0)
		return 1;
	munmap(o->bytes, o->size);
	return 0;
}

/* The nearest function at or below va in one symbol table. */
static void search(const struct object *o, uint32_t type, uint64_t va, const char **name, uint64_t *start)
{
	const Elf64_Ehdr *eh = o->bytes;
	const Elf64_Shdr *sh = (const Elf64_Shdr *)((const char *)o->bytes + eh->e_shoff);

	if (!eh->e_shoff || eh->e_shentsize != sizeof(*sh) || eh->e_shoff + (uint64_t)eh->e_shnum * sizeof(*sh) > o->size)
		return;
	for (unsigned i = 0; i < eh->e_shnum; i++) {
		const Elf64_Shdr *str;
		const Elf64_Sym *sym;

		if (sh[i].sh_type != type || sh[i].sh_link >= eh->e_shnum || sh[i].sh_offset > o->size ||
		    sh[i].sh_size > o->size - sh[i].sh_offset)
			continue;
		str = &sh[sh[i].sh_link];
		if (str->sh_offset > o->size || str->sh_size > o->size - str->sh_offset || str->sh_size == 0)
			continue;
		sym = (const Elf64_Sym *)((const char *)o->bytes + sh[i].sh_offset);
		for (uint64_t k = 0; k < sh[i].sh_size / sizeof(*sym); k++) {
			const char *text = (const char *)o->bytes + str->sh_offset + sym[k].st_name;

			if (ELF64_ST_TYPE(sym[k].st_info) != STT_FUNC || !sym[k].st_value || sym[k].st_value > va ||
			    sym[k].st_value < *start || sym[k].st_name >= str->sh_size ||
			    !memchr(text, 0, str->sh_size - sym[k].st_name))
				continue;
			*start = sym[k].st_value;
			*name = text;
		}
	}
}

static void print_frame(FILE *out, const struct sc_maps *m, unsigned n, uint64_t ip, int is_caller)
{
	const struct sc_map *in = sc_maps_find(m, ip);
	const char *name = NULL;
	struct object o;
	uint64_t va, start = 0;

	fprintf(out, "#%-2u 0x%016llx", n, (unsigned long long)ip);
	if (!in || in->path[0] != '/') {
		fprintf(out, "  %s\n", in && in->path[0] ? in->path : "?");
		return;
	}
	va = ip - in->lo + in->off;
	if (open_object(&o, m, in->path)) {
		/* From the place in the file to the address the symbols use. */
		for (uint32_t i = 0; i < o.elf.phnum; i++) {
			const Elf64_Phdr *p = &o.elf.phdr[i];

			if (p->p_type == PT_LOAD && va >= p->p_offset && va < p->p_offset + p->p_filesz) {
				va = va - p->p_offset + p->p_vaddr;
				break;
			}
		}
		search(&o, SHT_SYMTAB, va - (is_caller ? 1 : 0), &name, &start);
		if (!name)
			search(&o, SHT_DYNSYM, va - (is_caller ? 1 : 0), &name, &start);
		if (name)
			fprintf(out, "  %s+0x%llx", name, (unsigned long long)(va - start));
		munmap(o.bytes, o.size);
	}
	fprintf(out, "  %s+0x%llx\n", in->path, (unsigned long long)va);
}

void sc_crash_backtrace(FILE *out, const struct sc_maps *m, const struct user_regs_struct *regs)
{
	struct user_regs_struct r = *regs;

	fprintf(out, "--- backtrace\n");
	for (unsigned n = 0; n < FRAMES; n++) {
		print_frame(out, m, n, r.rip, n > 0);
		if (!sc_maps_find(m, r.rip) && n == 0) {
			/* A call through a bad pointer: the caller's address is on top of the stack. */
			unsigned long long back;

			if (!sc_maps_read(m, r.rsp, &back, 8))
				break;
			r.rip = back;
			r.rsp += 8;
			continue;
		}
		if (!sc_unwind_step(m, &r, n > 0))
			break;
	}
}
