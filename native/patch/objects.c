/* SPDX-License-Identifier: Apache-2.0 */
/* Walks auxv, then the loader's list of objects (struct r_debug), checking each pointer. */
#include <errno.h>
#include <link.h>
#include "base/mem.h"
#include "sys/sys.h"
#include "sys/process.h"
#include "patch/objects.h"

#define OBJECTS_MAX 4096

const char *sc_base_name(const char *path)
{
	const char *base = path;

	for (; *path; path++)
		if (*path == '/')
			base = path + 1;
	return base;
}

/* The executable (or, when ld.so was run by hand, ld.so itself) by the kernel's auxv. */
static int from_auxv(const struct sc_auxv *auxv, size_t n, struct sc_elf *elf)
{
	const Elf64_Phdr *phdr = (const Elf64_Phdr *)sc_auxv_get(auxv, n, AT_PHDR, 0);
	uint32_t num = (uint32_t)sc_auxv_get(auxv, n, AT_PHNUM, 0);
	uint64_t page, bias = 0;

	if (!phdr || !num || num > 256 || !sc_readable(phdr, num * sizeof(*phdr)))
		return -1;
	page = (uint64_t)phdr & ~(SC_PAGE - 1);
	for (uint32_t i = 0; i < num; i++) {
		if (phdr[i].p_type == PT_PHDR) {
			bias = (uint64_t)phdr - phdr[i].p_vaddr;
			break;
		}
		/* No PT_PHDR: the headers are in the first page of the object. */
		if (phdr[i].p_type == PT_LOAD && phdr[i].p_offset == 0) {
			bias = page - phdr[i].p_vaddr;
			break;
		}
	}
	return sc_elf_loaded(elf, bias, phdr, num);
}

/* The loader's list: by DT_DEBUG of the executable, else by the symbol of the loader. */
static const struct r_debug *find_list(const struct sc_elf *exe, const struct sc_elf *loader)
{
	uint64_t at = sc_elf_dynamic(exe, DT_DEBUG);
	const struct sc_elf *own = loader ? loader : exe;

	/* sc_elf_dynamic takes the bias off what points into the object itself. */
	if (at && at >= exe->lo && at < exe->hi)
		at += exe->bias;
	for (int i = 0; !at && i < 2; i++) {
		const Elf64_Sym *s = sc_elf_lookup(own, i ? "_dl_debug_addr" : "_r_debug");

		if (s)
			at = own->bias + s->st_value;
		if (s && i) /* musl: a pointer to the list */
			at = *(const uint64_t *)at;
	}
	if (!at || at % 8 || !sc_readable((const void *)at, sizeof(struct r_debug)))
		return NULL;
	return (const struct r_debug *)at;
}

/* The loader allocates its list and the names close together: a page is asked about once in a row. */
static int is_readable(const void *p, size_t n, uint64_t *page)
{
	uint64_t first = (uint64_t)p & ~(SC_PAGE - 1), last = ((uint64_t)p + n - 1) & ~(SC_PAGE - 1);

	if (first == *page && last == *page)
		return 1;
	if (!sc_readable(p, n))
		return 0;
	*page = last;
	return 1;
}

static int walk(const struct r_debug *list, const struct sc_elf *exe,
		int (*each)(const struct sc_object *, void *), void *arg)
{
	const struct link_map *m = list->r_map;
	uint64_t page = 1;
	int ret;

	for (int i = 0; m && i < OBJECTS_MAX; i++, m = m->l_next) {
		struct sc_object o = { .role = SC_OBJECT_LIBRARY };

		if (!is_readable(m, sizeof(*m), &page) || !m->l_name || !is_readable(m->l_name, 1, &page))
			return 0;
		if (m->l_addr == exe->bias || !m->l_name[0] || !m->l_addr ||
		    sc_starts(sc_base_name(m->l_name), "linux-vdso") ||
		    sc_elf_at_header(&o.elf, (const void *)m->l_addr))
			continue;
		o.path = m->l_name;
		ret = each(&o, arg);
		if (ret)
			return ret;
	}
	return 0;
}

/* Found once: neither the executable nor the loader's list ever moves. */
static struct {
	struct sc_elf exe;
	const struct r_debug *list; /* NULL: not found yet, or there is none */
} fresh SC_AT_START;

int sc_objects_each(int (*each)(const struct sc_object *object, void *arg), void *arg)
{
	struct sc_auxv auxv[48];
	size_t n = sc_auxv_read(auxv, 48);
	uint64_t base = sc_auxv_get(auxv, n, AT_BASE, 0);
	struct sc_object exe = { .path = "", .role = SC_OBJECT_EXE }, loader = { .role = SC_OBJECT_LOADER };
	const struct r_debug *list;
	int ret;

	if (from_auxv(auxv, n, &exe.elf))
		return 0;
	ret = each(&exe, arg);
	if (ret)
		return ret;
	if (base && sc_elf_at_header(&loader.elf, (const void *)base))
		base = 0;
	if (base) {
		const Elf64_Phdr *interp = sc_elf_segment(&exe.elf, PT_INTERP);

		loader.path = interp ? (const char *)sc_elf_at(&exe.elf, interp->p_vaddr, 1) : "";
		if (!loader.path)
			loader.path = "";
		ret = each(&loader, arg);
		if (ret)
			return ret;
	}
	list = find_list(&exe.elf, base ? &loader.elf : NULL);
	fresh.exe = exe.elf;
	fresh.list = list;
	return list ? walk(list, &exe.elf, each, arg) : 0;
}

static void find_fresh(void)
{
	struct sc_auxv auxv[48];
	size_t n = sc_auxv_read(auxv, 48);
	uint64_t base = sc_auxv_get(auxv, n, AT_BASE, 0);
	struct sc_elf loader;

	if (from_auxv(auxv, n, &fresh.exe))
		return;
	if (base && sc_elf_at_header(&loader, (const void *)base))
		base = 0;
	fresh.list = find_list(&fresh.exe, base ? &loader : NULL);
}

static uint64_t *seen_base(struct sc_objects_seen *seen, uint32_t i)
{
	return i < SC_SEEN_FIRST ? &seen->first[i] : &seen->more[i - SC_SEEN_FIRST];
}

static uint32_t seen_used(const struct sc_objects_seen *seen)
{
	return seen->used < SC_SEEN_FIRST + SC_SEEN_MORE ? seen->used : SC_SEEN_FIRST + SC_SEEN_MORE;
}

static int was_seen(struct sc_objects_seen *seen, uint64_t base)
{
	for (uint32_t i = 0; i < seen_used(seen); i++)
		if (*seen_base(seen, i) == base)
			return 1;
	*seen_base(seen, seen->used++ % (SC_SEEN_FIRST + SC_SEEN_MORE)) = base;
	return 0;
}

int sc_objects_fresh(struct sc_objects_seen *seen,
		     int (*each)(const struct sc_object *object, void *arg), void *arg)
{
	const struct link_map *m;
	struct sc_object exe = { .path = "", .role = SC_OBJECT_EXE };
	uint64_t page = 1;
	int ret = 0;

	if (!fresh.list)
		find_fresh();
	if (!fresh.list)
		return 0;
	if (!seen->used) {
		exe.elf = fresh.exe;
		was_seen(seen, exe.elf.bias);
		ret = each(&exe, arg);
	}
	if (fresh.list->r_state != RT_CONSISTENT)
		return -EAGAIN;
	m = fresh.list->r_map;
	for (int i = 0; m && i < OBJECTS_MAX && !ret; i++, m = m->l_next) {
		struct sc_object o = { .role = SC_OBJECT_LIBRARY };

		if (seen->careful && !is_readable(m, sizeof(*m), &page))
			return 0;
		if (was_seen(seen, m->l_addr))
			continue;
		if (!m->l_addr || !m->l_name || !is_readable(m->l_name, 1, &page) || !m->l_name[0] ||
		    sc_starts(sc_base_name(m->l_name), "linux-vdso") ||
		    sc_elf_at_header(&o.elf, (const void *)m->l_addr))
			continue;
		o.path = m->l_name;
		ret = each(&o, arg);
	}
	return ret;
}
