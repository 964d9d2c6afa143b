// SPDX-License-Identifier: Apache-2.0
// One step up the stack of another process, by the call frame information (.eh_frame) of the object it is in. Layer 4.
#include <elf.h>
#include <string.h>

#include "inject/crash.h"

#define ROWS    16
#define COLUMNS 17 /* DWARF numbers of the general registers, 16: the return address */
#define CFI_MAX 4096

/* Where the caller's value of a register is. */
enum rule { SAME, AT_CFA, IS_CFA, UNKNOWN };

struct column {
	enum rule rule;
	int64_t off;
};

struct row {
	unsigned cfa_reg;
	int64_t cfa_off;
	int by_expression; /* of .plt entries and signal frames: not followed */
	struct column col[COLUMNS];
};

/* Bytes being read, and where they lie in the process. */
struct cursor {
	const uint8_t *p, *end;
	uint64_t va; /* of p's buffer */
	const uint8_t *start;
};

struct cie {
	uint64_t code_align;
	int64_t data_align;
	uint8_t fde_encoding;
	int has_augmentation, is_signal;
	const uint8_t *code, *end;
};

static uint64_t uleb(struct cursor *c)
{
	uint64_t v = 0;

	for (unsigned shift = 0; c->p < c->end && shift < 64; shift += 7) {
		uint8_t b = *c->p++;

		v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			break;
	}
	return v;
}

static int64_t sleb(struct cursor *c)
{
	uint64_t v = 0;
	unsigned shift = 0;
	uint8_t b = 0;

	while (c->p < c->end && shift < 64) {
		b = *c->p++;
		v |= (uint64_t)(b & 0x7f) << shift;
		shift += 7;
		if (!(b & 0x80))
			break;
	}
	if (shift < 64 && (b & 0x40))
		v |= ~0ull << shift;
	return (int64_t)v;
}

static uint64_t fixed(struct cursor *c, size_t n)
{
	uint64_t v = 0;

	if ((size_t)(c->end - c->p) < n) {
		c->p = c->end;
		return 0;
	}
	memcpy(&v, c->p, n);
	c->p += n;
	return v;
}

/* A pointer as DW_EH_PE_* says. */
static uint64_t pointer(struct cursor *c, uint8_t encoding, uint64_t data_base)
{
	uint64_t here = c->va + (uint64_t)(c->p - c->start), v;

	switch (encoding & 0x0f) {
	case 0x01:
		v = uleb(c);
		break;
	case 0x02:
		v = fixed(c, 2);
		break;
	case 0x03:
		v = fixed(c, 4);
		break;
	case 0x09:
		v = (uint64_t)sleb(c);
		break;
	case 0x0a:
		v = (uint64_t)(int16_t)fixed(c, 2);
		break;
	case 0x0b:
		v = (uint64_t)(int32_t)fixed(c, 4);
		break;
	default:
		v = fixed(c, 8);
	}
	if ((encoding & 0x70) == 0x10)
		v += here;
	else if ((encoding & 0x70) == 0x30)
		v += data_base;
	return v;
}

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

/* Length of the entry at va and its bytes behind the length. 0: bad. */
static size_t read_entry(const struct sc_maps *m, uint64_t va, uint8_t *buf)
{
	uint32_t len;

	if (!sc_maps_read(m, va, &len, 4) || len == 0 || len > CFI_MAX || !sc_maps_read(m, va + 4, buf, len))
		return 0;
	return len;
}

static int parse_cie(const struct sc_maps *m, uint64_t va, uint8_t *buf, struct cie *cie)
{
	size_t len = read_entry(m, va, buf);
	struct cursor c = {buf + 5, buf + len, va + 4, buf};
	const char *augmentation = (const char *)c.p;
	size_t n = len > 5 ? strnlen(augmentation, len - 5) : 0;

	memset(cie, 0, sizeof(*cie));
	if (len < 12 || n + 6 >= len)
		return 0;
	c.p += n + 1;
	cie->code_align = uleb(&c);
	cie->data_align = sleb(&c);
	uleb(&c); /* the return address' column: 16 on x86-64 */
	if (augmentation[0] == 'z') {
		uint64_t size = uleb(&c);
		const uint8_t *end = size < (uint64_t)(c.end - c.p) ? c.p + size : c.end;

		cie->has_augmentation = 1;
		for (size_t i = 1; i < n; i++) {
			if (augmentation[i] == 'R' && c.p < c.end)
				cie->fde_encoding = *c.p++;
			else if (augmentation[i] == 'S')
				cie->is_signal = 1;
			else if (augmentation[i] == 'L' && c.p < c.end)
				c.p++;
			else if (augmentation[i] == 'P' && c.p < c.end) {
				uint8_t e = *c.p++;

				pointer(&c, e, 0);
			}
		}
		c.p = end;
	}
	cie->code = c.p;
	cie->end = buf + len;
	return 1;
}

static void set(struct row *row, uint64_t reg, enum rule rule, int64_t off)
{
	if (reg < COLUMNS)
		row->col[reg] = (struct column){rule, off};
}

/* Runs call frame instructions until loc passes ip. */
static void execute(struct cursor *c, const struct cie *cie, struct row *row, const struct row *initial, uint64_t loc,
		    uint64_t ip)
{
	static struct row stack[ROWS];
	unsigned depth = 0;

	while (c->p < c->end) {
		uint8_t op = *c->p++, low = op & 0x3f;
		uint64_t reg, n;

		switch (op & 0xc0) {
		case 0x40:
			loc += low * cie->code_align;
			if (loc > ip)
				return;
			continue;
		case 0x80:
			set(row, low, AT_CFA, (int64_t)uleb(c) * cie->data_align);
			continue;
		case 0xc0:
			if (low < COLUMNS)
				row->col[low] = initial->col[low];
			continue;
		}
		switch (op) {
		case 0x00: /* nop */
			break;
		case 0x01: /* set_loc */
			loc = pointer(c, cie->fde_encoding, 0);
			break;
		case 0x02:
		case 0x03:
		case 0x04: /* advance_loc1, 2, 4 */
			loc += fixed(c, op == 0x02 ? 1 : op == 0x03 ? 2 : 4) * cie->code_align;
			if (loc > ip)
				return;
			break;
		case 0x05: /* offset_extended */
			reg = uleb(c);
			set(row, reg, AT_CFA, (int64_t)uleb(c) * cie->data_align);
			break;
		case 0x06: /* restore_extended */
			reg = uleb(c);
			if (reg < COLUMNS)
				row->col[reg] = initial->col[reg];
			break;
		case 0x07: /* undefined */
			set(row, uleb(c), UNKNOWN, 0);
			break;
		case 0x08: /* same_value */
			set(row, uleb(c), SAME, 0);
			break;
		case 0x09: /* register */
			set(row, uleb(c), UNKNOWN, 0);
			uleb(c);
			break;
		case 0x0a: /* remember_state */
			if (depth < ROWS)
				stack[depth++] = *row;
			break;
		case 0x0b: /* restore_state */
			if (depth > 0)
				*row = stack[--depth];
			break;
		case 0x0c: /* def_cfa */
			row->cfa_reg = (unsigned)uleb(c);
			row->cfa_off = (int64_t)uleb(c);
			row->by_expression = 0;
			break;
		case 0x0d: /* def_cfa_register */
			row->cfa_reg = (unsigned)uleb(c);
			break;
		case 0x0e: /* def_cfa_offset */
			row->cfa_off = (int64_t)uleb(c);
			break;
		case 0x0f: /* def_cfa_expression */
			n = uleb(c);
			c->p += n < (uint64_t)(c->end - c->p) ? n : (uint64_t)(c->end - c->p);
			row->by_expression = 1;
			break;
		case 0x10:
		case 0x16: /* expression, val_expression */
			set(row, uleb(c), UNKNOWN, 0);
			n = uleb(c);
			c->p += n < (uint64_t)(c->end - c->p) ? n : (uint64_t)(c->end - c->p);
			break;
		case 0x11: /* offset_extended_sf */
			reg = uleb(c);
			set(row, reg, AT_CFA, sleb(c) * cie->data_align);
			break;
		case 0x12: /* def_cfa_sf */
			row->cfa_reg = (unsigned)uleb(c);
			row->cfa_off = sleb(c) * cie->data_align;
			break;
		case 0x13: /* def_cfa_offset_sf */
			row->cfa_off = sleb(c) * cie->data_align;
			break;
		case 0x14: /* val_offset */
			reg = uleb(c);
			set(row, reg, IS_CFA, (int64_t)uleb(c) * cie->data_align);
			break;
		case 0x2e: /* GNU_args_size */
			uleb(c);
			break;
		default:
			return;
		}
	}
}

/* The general registers in DWARF's order. */
static unsigned long long *reg_at(struct user_regs_struct *r, unsigned n)
{
	unsigned long long *const order[COLUMNS] = {&r->rax, &r->rdx, &r->rcx, &r->rbx, &r->rsi, &r->rdi,
						    &r->rbp, &r->rsp, &r->r8,  &r->r9,	&r->r10, &r->r11,
						    &r->r12, &r->r13, &r->r14, &r->r15, &r->rip};

	return n < COLUMNS ? order[n] : NULL;
}

/* The frame a signal handler returns to lies on the stack as the kernel left it. */
static int step_signal(const struct sc_maps *m, struct user_regs_struct *regs)
{
	/* struct ucontext: flags, link, stack (24), then r8…r15 rdi rsi rbp rbx rdx rax rcx rsp rip. */
	unsigned long long g[17];

	if (!sc_maps_read(m, regs->rsp + 40, g, sizeof(g)))
		return 0;
	regs->r8 = g[0], regs->r9 = g[1], regs->r10 = g[2], regs->r11 = g[3];
	regs->r12 = g[4], regs->r13 = g[5], regs->r14 = g[6], regs->r15 = g[7];
	regs->rdi = g[8], regs->rsi = g[9], regs->rbp = g[10], regs->rbx = g[11];
	regs->rdx = g[12], regs->rax = g[13], regs->rcx = g[14];
	regs->rsp = g[15], regs->rip = g[16];
	return 1;
}

/* A frame of compilers that keep rbp, where nothing else is known. */
static int step_rbp(const struct sc_maps *m, struct user_regs_struct *regs)
{
	unsigned long long pair[2];

	if (regs->rbp < regs->rsp || regs->rbp - regs->rsp > (8u << 20) || !sc_maps_read(m, regs->rbp, pair, 16) ||
	    !sc_maps_find(m, pair[1]))
		return 0;
	regs->rsp = regs->rbp + 16;
	regs->rbp = pair[0];
	regs->rip = pair[1];
	return 1;
}

static int apply(const struct sc_maps *m, struct user_regs_struct *regs, const struct row *row)
{
	struct user_regs_struct up = *regs;
	unsigned long long *base = reg_at(regs, row->cfa_reg);
	uint64_t cfa;

	if (!base || row->by_expression || row->col[16].rule != AT_CFA)
		return 0;
	cfa = *base + (uint64_t)row->cfa_off;
	for (unsigned i = 0; i < COLUMNS; i++) {
		unsigned long long *to = reg_at(&up, i);

		if (row->col[i].rule == AT_CFA && !sc_maps_read(m, cfa + (uint64_t)row->col[i].off, to, 8))
			return 0;
		if (row->col[i].rule == IS_CFA)
			*to = cfa + (uint64_t)row->col[i].off;
	}
	up.rsp = cfa;
	if (up.rsp <= regs->rsp && up.rip == regs->rip)
		return 0;
	*regs = up;
	return up.rip != 0;
}

/* Static programs have no header: .eh_frame by the file's section table. 1, and where it lies. */
static int find_section(const struct sc_maps *m, const struct sc_map *first, uint64_t bias, uint64_t *at, uint64_t *size)
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
	static uint8_t fde[CFI_MAX], cie_bytes[CFI_MAX];
	uint64_t at, size, end;
	size_t len;

	if (!find_section(m, first, bias, &at, &size))
		return 0;
	for (end = at + size; at < end; at += 4 + len) {
		struct cursor c;
		struct cie cie;
		uint64_t start;
		uint32_t back;

		len = read_entry(m, at, fde);
		if (len < 12)
			return 0;
		memcpy(&back, fde, 4);
		if (back == 0 || !parse_cie(m, at + 4 - back, cie_bytes, &cie))
			continue;
		c = (struct cursor){fde + 4, fde + len, at + 4 + 4, fde + 4};
		start = pointer(&c, cie.fde_encoding, 0);
		if (ip >= start && ip < start + pointer(&c, cie.fde_encoding & 0x0f, 0))
			return at;
	}
	return 0;
}

int sc_unwind_step(const struct sc_maps *m, struct user_regs_struct *regs, int is_caller)
{
	static uint8_t fde[CFI_MAX], cie_bytes[CFI_MAX];
	/* A return address may be the first byte behind its function. */
	uint64_t ip = regs->rip - (is_caller ? 1 : 0), bias = 0, hdr, at = 0, start, range;
	const struct sc_map *object = find_object(m, ip);
	struct row row = {.cfa_reg = ~0u}, initial;
	struct cursor c;
	struct cie cie;
	uint32_t back;
	size_t len;

	if (object) {
		hdr = find_header(m, object, &bias);
		at = hdr ? find_fde(m, hdr, ip) : scan_fdes(m, object, bias, ip);
	}
	len = at ? read_entry(m, at, fde) : 0;
	if (len < 12)
		return step_rbp(m, regs);
	memcpy(&back, fde, 4);
	if (!parse_cie(m, at + 4 - back, cie_bytes, &cie))
		return step_rbp(m, regs);
	if (cie.is_signal)
		return step_signal(m, regs);
	c = (struct cursor){fde + 4, fde + len, at + 4, fde};
	start = pointer(&c, cie.fde_encoding, 0);
	range = pointer(&c, cie.fde_encoding & 0x0f, 0);
	if (ip < start || ip >= start + range)
		return step_rbp(m, regs);
	if (cie.has_augmentation) {
		uint64_t n = uleb(&c);

		c.p += n < (uint64_t)(c.end - c.p) ? n : (uint64_t)(c.end - c.p);
	}
	execute(&(struct cursor){cie.code, cie.end, 0, cie.code}, &cie, &row, &row, 0, ~0ull);
	initial = row;
	execute(&c, &cie, &row, &initial, start, ip);
	return apply(m, regs, &row);
}
