/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment of the image an exec makes: LD_PRELOAD and SCOPE_DIR are put back when the caller
 * built a clean one, and the library is taken out where it cannot be loaded (chroot, a 32-bit
 * program), so that the dynamic loader has nothing to complain about. Layer 4.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/mem.h"
#include "elf/preload.h"
#include "probe/probe.h"
#include "sys/process.h"

#define SETUPS 8

struct sc_exec_setup sc_exec_setup SC_AT_START;

/* Environments in use: until the exec fails, or the vfork parent goes on. */
static struct {
	_Atomic(uint64_t) tp;
	void *at;
	size_t size;
} made[SETUPS];

static const char preload[] = "LD_PRELOAD=";
static const char folder[] = "SCOPE_DIR=";

/* Length of our library's path when it stands at p as one element of a list, else 0. */
static size_t ours_at(const char *p)
{
	size_t n = sc_strlen(sc_exec_setup.libscope);
	char after;

	if (!sc_starts(p, sc_exec_setup.libscope))
		return 0;
	after = p[n];
	return after == 0 || after == ':' || after == ' ' ? n : 0;
}

/* Where our library stands in the value of LD_PRELOAD, or NULL. */
static const char *find_ours(const char *value)
{
	for (const char *p = value; *p;) {
		if (ours_at(p))
			return p;
		while (*p && *p != ':' && *p != ' ')
			p++;
		while (*p == ':' || *p == ' ')
			p++;
	}
	return NULL;
}

static void note(enum sc_note_code code)
{
	struct sc_ctx x;

	if (sc_enter(&x))
		sc_note(&x, code, 0, NULL);
}

/* After a chroot, or with other mounts, what we need may not be there: the session says so, for the new image cannot. */
static int loadable(const char *path)
{
	if (sc_sys2(__NR_access, (long)sc_exec_setup.libscope, R_OK) < 0) {
		note(SC_NOTE_NO_LIBRARY);
		return 0;
	}
	if (!sc_elf_preloadable(path))
		return 0;
	if (sc_sys2(__NR_access, (long)sc_chan.dir, W_OK | X_OK) < 0)
		note(SC_NOTE_NO_WRITE);
	return 1;
}

/* LD_PRELOAD with our library added at the end. Returns the bytes put, NUL included. */
static size_t put_added(char *to, size_t size, const char *old)
{
	size_t n = sc_strcpy(to, size, old ? old : preload);

	if (old && old[sizeof(preload) - 1])
		n += sc_strcpy(to + n, size - n, ":");
	return n + sc_strcpy(to + n, size - n, sc_exec_setup.libscope) + 1;
}

/* LD_PRELOAD without our library. */
static size_t put_removed(char *to, size_t size, const char *old)
{
	const char *ours = find_ours(old + sizeof(preload) - 1);
	size_t head = (size_t)(ours - old), n;

	if (head >= size)
		return 0;
	memcpy(to, old, head);
	ours += sc_strlen(sc_exec_setup.libscope);
	while (*ours == ':' || *ours == ' ')
		ours++;
	n = head + sc_strcpy(to + head, size - head, ours);
	if (n && (to[n - 1] == ':' || to[n - 1] == ' '))
		to[--n] = 0;
	return n + 1;
}

void *sc_exec_allocate(size_t size, uint64_t tp)
{
	for (int i = 0; i < SETUPS; i++) {
		uint64_t none = 0;

		if (!atomic_compare_exchange_strong_explicit(&made[i].tp, &none, tp,
							     memory_order_relaxed,
							     memory_order_relaxed))
			continue;
		made[i].at = sc_sys_mmap(NULL, size, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		made[i].size = size;
		if (!sc_map_failed(made[i].at))
			return made[i].at;
		atomic_store_explicit(&made[i].tp, 0, memory_order_relaxed);
		return NULL;
	}
	return NULL;
}

void sc_exec_release(uint64_t tp)
{
	for (int i = 0; i < SETUPS; i++) {
		if (atomic_load_explicit(&made[i].tp, memory_order_relaxed) != tp)
			continue;
		sc_sys_munmap(made[i].at, made[i].size);
		atomic_store_explicit(&made[i].tp, 0, memory_order_relaxed);
	}
}

struct found {
	size_t count;
	size_t preload; /* index, count: absent */
	size_t folder;
};

static void look(char **envp, struct found *f)
{
	f->preload = f->folder = (size_t)-1;
	for (f->count = 0; envp && envp[f->count]; f->count++) {
		if (sc_starts(envp[f->count], preload))
			f->preload = f->count;
		else if (sc_starts(envp[f->count], folder))
			f->folder = f->count;
	}
}

char **sc_exec_environment(const char *path, char **envp, uint64_t tp)
{
	const char *old = NULL;
	struct found f;
	size_t size, n;
	char **out, *text;
	int have, can;

	if (!sc_exec_setup.libscope[0] || sc_chan.quiet)
		return envp;
	look(envp, &f);
	if (f.preload != (size_t)-1)
		old = envp[f.preload];
	have = old && find_ours(old + sizeof(preload) - 1);
	can = loadable(path);
	if (can ? have && f.folder != (size_t)-1 : !have)
		return envp;
	size = (f.count + 3) * sizeof(char *) + sizeof(sc_exec_setup) + sizeof(folder) + sizeof(sc_chan.dir) + 16 +
	       (old ? sc_strlen(old) : 0);
	out = sc_exec_allocate(size, tp);
	if (!out)
		return envp;
	text = (char *)(out + f.count + 3);
	memcpy(out, envp, f.count * sizeof(char *));
	n = f.count;
	if (can != have) {
		size_t used = can ? put_added(text, 1024 + (old ? sc_strlen(old) : 0), old)
				  : put_removed(text, sc_strlen(old) + 1, old);

		out[old ? f.preload : n++] = text;
		text += used;
	}
	if (can && f.folder == (size_t)-1) {
		out[n++] = text;
		text += sc_strcpy(text, sizeof(folder), folder);
		sc_strcpy(text, sizeof(sc_chan.dir), sc_chan.dir);
	}
	out[n] = NULL;
	return out;
}
