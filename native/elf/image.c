/* SPDX-License-Identifier: Apache-2.0 */
/* ELF objects as files and as loaded: segments, identity, dynamic symbols. See image.h. */
#include <errno.h>
#include "elf/image.h"
#include "base/mem.h"


static void set_range(struct sc_elf *elf)
{
	elf->lo = UINT64_MAX;
	elf->hi = 0;
	for (uint32_t i = 0; i < elf->phnum; i++) {
		const Elf64_Phdr *p = &elf->phdr[i];

		if (p->p_type != PT_LOAD || p->p_vaddr + p->p_memsz < p->p_vaddr)
			continue;
		if (p->p_vaddr < elf->lo)
			elf->lo = p->p_vaddr;
		if (p->p_vaddr + p->p_memsz > elf->hi)
			elf->hi = p->p_vaddr + p->p_memsz;
	}
}

static int check_header(const Elf64_Ehdr *h)
{
	return h->e_ident[0] == 0x7f && h->e_ident[1] == 'E' && h->e_ident[2] == 'L' &&
	       h->e_ident[3] == 'F' && h->e_ident[EI_CLASS] == ELFCLASS64 &&
	       h->e_ident[EI_DATA] == ELFDATA2LSB && h->e_machine == EM_X86_64 &&
	       (h->e_type == ET_EXEC || h->e_type == ET_DYN) &&
	       h->e_phentsize == sizeof(Elf64_Phdr) && h->e_phnum > 0 && h->e_phnum <= 256;
}

int sc_elf_file(struct sc_elf *elf, const void *map, size_t size)
{
	const Elf64_Ehdr *h = map;

	memset(elf, 0, sizeof(*elf));
	if (size < sizeof(*h) || !check_header(h) || h->e_phoff > size || h->e_phoff % 8 ||
	    (size - h->e_phoff) / sizeof(Elf64_Phdr) < h->e_phnum)
		return -ENOEXEC;
	elf->map = map;
	elf->size = size;
	elf->phdr = (const Elf64_Phdr *)((const uint8_t *)map + h->e_phoff);
	elf->phnum = h->e_phnum;
	elf->type = h->e_type;
	set_range(elf);
	return elf->hi > elf->lo ? 0 : -ENOEXEC;
}

int sc_elf_loaded(struct sc_elf *elf, uint64_t bias, const Elf64_Phdr *phdr, uint32_t phnum)
{
	memset(elf, 0, sizeof(*elf));
	elf->bias = bias;
	elf->phdr = phdr;
	elf->phnum = phnum;
	elf->type = bias ? ET_DYN : ET_EXEC;
	set_range(elf);
	return elf->hi > elf->lo ? 0 : -ENOEXEC;
}

int sc_elf_at_header(struct sc_elf *elf, const void *header)
{
	const Elf64_Ehdr *h = header;
	const Elf64_Phdr *p;

	if (!check_header(h) || h->e_phoff + h->e_phnum * sizeof(*p) > 4096)
		return -ENOEXEC;
	p = (const Elf64_Phdr *)((const uint8_t *)header + h->e_phoff);
	for (uint32_t i = 0; i < h->e_phnum; i++)
		if (p[i].p_type == PT_LOAD && p[i].p_offset == 0)
			return sc_elf_loaded(elf, (uint64_t)header - p[i].p_vaddr, p, h->e_phnum);
	return -ENOEXEC;
}

const uint8_t *sc_elf_at(const struct sc_elf *elf, uint64_t va, uint64_t len)
{
	for (uint32_t i = 0; i < elf->phnum; i++) {
		const Elf64_Phdr *p = &elf->phdr[i];
		uint64_t in = va - p->p_vaddr;

		if (p->p_type != PT_LOAD || va < p->p_vaddr || in > p->p_filesz || p->p_filesz - in < len)
			continue;
		if (!elf->map)
			return (const uint8_t *)(elf->bias + va);
		if (p->p_offset > elf->size || in > elf->size - p->p_offset ||
		    elf->size - p->p_offset - in < len)
			return NULL;
		return elf->map + p->p_offset + in;
	}
	return NULL;
}

const Elf64_Phdr *sc_elf_segment(const struct sc_elf *elf, uint32_t type)
{
	for (uint32_t i = 0; i < elf->phnum; i++)
		if (elf->phdr[i].p_type == type)
			return &elf->phdr[i];
	return NULL;
}

static uint32_t build_id(const struct sc_elf *elf, uint8_t id[SC_ID_MAX])
{
	for (uint32_t i = 0; i < elf->phnum; i++) {
		const Elf64_Phdr *p = &elf->phdr[i];
		const uint8_t *note = p->p_type == PT_NOTE ? sc_elf_at(elf, p->p_vaddr, p->p_filesz) : NULL;
		uint64_t left = p->p_filesz;

		while (note && left >= sizeof(Elf64_Nhdr)) {
			const Elf64_Nhdr *n = (const Elf64_Nhdr *)note;
			uint64_t name = (n->n_namesz + 3ull) & ~3ull, desc = (n->n_descsz + 3ull) & ~3ull;

			if (name + desc > left - sizeof(*n))
				break;
			if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 && n->n_descsz > 0 &&
			    n->n_descsz <= SC_ID_MAX && !memcmp(note + sizeof(*n), "GNU", 4)) {
				memcpy(id, note + sizeof(*n) + name, n->n_descsz);
				return n->n_descsz;
			}
			note += sizeof(*n) + name + desc;
			left -= sizeof(*n) + name + desc;
		}
	}
	return 0;
}

static uint64_t mix(uint64_t h, const uint8_t *p, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3ull;
	return h;
}

/* Text that changed without these samples changing is caught by the check of the bytes. */
static uint32_t sampled_id(const struct sc_elf *elf, uint8_t id[SC_ID_MAX])
{
	uint64_t h = 0xcbf29ce484222325ull;

	h = mix(h, (const uint8_t *)elf->phdr, elf->phnum * sizeof(Elf64_Phdr));
	for (uint32_t i = 0; i < elf->phnum; i++) {
		const Elf64_Phdr *p = &elf->phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		/* Not the first bytes: an injector's own instructions stand there while we are called. */
		for (uint64_t at = 64; at + 64 <= p->p_filesz; at += 65536) {
			const uint8_t *b = sc_elf_at(elf, p->p_vaddr + at, 64);

			if (b)
				h = mix(h, b, 64);
		}
	}
	for (int i = 0; i < 8; i++)
		id[i] = (uint8_t)(h >> (8 * i));
	return 8;
}

uint32_t sc_elf_id(const struct sc_elf *elf, uint8_t id[SC_ID_MAX], int *exact)
{
	uint32_t n = build_id(elf, id);

	*exact = n > 0;
	return n ? n : sampled_id(elf, id);
}

uint64_t sc_elf_dynamic(const struct sc_elf *elf, int64_t tag)
{
	const Elf64_Phdr *p = sc_elf_segment(elf, PT_DYNAMIC);
	const Elf64_Dyn *d = p ? (const Elf64_Dyn *)sc_elf_at(elf, p->p_vaddr, p->p_filesz) : NULL;

	for (uint64_t i = 0; d && i < p->p_filesz / sizeof(*d) && d[i].d_tag != DT_NULL; i++) {
		uint64_t v = d[i].d_un.d_ptr;

		if (d[i].d_tag != tag)
			continue;
		/* glibc relocates these in place, musl does not. */
		if (!elf->map && elf->bias && v >= elf->bias + elf->lo && v < elf->bias + elf->hi)
			v -= elf->bias;
		return v;
	}
	return 0;
}

/* The table at g, whose words are these: bloom filter, buckets, chains. */
static uint64_t gnu_words(const uint32_t *g)
{
	return 4ull + 2ull * g[2];
}

/* Symbols of a table that only has a GNU hash: up to the end of the last chain. 0: broken. */
static uint64_t gnu_count(const struct sc_elf *elf, uint64_t at, const uint32_t *g)
{
	const uint32_t *bucket, *chain;
	uint64_t last = 0;

	bucket = (const uint32_t *)sc_elf_at(elf, at + 4 * gnu_words(g), 4ull * g[0]);
	if (!bucket)
		return 0;
	for (uint32_t i = 0; i < g[0]; i++)
		if (bucket[i] > last)
			last = bucket[i];
	if (last < g[1])
		return g[1];
	for (;; last++) {
		chain = (const uint32_t *)sc_elf_at(elf, at + 4 * (gnu_words(g) + g[0] + (last - g[1])), 4);
		if (!chain)
			return 0;
		if (*chain & 1)
			return last + 1;
	}
}

/* Bytes at va that the segment around it has of the file. */
static uint64_t room(const struct sc_elf *elf, uint64_t va)
{
	for (uint32_t i = 0; i < elf->phnum; i++) {
		const Elf64_Phdr *p = &elf->phdr[i];

		if (p->p_type == PT_LOAD && va >= p->p_vaddr && va - p->p_vaddr < p->p_filesz)
			return p->p_filesz - (va - p->p_vaddr);
	}
	return 0;
}

/* All but the exact count: what fits into the segment. */
static int tables(const struct sc_elf *elf, struct sc_elf_symbols *out)
{
	uint64_t sym = sc_elf_dynamic(elf, DT_SYMTAB), str = sc_elf_dynamic(elf, DT_STRTAB);
	uint64_t gnu = sc_elf_dynamic(elf, DT_GNU_HASH);

	memset(out, 0, sizeof(*out));
	out->str_size = sc_elf_dynamic(elf, DT_STRSZ);
	out->str = (const char *)sc_elf_at(elf, str, out->str_size);
	if (!sym || !str || !out->str_size || !out->str)
		return -ENOENT;
	out->gnu_hash = gnu ? (const uint32_t *)sc_elf_at(elf, gnu, 16) : NULL;
	out->count = room(elf, sym) / sizeof(Elf64_Sym);
	out->sym = (const Elf64_Sym *)sc_elf_at(elf, sym, out->count * sizeof(Elf64_Sym));
	return out->sym && out->count ? 0 : -ENOENT;
}

int sc_elf_symbols(const struct sc_elf *elf, struct sc_elf_symbols *out)
{
	uint64_t sym = sc_elf_dynamic(elf, DT_SYMTAB), str = sc_elf_dynamic(elf, DT_STRTAB);
	uint64_t hash = sc_elf_dynamic(elf, DT_HASH), count = 0;
	const uint32_t *h = hash ? (const uint32_t *)sc_elf_at(elf, hash, 8) : NULL;
	int ret = tables(elf, out);

	if (ret)
		return ret;
	/* Not by where the strings begin when there is another way: patchelf, and so every Python wheel, moves them. */
	if (h)
		count = h[1];
	else if (out->gnu_hash)
		count = gnu_count(elf, sc_elf_dynamic(elf, DT_GNU_HASH), out->gnu_hash);
	else if (str > sym)
		count = (str - sym) / sizeof(Elf64_Sym);
	if (count < out->count)
		out->count = count;
	return out->count ? 0 : -ENOENT;
}

static int matches(const struct sc_elf_symbols *s, uint64_t i, const char *name)
{
	const Elf64_Sym *y = &s->sym[i];
	size_t n = sc_strlen(name);

	return i < s->count && y->st_shndx != SHN_UNDEF && y->st_name < s->str_size &&
	       s->str_size - y->st_name > n && !memcmp(s->str + y->st_name, name, n + 1);
}

static const Elf64_Sym *by_gnu_hash(const struct sc_elf *elf, const struct sc_elf_symbols *s,
				    const char *name)
{
	const uint32_t *g = s->gnu_hash, *bucket, *chain;
	uint32_t h = 5381, i;
	uint64_t at = sc_elf_dynamic(elf, DT_GNU_HASH);
	uint64_t words = gnu_words(g);

	for (const char *c = name; *c; c++)
		h = h * 33 + (uint8_t)*c;
	if (!g[0])
		return NULL;
	bucket = (const uint32_t *)sc_elf_at(elf, at + 4 * (words + h % g[0]), 4);
	if (!bucket || *bucket < g[1])
		return NULL;
	for (i = *bucket;; i++) {
		chain = (const uint32_t *)sc_elf_at(elf, at + 4 * (words + g[0] + (i - g[1])), 4);
		if (!chain)
			return NULL;
		if ((*chain | 1) == (h | 1) && matches(s, i, name))
			return &s->sym[i];
		if (*chain & 1)
			return NULL;
	}
}

const Elf64_Sym *sc_elf_lookup(const struct sc_elf *elf, const char *name)
{
	struct sc_elf_symbols s;

	if (tables(elf, &s))
		return NULL;
	if (s.gnu_hash)
		return by_gnu_hash(elf, &s, name);
	if (sc_elf_symbols(elf, &s))
		return NULL;
	for (uint64_t i = 1; i < s.count; i++)
		if (matches(&s, i, name))
			return &s.sym[i];
	return NULL;
}
