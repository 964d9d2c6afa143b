// SPDX-License-Identifier: Apache-2.0
// Finds what .eh_frame says about a place: by the object's sorted table, or one entry after the other. Layer 4.
#include <elf.h>
#include <string.h>

#include "inject/cfi_entry.h"

/* The mapping that begins the object which holds ip, NULL: it is in none. */
static const struct sc_map *find_object(const struct sc_maps *m, uint64_t ip)
{
	const struct sc_map *in = sc_maps_find(m, ip), *first = NULL;

	for (size_t i = 0; in && in->path[0] && i < m->count; i++)
		if (strcmp(m->map[i].path, in->path) == 0 && m->map[i].off == 0 && m->map[i].lo <= in->lo)
			first = &m->map[i];
	return first;
}

/* The address of the object's .eh_frame_hdr, 0: none. */
static uint64_t find_header(const struct sc_maps *m, const struct sc_map *first, uint64_t *bias)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph;

	if (!sc_maps_read(m, first->lo, &eh, sizeof(eh)) || memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0)
		return 0;
	*bias = eh.e_type == ET_EXEC ? 0 : first->lo;
	for (int i = 0; i < eh.e_phnum; i++)
		if (sc_maps_read(m, first->lo + eh.e_phoff + (uint64_t)i * sizeof(ph), &ph, sizeof(ph)) &&
		    ph.p_type == PT_GNU_EH_FRAME)
			return ph.p_vaddr + *bias;
	return 0;
}

/* The FDE for ip by the header's sorted table, 0: none. */
static uint64_t find_fde(const struct sc_maps *m, uint64_t hdr, uint64_t ip)
{
	uint8_t head[12];
	int32_t entry[2];
	uint32_t count, lo = 0, hi;

	if (!sc_maps_read(m, hdr, head, sizeof(head)) || head[0] != 1 || head[2] != 0x03 || head[3] != 0x3b ||
	    (head[1] & 0x0f) != 0x0b)
		return 0;
	memcpy(&count, head + 8, 4);
	hi = count;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (!sc_maps_read(m, hdr + 12 + 8ull * mid, entry, 8))
			return 0;
		if (hdr + (uint64_t)(int64_t)entry[0] <= ip)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0 || !sc_maps_read(m, hdr + 12 + 8ull * (lo - 1), entry, 8))
		return 0;
	return hdr + (uint64_t)(int64_t)entry[1];
}

/* Static programs have no header: .eh_frame by the file's section table. 1, and where it lies. */
static int find_section(const struct sc_maps *m, const struct sc_map *first, uint64_t bias, uint64_t *at,
			uint64_t *size)
{
	char path[400], name[16] = "";
	Elf64_Ehdr eh;
	Elf64_Shdr sh, strings;
	int found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)m->pid, first->path);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fread(&eh, sizeof(eh), 1, f) == 1 && eh.e_shentsize == sizeof(sh) &&
	    fseek(f, (long)(eh.e_shoff + eh.e_shstrndx * sizeof(sh)), SEEK_SET) == 0 &&
	    fread(&strings, sizeof(strings), 1, f) == 1) {
		for (unsigned i = 0; i < eh.e_shnum && !found; i++) {
			if (fseek(f, (long)(eh.e_shoff + i * sizeof(sh)), SEEK_SET) != 0 || fread(&sh, sizeof(sh), 1, f) != 1 ||
			    fseek(f, (long)(strings.sh_offset + sh.sh_name), SEEK_SET) != 0 ||
			    fread(name, 1, sizeof(name) - 1, f) == 0)
				break;
			found = strcmp(name, ".eh_frame") == 0;
		}
	}
	fclose(f);
	*at = sh.sh_addr + bias;
	*size = sh.sh_size;
	return found;
}

/* The FDE for ip by looking at each in turn, 0: none. */
static uint64_t scan_fdes(const struct sc_maps *m, const struct sc_map *first, uint64_t bias, uint64_t ip)
{
	static uint8_t fde[SC_CFI_MAX], cie_bytes[SC_CFI_MAX];
	uint64_t at, size, end;
	size_t len;

	if (!find_section(m, first, bias, &at, &size))
		return 0;
	for (end = at + size; at < end; at += 4 + len) {
		struct sc_cfi_cursor c;
		struct sc_cfi_cie cie;
		uint64_t start;
		uint32_t back;

		len = sc_cfi_read(m, at, fde);
		if (len < 12)
			return 0;
		memcpy(&back, fde, 4);
		if (back == 0 || !sc_cfi_parse(m, at + 4 - back, cie_bytes, &cie))
			continue;
		c = (struct sc_cfi_cursor){fde + 4, fde + len, at + 4 + 4, fde + 4};
		start = sc_cfi_pointer(&c, cie.fde_encoding, 0);
		if (ip >= start && ip < start + sc_cfi_pointer(&c, cie.fde_encoding & 0x0f, 0))
			return at;
	}
	return 0;
}

enum sc_cfi_found sc_cfi_find(const struct sc_maps *m, uint64_t ip, struct sc_cfi_row *row)
{
	static uint8_t fde[SC_CFI_MAX], cie_bytes[SC_CFI_MAX];
	uint64_t bias = 0, hdr, at = 0, start, range;
	const struct sc_map *object = find_object(m, ip);
	struct sc_cfi_row initial;
	struct sc_cfi_cursor c;
	struct sc_cfi_cie cie;
	uint32_t back;
	size_t len;

	*row = (struct sc_cfi_row){.cfa_reg = ~0u};
	if (object) {
		hdr = find_header(m, object, &bias);
		at = hdr ? find_fde(m, hdr, ip) : scan_fdes(m, object, bias, ip);
	}
	len = at ? sc_cfi_read(m, at, fde) : 0;
	if (len < 12)
		return SC_CFI_NONE;
	memcpy(&back, fde, 4);
	if (!sc_cfi_parse(m, at + 4 - back, cie_bytes, &cie))
		return SC_CFI_NONE;
	if (cie.is_signal)
		return SC_CFI_SIGNAL;
	c = (struct sc_cfi_cursor){fde + 4, fde + len, at + 4, fde};
	start = sc_cfi_pointer(&c, cie.fde_encoding, 0);
	range = sc_cfi_pointer(&c, cie.fde_encoding & 0x0f, 0);
	if (ip < start || ip >= start + range)
		return SC_CFI_NONE;
	if (cie.has_augmentation) {
		uint64_t n = sc_cfi_uleb(&c);

		c.p += n < (uint64_t)(c.end - c.p) ? n : (uint64_t)(c.end - c.p);
	}
	sc_cfi_execute(&(struct sc_cfi_cursor){cie.code, cie.end, 0, cie.code}, &cie, row, row, 0, ~0ull);
	initial = *row;
	sc_cfi_execute(&c, &cie, row, &initial, start, ip);
	return SC_CFI_ROW;
}
