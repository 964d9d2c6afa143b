// SPDX-License-Identifier: Apache-2.0
// An ELF core of a stopped process, as gdb reads it. Layer 4.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

#include "inject/crash.h"

#define PAGE 4096ull

static void note(FILE *out, uint32_t type, const void *data, uint32_t size)
{
	static const char pad[4];
	Elf64_Nhdr nh = {.n_namesz = 5, .n_descsz = size, .n_type = type};

	fwrite(&nh, sizeof(nh), 1, out);
	fwrite("CORE\0\0\0", 8, 1, out);
	fwrite(data, size, 1, out);
	fwrite(pad, (4 - size % 4) % 4, 1, out);
}

static void thread_notes(FILE *out, pid_t tid, int signal)
{
	struct elf_prstatus status = {.pr_pid = tid, .pr_cursig = (short)signal};
	struct user_regs_struct regs;
	struct user_fpregs_struct fp;

	status.pr_info.si_signo = signal;
	if (ptrace(PTRACE_GETREGS, tid, 0, &regs) == 0)
		memcpy(&status.pr_reg, &regs, sizeof(status.pr_reg));
	note(out, NT_PRSTATUS, &status, sizeof(status));
	if (ptrace(PTRACE_GETFPREGS, tid, 0, &fp) == 0)
		note(out, NT_FPREGSET, &fp, sizeof(fp));
}

/* The part of /proc/PID/NAME that fits. */
static size_t proc_file(pid_t pid, const char *name, char *to, size_t size)
{
	char path[64];
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, to, size);
		close(fd);
	}
	return n > 0 ? (size_t)n : 0;
}

static void process_notes(FILE *out, const struct sc_maps *m, pid_t first)
{
	struct elf_prpsinfo info = {.pr_pid = m->pid};
	char auxv[2048];
	siginfo_t si;
	size_t n;

	n = proc_file(m->pid, "comm", info.pr_fname, sizeof(info.pr_fname) - 1);
	if (n && info.pr_fname[n - 1] == '\n')
		info.pr_fname[n - 1] = '\0';
	n = proc_file(m->pid, "cmdline", info.pr_psargs, sizeof(info.pr_psargs) - 1);
	for (size_t i = 0; i + 1 < n; i++)
		if (!info.pr_psargs[i])
			info.pr_psargs[i] = ' ';
	note(out, NT_PRPSINFO, &info, sizeof(info));
	if (ptrace(PTRACE_GETSIGINFO, first, 0, &si) == 0)
		note(out, NT_SIGINFO, &si, sizeof(si));
	n = proc_file(m->pid, "auxv", auxv, sizeof(auxv));
	note(out, NT_AUXV, auxv, (uint32_t)n);
}

/* Which object lies where, so that gdb finds symbols: counts, (lo, hi, page offset)…, then the names. */
static void files_note(FILE *out, const struct sc_maps *m)
{
	char *text = NULL;
	size_t size = 0;
	uint64_t count = 0, head[3];
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return;
	for (size_t i = 0; i < m->count; i++)
		count += m->map[i].path[0] == '/';
	fwrite(&count, 8, 1, f);
	fwrite(&(uint64_t){PAGE}, 8, 1, f);
	for (size_t i = 0; i < m->count; i++) {
		if (m->map[i].path[0] != '/')
			continue;
		head[0] = m->map[i].lo;
		head[1] = m->map[i].hi;
		head[2] = m->map[i].off / PAGE;
		fwrite(head, sizeof(head), 1, f);
	}
	for (size_t i = 0; i < m->count; i++)
		if (m->map[i].path[0] == '/')
			fwrite(m->map[i].path, strlen(m->map[i].path) + 1, 1, f);
	fclose(f);
	note(out, NT_FILE, text, (uint32_t)size);
	free(text);
}

/* What a mapping has in the file: all that can be read, but not what the process itself may not read. */
static uint64_t kept(const struct sc_map *map)
{
	return map->special || !(map->prot & PROT_READ) ? 0 : map->hi - map->lo;
}

static int put_memory(FILE *out, const struct sc_maps *m, const struct sc_map *map)
{
	static char page[64 * PAGE];

	for (uint64_t at = map->lo; at < map->hi; at += sizeof(page)) {
		size_t n = map->hi - at < sizeof(page) ? map->hi - at : sizeof(page);

		if (!sc_maps_read(m, at, page, n)) {
			/* A hole (a file cut short): page by page, zero where there is none. */
			for (size_t i = 0; i < n; i += PAGE)
				if (!sc_maps_read(m, at + i, page + i, PAGE))
					memset(page + i, 0, PAGE);
		}
		if (fwrite(page, n, 1, out) != 1)
			return -errno;
	}
	return 0;
}

int sc_crash_core(FILE *out, const struct sc_maps *m, const pid_t *tids, size_t count, int signal)
{
	Elf64_Ehdr eh = {.e_type = ET_CORE,
			 .e_machine = EM_X86_64,
			 .e_version = EV_CURRENT,
			 .e_phoff = sizeof(eh),
			 .e_ehsize = sizeof(eh),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = (uint16_t)(m->count + 1)};
	char *notes = NULL;
	size_t size = 0;
	uint64_t at;
	FILE *f = open_memstream(&notes, &size);
	int err = 0;

	if (!f || m->count > 65000)
		return -ENOMEM;
	memcpy(eh.e_ident, ELFMAG "\2\1\1", 7);
	thread_notes(f, tids[0], signal);
	process_notes(f, m, tids[0]);
	files_note(f, m);
	for (size_t i = 1; i < count; i++)
		thread_notes(f, tids[i], 0);
	fclose(f);
	at = sizeof(eh) + eh.e_phnum * sizeof(Elf64_Phdr);
	fwrite(&eh, sizeof(eh), 1, out);
	fwrite(&(Elf64_Phdr){.p_type = PT_NOTE, .p_offset = at, .p_filesz = size}, sizeof(Elf64_Phdr), 1, out);
	at = (at + size + PAGE - 1) & ~(PAGE - 1);
	for (size_t i = 0; i < m->count; i++) {
		const struct sc_map *map = &m->map[i];
		Elf64_Phdr ph = {.p_type = PT_LOAD,
				 .p_flags = (map->prot & PROT_READ ? PF_R : 0) | (map->prot & PROT_WRITE ? PF_W : 0) |
					    (map->prot & PROT_EXEC ? PF_X : 0),
				 .p_offset = at,
				 .p_vaddr = map->lo,
				 .p_filesz = kept(map),
				 .p_memsz = map->hi - map->lo,
				 .p_align = PAGE};

		fwrite(&ph, sizeof(ph), 1, out);
		at += ph.p_filesz;
	}
	fwrite(notes, size, 1, out);
	free(notes);
	while (ftell(out) % (long)PAGE)
		fputc(0, out);
	for (size_t i = 0; i < m->count && !err; i++)
		if (kept(&m->map[i]))
			err = put_memory(out, m, &m->map[i]);
	return err ? err : ferror(out) ? -EIO : 0;
}
