/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads an ELF object: from a mapped file, or from its own memory once it is loaded. Freestanding,
 * allocates nothing; every offset is checked, so a hostile file gives NULL and no fault.
 */
#ifndef SCOPE_ELF_IMAGE_H
#define SCOPE_ELF_IMAGE_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#define SC_ID_MAX 32u

struct sc_elf {
	const uint8_t *map;  /* the file; NULL when loaded */
	size_t size;         /* of the file */
	uint64_t bias;       /* loaded: address = bias + virtual address */
	const Elf64_Phdr *phdr;
	uint32_t phnum;
	uint16_t type;       /* ET_EXEC or ET_DYN; loaded: ET_DYN when unknown */
	uint64_t lo, hi;     /* virtual addresses of all PT_LOAD, hi exclusive */
};

/* Where objects have their function and object symbols. Any pointer may be NULL. */
struct sc_elf_symbols {
	const Elf64_Sym *sym;
	uint64_t count;
	const char *str;
	uint64_t str_size; /* UINT64_MAX: unknown (loaded) */
	const uint32_t *gnu_hash;
};

/* A file mapped at map. 0, or -ENOEXEC when it is no x86-64 ELF object we can read. */
int sc_elf_file(struct sc_elf *elf, const void *map, size_t size);

/* An object in this process by its program headers. */
int sc_elf_loaded(struct sc_elf *elf, uint64_t bias, const Elf64_Phdr *phdr, uint32_t phnum);

/* An object in this process by the address of its ELF header. */
int sc_elf_at_header(struct sc_elf *elf, const void *header);

/* The bytes at va when len of them lie in one PT_LOAD (and in the file), else NULL. */
const uint8_t *sc_elf_at(const struct sc_elf *elf, uint64_t va, uint64_t len);

/* The first program header of a type, or NULL. */
const Elf64_Phdr *sc_elf_segment(const struct sc_elf *elf, uint32_t type);

/*
 * What names the object's content: its GNU build-id, else a hash of headers and sampled text.
 * Returns the length (1…SC_ID_MAX); *exact is 1 for a build-id.
 */
uint32_t sc_elf_id(const struct sc_elf *elf, uint8_t id[SC_ID_MAX], int *exact);

/* The dynamic symbols. 0, or -ENOENT. */
int sc_elf_symbols(const struct sc_elf *elf, struct sc_elf_symbols *out);

/* The defined dynamic symbol of a name, or NULL. st_value is a virtual address. */
const Elf64_Sym *sc_elf_lookup(const struct sc_elf *elf, const char *name);

/* The value of a dynamic entry; 0 when absent. Addresses are virtual, whoever relocated them. */
uint64_t sc_elf_dynamic(const struct sc_elf *elf, int64_t tag);

#endif
