// SPDX-License-Identifier: Apache-2.0
// One entry of .eh_frame: numbers, the head that functions share, call frame instructions. Layer 4.
#include <string.h>

#include "inject/cfi_entry.h"

#define ROWS 16 /* states remembered */

uint64_t sc_cfi_uleb(struct sc_cfi_cursor *c)
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

static int64_t sleb(struct sc_cfi_cursor *c)
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

static uint64_t fixed(struct sc_cfi_cursor *c, size_t n)
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
uint64_t sc_cfi_pointer(struct sc_cfi_cursor *c, uint8_t encoding, uint64_t data_base)
{
	uint64_t here = c->va + (uint64_t)(c->p - c->start), v;

	switch (encoding & 0x0f) {
	case 0x01:
		v = sc_cfi_uleb(c);
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

/* Length of the entry at va and its bytes behind the length. 0: bad. */
size_t sc_cfi_read(const struct sc_maps *m, uint64_t va, uint8_t *buf)
{
	uint32_t len;

	if (!sc_maps_read(m, va, &len, 4) || len == 0 || len > SC_CFI_MAX || !sc_maps_read(m, va + 4, buf, len))
		return 0;
	return len;
}

int sc_cfi_parse(const struct sc_maps *m, uint64_t va, uint8_t *buf, struct sc_cfi_cie *cie)
{
	size_t len = sc_cfi_read(m, va, buf);
	struct sc_cfi_cursor c = {buf + 5, buf + len, va + 4, buf};
	const char *augmentation = (const char *)c.p;
	size_t n = len > 5 ? strnlen(augmentation, len - 5) : 0;

	memset(cie, 0, sizeof(*cie));
	if (len < 12 || n + 6 >= len)
		return 0;
	c.p += n + 1;
	cie->code_align = sc_cfi_uleb(&c);
	cie->data_align = sleb(&c);
	sc_cfi_uleb(&c); /* the return address' column: 16 on x86-64 */
	if (augmentation[0] == 'z') {
		uint64_t size = sc_cfi_uleb(&c);
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

				sc_cfi_pointer(&c, e, 0);
			}
		}
		c.p = end;
	}
	cie->code = c.p;
	cie->end = buf + len;
	return 1;
}

static void set(struct sc_cfi_row *row, uint64_t reg, enum sc_cfi_rule rule, int64_t off)
{
	if (reg < SC_CFI_COLUMNS)
		row->col[reg] = (struct sc_cfi_column){rule, off};
}

/* Runs call frame instructions until loc passes ip. */
void sc_cfi_execute(struct sc_cfi_cursor *c, const struct sc_cfi_cie *cie, struct sc_cfi_row *row,
		    const struct sc_cfi_row *initial, uint64_t loc, uint64_t ip)
{
	static struct sc_cfi_row stack[ROWS];
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
			set(row, low, SC_CFI_AT_CFA, (int64_t)sc_cfi_uleb(c) * cie->data_align);
			continue;
		case 0xc0:
			if (low < SC_CFI_COLUMNS)
				row->col[low] = initial->col[low];
			continue;
		}
		switch (op) {
		case 0x00: /* nop */
			break;
		case 0x01: /* set_loc */
			loc = sc_cfi_pointer(c, cie->fde_encoding, 0);
			break;
		case 0x02:
		case 0x03:
		case 0x04: /* advance_loc1, 2, 4 */
			loc += fixed(c, op == 0x02 ? 1 : op == 0x03 ? 2 : 4) * cie->code_align;
			if (loc > ip)
				return;
			break;
		case 0x05: /* offset_extended */
			reg = sc_cfi_uleb(c);
			set(row, reg, SC_CFI_AT_CFA, (int64_t)sc_cfi_uleb(c) * cie->data_align);
			break;
		case 0x06: /* restore_extended */
			reg = sc_cfi_uleb(c);
			if (reg < SC_CFI_COLUMNS)
				row->col[reg] = initial->col[reg];
			break;
		case 0x07: /* undefined */
			set(row, sc_cfi_uleb(c), SC_CFI_UNKNOWN, 0);
			break;
		case 0x08: /* same_value */
			set(row, sc_cfi_uleb(c), SC_CFI_SAME, 0);
			break;
		case 0x09: /* register */
			set(row, sc_cfi_uleb(c), SC_CFI_UNKNOWN, 0);
			sc_cfi_uleb(c);
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
			row->cfa_reg = (unsigned)sc_cfi_uleb(c);
			row->cfa_off = (int64_t)sc_cfi_uleb(c);
			row->by_expression = 0;
			break;
		case 0x0d: /* def_cfa_register */
			row->cfa_reg = (unsigned)sc_cfi_uleb(c);
			break;
		case 0x0e: /* def_cfa_offset */
			row->cfa_off = (int64_t)sc_cfi_uleb(c);
			break;
		case 0x0f: /* def_cfa_expression */
			n = sc_cfi_uleb(c);
			c->p += n < (uint64_t)(c->end - c->p) ? n : (uint64_t)(c->end - c->p);
			row->by_expression = 1;
			break;
		case 0x10:
		case 0x16: /* expression, val_expression */
			set(row, sc_cfi_uleb(c), SC_CFI_UNKNOWN, 0);
			n = sc_cfi_uleb(c);
			c->p += n < (uint64_t)(c->end - c->p) ? n : (uint64_t)(c->end - c->p);
			break;
		case 0x11: /* offset_extended_sf */
			reg = sc_cfi_uleb(c);
			set(row, reg, SC_CFI_AT_CFA, sleb(c) * cie->data_align);
			break;
		case 0x12: /* def_cfa_sf */
			row->cfa_reg = (unsigned)sc_cfi_uleb(c);
			row->cfa_off = sleb(c) * cie->data_align;
			break;
		case 0x13: /* def_cfa_offset_sf */
			row->cfa_off = sleb(c) * cie->data_align;
			break;
		case 0x14: /* val_offset */
			reg = sc_cfi_uleb(c);
			set(row, reg, SC_CFI_IS_CFA, (int64_t)sc_cfi_uleb(c) * cie->data_align);
			break;
		case 0x2e: /* GNU_args_size */
			sc_cfi_uleb(c);
			break;
		default:
			return;
		}
	}
}
