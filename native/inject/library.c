// SPDX-License-Identifier: Apache-2.0
// Maps libscope.so into a stopped process as its dynamic loader would, and calls it. Layer 4.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inject/target.h"

#define PAGE  4096ull
#define STACK (256ull * 1024)

/* The library's file in our own memory. */
struct file {
	uint8_t *bytes;
	size_t size;
	const Elf64_Ehdr *eh;
	const Elf64_Phdr *ph;
};

static int open_file(struct file *f, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0) {
		err = -errno;
	} else {
		f->size = (size_t)st.st_size;
		f->bytes = mmap(NULL, f->size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (f->bytes == MAP_FAILED)
			err = -errno;
	}
	close(fd);
	if (err < 0)
		return err;
	f->eh = (const Elf64_Ehdr *)f->bytes;
	f->ph = (const Elf64_Phdr *)(f->bytes + f->eh->e_phoff);
	if (f->size < sizeof(*f->eh) || memcmp(f->eh->e_ident, ELFMAG, SELFMAG) != 0 ||
	    f->eh->e_phoff + f->eh->e_phnum * sizeof(*f->ph) > f->size)
		return -ENOEXEC;
	return 0;
}

static uint64_t span_of(const struct file *f)
{
	uint64_t end = 0;

	for (int i = 0; i < f->eh->e_phnum; i++)
		if (f->ph[i].p_type == PT_LOAD && f->ph[i].p_vaddr + f->ph[i].p_memsz > end)
			end = f->ph[i].p_vaddr + f->ph[i].p_memsz;
	return (end + PAGE - 1) & ~(PAGE - 1);
}

/* The bytes at a virtual address of the file, or NULL. */
static const void *at_va(const struct file *f, uint64_t va)
{
	for (int i = 0; i < f->eh->e_phnum; i++)
		if (f->ph[i].p_type == PT_LOAD && va >= f->ph[i].p_vaddr && va < f->ph[i].p_vaddr + f->ph[i].p_filesz)
			return f->bytes + f->ph[i].p_offset + (va - f->ph[i].p_vaddr);
	return NULL;
}

static uint64_t dynamic(const struct file *f, int64_t tag)
{
	for (int i = 0; i < f->eh->e_phnum; i++) {
		if (f->ph[i].p_type != PT_DYNAMIC)
			continue;
		for (const Elf64_Dyn *d = at_va(f, f->ph[i].p_vaddr); d && d->d_tag != DT_NULL; d++)
			if (d->d_tag == tag)
				return d->d_un.d_val;
	}
	return 0;
}

/* Value of the exported symbol; the table ends where the string table begins (one symbol is exported). */
static uint64_t symbol(const struct file *f, const char *name)
{
	const Elf64_Sym *s = at_va(f, dynamic(f, DT_SYMTAB));
	const char *strings = at_va(f, dynamic(f, DT_STRTAB));

	if (!s || !strings)
		return 0;
	for (const Elf64_Sym *end = (const Elf64_Sym *)strings; s + 1 <= end; s++)
		if (strcmp(strings + s->st_name, name) == 0)
			return s->st_value;
	return 0;
}

static long remote_mmap(struct sc_target *t, uint64_t at, uint64_t n, int prot, int flags, int fd, uint64_t off)
{
	const uint64_t arg[6] = {at, n, (uint64_t)prot, (uint64_t)flags, (uint64_t)(int64_t)fd, off};

	return sc_target_syscall(t, SYS_mmap, arg);
}

static void close_inside(struct sc_target *t, long fd)
{
	const uint64_t arg[6] = {(uint64_t)fd};

	if (fd >= 0)
		sc_target_syscall(t, SYS_close, arg);
}

/* Opens the library's file inside the target; -errno where its root does not have it. */
static long open_inside(struct sc_target *t, const char *path, uint64_t scratch)
{
	const uint64_t arg[6] = {(uint64_t)AT_FDCWD, scratch, O_RDONLY | O_CLOEXEC, 0, 0, 0};
	int err = sc_target_write(t, scratch, path, strlen(path) + 1);

	return err < 0 ? err : sc_target_syscall(t, SYS_openat, arg);
}

/* A copy of the library in memory that has a name, so that maps show what it is: no file is needed there. */
static long copy_inside(struct sc_target *t, const struct file *f, uint64_t scratch)
{
	static const char name[] = "libscope.so";
	const uint64_t arg[6] = {scratch, MFD_CLOEXEC};
	char path[64];
	size_t done = 0;
	ssize_t n = 1;
	long fd;
	int ours, err = sc_target_write(t, scratch, name, sizeof(name));

	if (err < 0)
		return err;
	fd = sc_target_syscall(t, SYS_memfd_create, arg);
	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%d/fd/%ld", (int)t->proc, fd);
	ours = open(path, O_WRONLY | O_CLOEXEC);
	while (ours >= 0 && done < f->size && (n = write(ours, f->bytes + done, f->size - done)) > 0)
		done += (size_t)n;
	if (ours >= 0)
		close(ours);
	if (done == f->size)
		return fd;
	close_inside(t, fd);
	return -EIO;
}

static int prot_of(const Elf64_Phdr *p)
{
	return (p->p_flags & PF_R ? PROT_READ : 0) | (p->p_flags & PF_W ? PROT_WRITE : 0) |
	       (p->p_flags & PF_X ? PROT_EXEC : 0);
}

/* One segment: from the file, so that its pages are shared and its name shows in maps, else from our copy. */
static int map_segment(struct sc_target *t, const struct file *f, const Elf64_Phdr *p, uint64_t base, int fd)
{
	uint64_t lo = (base + p->p_vaddr) & ~(PAGE - 1), in_page = p->p_vaddr & (PAGE - 1);
	uint64_t end = (base + p->p_vaddr + p->p_memsz + PAGE - 1) & ~(PAGE - 1);
	uint64_t file_end = (base + p->p_vaddr + p->p_filesz + PAGE - 1) & ~(PAGE - 1);
	long got;

	if (fd >= 0) {
		got = remote_mmap(t, lo, file_end - lo, prot_of(p), MAP_PRIVATE | MAP_FIXED, fd, p->p_offset - in_page);
		if (got == (long)lo && end > file_end)
			got = remote_mmap(t, file_end, end - file_end, prot_of(p),
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == (long)file_end
				      ? (long)lo
				      : -ENOMEM;
	} else {
		got = remote_mmap(t, lo, end - lo, prot_of(p), MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		if (got == (long)lo && sc_target_write(t, base + p->p_vaddr, f->bytes + p->p_offset, p->p_filesz) < 0)
			got = -EFAULT;
	}
	if (got != (long)lo)
		return got < 0 && got > -4096 ? (int)got : -ENOMEM;
	/* The tail of the last file page is bss: zero there. */
	if (fd >= 0 && p->p_memsz > p->p_filesz) {
		static const uint8_t zeroes[PAGE];
		uint64_t from = base + p->p_vaddr + p->p_filesz;

		if (file_end > from && sc_target_write(t, from, zeroes, file_end - from) < 0)
			return -EFAULT;
	}
	return 0;
}

static int relocate(struct sc_target *t, const struct file *f, uint64_t base)
{
	const Elf64_Rela *r = at_va(f, dynamic(f, DT_RELA));
	uint64_t n = dynamic(f, DT_RELASZ) / sizeof(*r);

	for (uint64_t i = 0; r && i < n; i++) {
		uint64_t value = base + (uint64_t)r[i].r_addend;

		if (ELF64_R_TYPE(r[i].r_info) != R_X86_64_RELATIVE)
			return -ENOEXEC;
		if (sc_target_write(t, base + r[i].r_offset, &value, sizeof(value)) < 0)
			return -EFAULT;
	}
	return 0;
}

/* Base of the library where it is mapped already (loaded at start, or by an earlier attach), or 0. */
static uint64_t mapped_at(pid_t pid, const char *library)
{
	static const char gone[] = " (deleted)";
	char path[64], line[4352];
	const char *name = strrchr(library, '/');
	unsigned long lo, hi, off;
	uint64_t base = 0;
	FILE *f;

	name = name ? name + 1 : library;
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (!base && fgets(line, sizeof(line), f)) {
		size_t n = strcspn(line, "\n");

		line[n] = '\0';
		/* A copy in memory, or a file that was replaced since. */
		if (n > strlen(gone) && strcmp(line + n - strlen(gone), gone) == 0)
			line[n -= strlen(gone)] = '\0';
		if (n > strlen(name) && strcmp(line + n - strlen(name), name) == 0 && strchr("/:", line[n - strlen(name) - 1]) &&
		    sscanf(line, "%lx-%lx %*s %lx", &lo, &hi, &off) == 3 && off == 0)
			base = lo;
	}
	fclose(f);
	return base;
}

static int map_segments(struct sc_target *t, const struct file *f, uint64_t base, long fd)
{
	int err = 0;

	for (int i = 0; i < f->eh->e_phnum && err == 0; i++)
		if (f->ph[i].p_type == PT_LOAD)
			err = map_segment(t, f, &f->ph[i], base, (int)fd);
	return err;
}

/*
 * Its file where the target reaches one, else a named copy, else plain memory: a root without the file, a mount
 * that allows no code, a filter against memfd_create.
 */
static int map_fresh(struct sc_target *t, const struct file *f, const char *inside, uint64_t *base)
{
	long at = remote_mmap(t, 0, span_of(f) + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err = -ENOENT;

	if (at < 0)
		return (int)at;
	*base = (uint64_t)at;
	for (int way = 0; way < 3 && err < 0; way++) {
		long fd = -1;

		if (way == 0)
			fd = *inside ? open_inside(t, inside, *base) : -ENOENT;
		else if (way == 1)
			fd = copy_inside(t, f, *base);
		if (way < 2 && fd < 0)
			continue;
		err = map_segments(t, f, *base, fd);
		close_inside(t, fd);
		/* The next way writes its file's name here again. */
		if (err < 0 && remote_mmap(t, *base, span_of(f), PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) < 0)
			return err;
	}
	return err < 0 ? err : relocate(t, f, *base);
}

/* The first page has the headers and the build-id; another build's function may lie anywhere. */
static int is_same(struct sc_target *t, const struct file *f, uint64_t base)
{
	uint8_t page[PAGE];

	return f->size >= PAGE && sc_target_read(t, base, page, PAGE) == 0 && memcmp(page, f->bytes, PAGE) == 0;
}

int sc_target_map_library(struct sc_target *t, const char *library, const char *inside, uint64_t *entry)
{
	struct file f = {0};
	uint64_t base = mapped_at(t->proc, library), value;
	int err = open_file(&f, library);

	if (err < 0)
		return sc_target_fail(t, -err, "%s: %s", library, strerror(-err));
	value = symbol(&f, SC_INJECT_SYMBOL);
	if (!value)
		err = sc_target_fail(t, ENOEXEC, "%s: no symbol %s", library, SC_INJECT_SYMBOL);
	if (err == 0 && base && !is_same(t, &f, base))
		err = sc_target_fail(t, ESTALE, "process %d has another build of %s in it: use the `scope` it was started with",
				     (int)t->pid, library);
	if (err == 0 && !base) {
		err = map_fresh(t, &f, inside, &base);
		if (err < 0)
			sc_target_fail(t, -err, "cannot map %s into process %d: %s", library, (int)t->pid,
				       strerror(-err));
	}
	*entry = base + value;
	munmap(f.bytes, f.size);
	return err;
}

/* Steps a thread that stands inside bytes to be written out of them. */
static int move_on(struct sc_target *t, struct sc_inject *in)
{
	struct sc_thread *th;
	int err;

	if (in->busy >= t->count)
		return -EPROTO;
	th = &t->thread[in->busy];
	err = sc_target_step(t, th);
	in->ip[in->busy] = th->regs.rip;
	return err;
}

int sc_target_inject(struct sc_target *t, const struct sc_inject_what *what, int quiet)
{
	struct sc_inject *in = calloc(1, sizeof(*in));
	uint64_t entry, size = (sizeof(*in) + STACK + PAGE - 1) & ~(PAGE - 1), ret, arg[6] = {0};
	long at;
	int err;

	if (!in)
		return -ENOMEM;
	err = sc_target_map_library(t, what->libscope, what->inside ? what->inside : what->libscope, &entry);
	if (err < 0)
		goto out;
	at = remote_mmap(t, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at < 0) {
		err = sc_target_fail(t, (int)-at, "no memory in process %d: %s", (int)t->pid, strerror((int)-at));
		goto out;
	}
	in->magic = SC_INJECT_MAGIC;
	in->op = what->op;
	in->quiet = (uint32_t)quiet;
	in->threads = t->count < SC_INJECT_THREADS ? t->count : SC_INJECT_THREADS;
	snprintf(in->dir, sizeof(in->dir), "%s", what->dir);
	for (unsigned i = 0; i < in->threads; i++)
		in->ip[i] = t->thread[i].regs.rip;
	for (int tries = 0; tries < 1000; tries++) {
		err = sc_target_write(t, (uint64_t)at, in, sizeof(*in));
		if (err == 0)
			err = sc_target_call(t, entry, (uint64_t)at, (uint64_t)at + size, &ret);
		if (err == 0)
			err = sc_target_read(t, (uint64_t)at, in, sizeof(*in));
		if (err < 0 || in->result != -EAGAIN)
			break;
		err = move_on(t, in);
		if (err < 0)
			break;
	}
	if (err < 0)
		sc_target_fail(t, -err, "the library's start in process %d failed: %s", (int)t->pid, strerror(-err));
	else if (in->result == -EOPNOTSUPP)
		err = sc_target_fail(t, EOPNOTSUPP,
				     "the version of Go of process %d is not known (before 1.18, or newer than this scope)",
				     (int)t->pid);
	else if (in->result == -ECANCELED)
		err = sc_target_fail(t, ECANCELED, "Valgrind runs a program on a simulated processor there");
	else if (in->result < 0)
		err = sc_target_fail(t, -in->result, "the library could not work in process %d: %s", (int)t->pid,
				     strerror(-in->result));
	arg[0] = (uint64_t)at;
	arg[1] = size;
	sc_target_syscall(t, SYS_munmap, arg);
out:
	free(in);
	return err;
}
