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

/*
 * The functions that make the calls whose number they are given, from where the arguments are loaded to
 * `syscall; cmp $-4095,%rax`. From Go 1.19 on only the first: arguments come in registers. Before, each has
 * its own, with the arguments on the stack. The number, at 8(%rsp), is loaded first by one of them only.
 */
#define SYSCALL "\x0f\x05\x48\x3d\x01\xf0\xff\xff"
#define LOAD_NR "\x48\x8b\x44\x24\x08"
#define LOAD_3  "\x48\x8b\x7c\x24\x10\x48\x8b\x74\x24\x18\x48\x8b\x54\x24\x20"
#define LOAD_6  LOAD_3 "\x4c\x8b\x54\x24\x28\x4c\x8b\x44\x24\x30\x4c\x8b\x4c\x24\x38"

struct code {
	const char *bytes;
	uint32_t len, head; /* len up to the syscall and the comparison; head: bytes of the function before */
};
#define CODE(head, bytes) { bytes, sizeof(bytes) - 1, head }

static const struct code in_registers =
	CODE(0, "\x49\x89\xf2\x48\x89\xfa\x48\x89\xce\x48\x89\xdf" SYSCALL);
static const struct code on_stack = CODE(0, LOAD_NR LOAD_6 SYSCALL);

/* Go 1.18, package syscall; the first two tell the scheduler before (`call entersyscall`). */
static const struct {
	const char *name;
	struct code code;
} of_118[SC_GO_CALLS - 1] = {
	{ "syscall.Syscall", CODE(5, LOAD_3 LOAD_NR SYSCALL) },
	{ "syscall.Syscall6", CODE(5, LOAD_6 LOAD_NR SYSCALL) },
	{ "syscall.RawSyscall", CODE(0, LOAD_3 LOAD_NR SYSCALL) },
};

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

/* The only place of the text with such code; 0: none, or more than one. */
static uint64_t find_code(const struct sc_elf *elf, const struct code *code)
{
	uint64_t found = 0;

	for (uint32_t i = 0; i < elf->phnum; i++) {
		const Elf64_Phdr *p = &elf->phdr[i];
		const uint8_t *b = NULL;

		if (p->p_type == PT_LOAD && (p->p_flags & PF_X))
			b = sc_elf_at(elf, p->p_vaddr, p->p_filesz);
		for (uint64_t at = 0; b && at + code->len <= p->p_filesz; at++) {
			if (b[at] != (uint8_t)code->bytes[0] || memcmp(b + at, code->bytes, code->len))
				continue;
			if (found)
				return 0;
			found = p->p_vaddr + at;
		}
	}
	return found;
}

static uint64_t call_in(uint64_t function, const struct code *code)
{
	return function + code->head + code->len - (sizeof(SYSCALL) - 1);
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

/* What is looked for by name, as offsets into the text: its address is known when all names were seen. */
struct found {
	uint32_t call6, end;
	uint32_t tls[2], tls_end[2];
	uint32_t of_118[SC_GO_CALLS - 1];
};

static void find_names(const struct sc_elf *elf, uint64_t va, const struct header *h, const struct sc_go *go,
		       struct found *f)
{
	memset(f, 0, sizeof(*f));
	f->end = entry_offset(elf, go->table, go->functions);
	for (uint32_t n = 0; n < go->functions; n++) {
		const char *name = name_of(elf, va, h, n);
		uint32_t at = entry_offset(elf, go->table, n);
		int tls = sc_streq(name, "crypto/tls.(*Conn).Read")  ? 0 :
			  sc_streq(name, "crypto/tls.(*Conn).Write") ? 1 :
								       -1;

		if (tls >= 0) {
			f->tls[tls] = at;
			f->tls_end[tls] = entry_offset(elf, go->table, n + 1);
		}
		if (!f->call6 && is_call6(name))
			f->call6 = at;
		for (int i = 0; i < SC_GO_CALLS - 1; i++)
			if (sc_streq(name, of_118[i].name))
				f->of_118[i] = at;
	}
}

/* Go 1.18: the functions of package syscall that are in the program have the bytes that are known. */
static int add_118(const struct sc_elf *elf, struct sc_go *go, const struct found *f)
{
	int n = 1;

	for (int i = 0; i < SC_GO_CALLS - 1; i++) {
		const struct code *code = &of_118[i].code;
		uint64_t function = go->text + f->of_118[i];
		const uint8_t *b = sc_elf_at(elf, function + code->head, code->len);

		if (!f->of_118[i])
			continue;
		if (!b || memcmp(b, code->bytes, code->len))
			return -ENOTSUP;
		go->call[n++] = call_in(function, code);
	}
	return 0;
}

/* `mov %fs:X,%r14`, or `mov $X,%r14; mov %fs:(%r14),%r14` of position-independent code. 1: *at is X. */
static int loads_g(const uint8_t *p, int32_t *at)
{
	if (!memcmp(p, "\x64\x4c\x8b\x34\x25", 5)) {
		memcpy(at, p + 5, 4);
		return 1;
	}
	if (!memcmp(p, "\x49\xc7\xc6", 3) && !memcmp(p + 7, "\x64\x4d\x8b\x36", 4)) {
		memcpy(at, p + 3, 4);
		return 1;
	}
	return 0;
}

/*
 * With C's thread-local data in the program g lies elsewhere below %fs: where all of Go's code loads it from.
 * 0: not one place.
 */
static int32_t find_g(const struct sc_elf *elf, const struct sc_go *go, const Elf64_Phdr *tls)
{
	const uint8_t *b = sc_elf_at(elf, go->text, go->end - go->text);
	int32_t at = 0, here;
	int found = 0;

	for (uint64_t i = 0; b && i + 11 <= go->end - go->text; i++) {
		if ((b[i] != 0x64 && b[i] != 0x49) || !loads_g(b + i, &here))
			continue;
		if (found++ && here != at)
			return 0;
		at = here;
	}
	return found >= 8 && at < 0 && at % 8 == 0 && (uint64_t)-(int64_t)at <= tls->p_memsz + tls->p_align ? at : 0;
}

int sc_go_find(const struct sc_elf *elf, struct sc_go *go)
{
	const Elf64_Phdr *tls = sc_elf_segment(elf, PT_TLS);
	const struct code *code = &in_registers;
	const struct header *h;
	struct found f;
	uint64_t va, call6;

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
	h = (const struct header *)sc_elf_at(elf, va, sizeof(*h));
	call6 = find_code(elf, code);
	/* Before 1.19 g is not always in r14 where these functions are called. */
	if (!call6 && h && h->magic == MAGIC_118 && go->g_in_fs) {
		code = &on_stack;
		call6 = find_code(elf, code);
	}
	if (!call6 || !h)
		return -ENOTSUP;
	go->functions = (uint32_t)h->functions;
	go->table = va + h->table;
	find_names(elf, va, h, go, &f);
	if (!f.call6)
		return -ENOTSUP;
	go->text = call6 - f.call6;
	go->end = go->text + f.end;
	go->call[0] = call_in(call6, code);
	for (int i = 0; i < 2; i++) {
		go->tls[i] = f.tls[i] ? go->text + f.tls[i] : 0;
		go->tls_end[i] = f.tls[i] ? go->text + f.tls_end[i] : 0;
	}
	if (code == &on_stack && add_118(elf, go, &f))
		return -ENOTSUP;
	if (go->end <= go->text || go->text < elf->lo || go->end > elf->hi)
		return -ENOTSUP;
	if (!go->g_in_fs)
		go->g_at = find_g(elf, go, tls);
	return 0;
}

uint64_t sc_go_function(const struct sc_elf *elf, const struct sc_go *go, uint32_t n)
{
	return go->text + entry_offset(elf, go->table, n);
}
