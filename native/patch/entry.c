/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entry hooks: a jump at the start of a function, and a trampoline that does what it covers.
 *
 *   function:    jmp gate  ------>  gate:  jmp *[wrapper]
 *   function+n:  ...      <------   tramp: moved instructions; jmp function+n     = *original
 */
#include <errno.h>
#include <sys/mman.h>
#include "base/mem.h"
#include "sys/process.h"
#include "sys/sys.h"
#include "elf/emit.h"
#include "patch/entry.h"
#include "patch/objects.h"
#include "patch/patch.h"
#include "patch/write.h"

#define ENTRIES_MAX 64
#define SLOT_SIZE   256u /* jmp *[wrapper] and the trampoline of one function */
#define ARENAS_MAX  16
#define TRAMPOLINE  32u
#define NEAR        (1ull << 30)

struct entry {
	uint64_t va;
	uint8_t bytes[5]; /* as they were */
	uint8_t jump[5];  /* as we made them */
};

/* A page of slots near some object. Each slot is written once, before anything jumps there. */
struct arena {
	uint64_t at;
	uint32_t used;
};

static struct {
	struct entry entry[ENTRIES_MAX];
	uint32_t entries;
	struct arena arena[ARENAS_MAX];
	uint32_t arenas;
} state;

static int is_near(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) < NEAR;
}

static int new_arena(uint64_t va)
{
	uint8_t page[SC_PAGE];
	uint64_t first = va & ~(SC_PAGE - 1);

	if (state.arenas == ARENAS_MAX)
		return -ENOSPC;
	memset(page, 0xcc, sizeof(page));
	for (uint64_t i = 1; i <= 24; i++) {
		uint64_t at = first - i * (40ull << 20);

		if (at > first) /* wrapped: low in the address space, look above */
			at = first + i * (40ull << 20);
		if (sc_code_map(at, page, sizeof(page)))
			continue;
		state.arena[state.arenas++] = (struct arena){ .at = at };
		return 0;
	}
	return -EEXIST;
}

static int find_slot(uint64_t va, uint64_t *at)
{
	for (int tries = 0; tries < 2; tries++) {
		for (uint32_t i = 0; i < state.arenas; i++) {
			struct arena *a = &state.arena[i];

			if (!is_near(a->at, va) || a->used + SLOT_SIZE > SC_PAGE)
				continue;
			*at = a->at + a->used;
			a->used += SLOT_SIZE;
			return 0;
		}
		if (new_arena(va))
			return -EEXIST;
	}
	return -EEXIST;
}

/* Open between begin and end: then writes keep their order, and are done at the next or the end. */
static struct sc_writer batch;
static int batching SC_AT_START; /* 1: begun, 2: the writer is open */

void sc_patch_entries_begin(void)
{
	batching = 1;
}

int sc_patch_entries_end(void)
{
	int ret = batching == 2 ? sc_writer_close(&batch) : 0;

	batching = 0;
	return ret;
}

static int write_one(uint64_t va, const void *bytes, uint32_t n)
{
	struct sc_writer own, *w = batching ? &batch : &own;

	if (batching != 2)
		sc_writer_open(w);
	if (batching)
		batching = 2;
	for (uint32_t i = 0; i < n; i += 64)
		sc_writer_put(w, va + i, (const uint8_t *)bytes + i, n - i < 64 ? n - i : 64);
	return batching ? 0 : sc_writer_close(w);
}

int sc_patch_entry(void *function, void *wrapper, void **original)
{
	uint64_t va = (uint64_t)function, slot, to = (uint64_t)wrapper;
	uint8_t code[SLOT_SIZE], jump[5];
	long window = sc_emit_entry_window(function, va), n;
	int ret;

	if (window < 0)
		return (int)window;
	if (state.entries == ENTRIES_MAX)
		return -ENOSPC;
	ret = find_slot(va, &slot);
	if (ret)
		return ret;
	memset(code, 0xcc, sizeof(code));
	memcpy(code, "\xff\x25\x02\0\0\0", 6); /* jmp *2(%rip): the address follows, aligned */
	memcpy(code + 8, &to, 8);
	n = sc_emit_moved(function, va, (unsigned)window, code + TRAMPOLINE, slot + TRAMPOLINE);
	if (n < 0 || sc_emit_jump(jump, va, slot))
		return -EINVAL;
	ret = write_one(slot, code, TRAMPOLINE + (uint32_t)n);
	if (ret)
		return ret;
	memcpy(state.entry[state.entries].bytes, function, 5);
	memcpy(state.entry[state.entries].jump, jump, 5);
	state.entry[state.entries].va = va;
	/* The wrapper may run from the next instruction on: its way back is known before. */
	__atomic_store_n(original, (void *)(slot + TRAMPOLINE), __ATOMIC_RELEASE);
	ret = write_one(va, jump, sizeof(jump));
	if (!ret)
		state.entries++;
	return ret;
}

int sc_entry_undo(void)
{
	int ret = 0;

	while (state.entries) {
		const struct entry *e = &state.entry[--state.entries];
		int one;

		/* The library may be gone, and something else in its place. */
		if (!sc_readable((const void *)e->va, sizeof(e->jump)) ||
		    memcmp((const void *)e->va, e->jump, sizeof(e->jump)) != 0)
			continue;
		one = write_one(e->va, e->bytes, sizeof(e->bytes));
		if (!ret)
			ret = one;
	}
	return ret;
}

struct wanted {
	const char *prefix, *name;
	void *found;
};

static int look(const struct sc_object *o, void *arg)
{
	struct wanted *w = arg;
	const Elf64_Sym *s;

	if (!sc_starts(sc_base_name(o->path), w->prefix))
		return 0;
	s = sc_elf_lookup(&o->elf, w->name);
	if (!s || ELF64_ST_TYPE(s->st_info) != STT_FUNC)
		return 0;
	w->found = (void *)(o->elf.bias + s->st_value);
	return 1;
}

void *sc_patch_symbol(const char *prefix, const char *name)
{
	struct wanted w = { .prefix = prefix, .name = name };

	sc_objects_each(look, &w);
	return w.found;
}
