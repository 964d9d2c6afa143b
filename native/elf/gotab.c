/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads .gopclntab. Its text base is 0 from Go 1.26 on (it moved to the module data, which a
 * position-independent program relocates); so the base is taken from Syscall6 itself, found by its
 * bytes in the text and by its name in the table.
 */
#include <errno.h>
#include "base/mem.h"
#include "elf/gotab.h"

#define MAGIC_118 0xfffffff0u
#define MAGIC_120 0xfffffff1u

struct header {
	uint32_t magic;
	uint8_t zero[2];
	uint8_t quantum, pointer;
	uint64_t functions, files, text;
	uint64_t names, units, file_names, pcs, table; /* offsets from the header */
};

/* mov %rsi,%r10; mov %rdi,%rdx; mov %rcx,%rsi; mov %rbx,%rdi; syscall; cmp $-4095,%rax */
static const uint8_t call6_code[] = { 0x49, 0x89, 0xf2, 0x48, 0x89, 0xfa, 0x48, 0x89, 0xce, 0x48,
				      0x89, 0xdf, 0x0f, 0x05, 0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff };

static int is_header(const struct header *h, uint64_t room)
{
	return (h->magic == MAGIC_118 || h->magic == MAGIC_120) && !h->zero[0] && !h->zero[1] &&
	       h->quantum == 1 && h->pointer == 8 && h->functions >= 10 && h->functions < 10000000 &&
	       h->names < room && h->table < room && room - h->table > 8 * h->functions + 4;
}

static int find_header(const struct sc_elf *elf, uint64_t *va)
{
	for (uint32_t i = 0; i < elf->phnum; i++) {
		const Elf64_Phdr *p = &elf->phdr[i];
		const uint8_t *b = p->p_type == PT_LOAD ? sc_elf_at(elf, p->p_vaddr, p->p_filesz) : NULL;
		uint64_t first = (8 - p->p_vaddr % 8) % 8;

		for (uint64_t at = first; b && at + sizeof(struct header) <= p->p_filesz; at += 8) {
			uint32_t magic;

			memcpy(&magic, b + at, 4);
			if (magic != MAGIC_118 && magic != MAGIC_120)
				continue;
			if (is_header((const struct header *)(b + at), p->p_filesz - at)) {
				*va = p->p_vaddr + at;
				return 0;
			}
		}
	}
	return -ENOENT;
}

/* The only place with the code of Syscall6; 0: none, or more than one. */
static uint64_t find_call6(const struct sc_elf *elf)
{
	uint64_t found = 0;

	for (uint32_t i = 0; i < elf->phnum; i++) {
		const Elf64_Phdr *p = &elf->phdr[i];
		const uint8_t *b = NULL;

		if (p->p_type == PT_LOAD && (p->p_flags & PF_X))
			b = sc_elf_at(elf, p->p_vaddr, p->p_filesz);
		for (uint64_t at = 0; b && at + sizeof(call6_code) <= p->p_filesz; at++) {
			if (b[at] != 0x49 || memcmp(b + at, call6_code, sizeof(call6_code)))
				continue;
			if (found)
				return 0;
			found = p->p_vaddr + at;
		}
	}
	return found;
}

static int is_call6(const char *name)
{
	return sc_streq(name, "internal/runtime/syscall/linux.Syscall6") ||
	       sc_streq(name, "internal/runtime/syscall.Syscall6") ||
	       sc_streq(name, "runtime/internal/syscall.Syscall6");
}

/* The name of a function: its record says where the name is. "" when out of bounds. */
static const char *name_of(const struct sc_elf *elf, uint64_t va, const struct header *h, uint32_t n)
{
	const uint8_t *entry = sc_elf_at(elf, va + h->table + 8ull * n, 8), *record;
	const char *name;
	uint32_t off;

	if (!entry)
		return "";
	memcpy(&off, entry + 4, 4);
	record = sc_elf_at(elf, va + h->table + off, 8);
	if (!record)
		return "";
	memcpy(&off, record + 4, 4);
	name = (const char *)sc_elf_at(elf, va + h->names + off, 48);
	return name ? name : "";
}

static uint32_t entry_offset(const struct sc_elf *elf, uint64_t table, uint32_t n)
{
	const uint8_t *entry = sc_elf_at(elf, table + 8ull * n, 4);
	uint32_t off = 0;

	if (entry)
		memcpy(&off, entry, 4);
	return off;
}

int sc_go_is_noted(const struct sc_elf *elf)
{
	for (uint32_t i = 0; i < elf->phnum; i++) {
		const Elf64_Phdr *p = &elf->phdr[i];
		const uint8_t *n = p->p_type == PT_NOTE ? sc_elf_at(elf, p->p_vaddr, p->p_filesz) : NULL;

		for (uint64_t at = 0; n && at + 16 <= p->p_filesz; at += 4)
			if (!memcmp(n + at, "\x04\0\0\0", 4) && !memcmp(n + at + 8, "\x04\0\0\0Go\0\0", 8))
				return 1;
	}
	return 0;
}

int sc_go_find(const struct sc_elf *elf, struct sc_go *go)
{
	const Elf64_Phdr *tls = sc_elf_segment(elf, PT_TLS);
	const struct header *h;
	uint64_t va;

	memset(go, 0, sizeof(*go));
	go->is_go = sc_go_is_noted(elf);
	/* Reading all of a large program at each start costs much: only a static one may lack the note. */
	if (!go->is_go && sc_elf_segment(elf, PT_DYNAMIC))
		return -ENOENT;
	if (find_header(elf, &va))
		return go->is_go ? -ENOTSUP : -ENOENT;
	go->is_go = 1;
	/* The linker gives g the word below %fs when the program has no other thread-local data. */
	go->g_in_fs = !tls || tls->p_memsz == 8;
	go->call6 = find_call6(elf);
	h = (const struct header *)sc_elf_at(elf, va, sizeof(*h));
	if (!go->call6 || !h)
		return -ENOTSUP;
	go->functions = (uint32_t)h->functions;
	go->table = va + h->table;
	for (uint32_t n = 0; n < go->functions; n++) {
		const char *name = name_of(elf, va, h, n);
		int tls = sc_streq(name, "crypto/tls.(*Conn).Read")  ? 0 :
			  sc_streq(name, "crypto/tls.(*Conn).Write") ? 1 :
								       -1;

		if (tls >= 0) { /* relative to the text until that is known */
			go->tls[tls] = entry_offset(elf, go->table, n);
			go->tls_end[tls] = entry_offset(elf, go->table, n + 1);
		}
		if (!go->text && is_call6(name)) {
			go->text = go->call6 - entry_offset(elf, go->table, n);
			go->end = go->text + entry_offset(elf, go->table, go->functions);
		}
	}
	for (int i = 0; i < 2; i++) {
		go->tls_end[i] += go->tls[i] ? go->text : 0;
		go->tls[i] += go->tls[i] ? go->text : 0;
	}
	return go->end > go->text && go->text >= elf->lo && go->end <= elf->hi ? 0 : -ENOTSUP;
}

uint64_t sc_go_function(const struct sc_elf *elf, const struct sc_go *go, uint32_t n)
{
	return go->text + entry_offset(elf, go->table, n);
}
