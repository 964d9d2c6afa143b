/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A patch plan: the places of one ELF object where hooked system calls are made, with their original
 * bytes, and optionally the object's patched pages ready to be mapped (the overlay). Computed once
 * per content of an object and kept as "<id hex>.plan".
 *
 *     0 +--------------+
 *       | sc_plan      |
 *       | sites        |
 *       +--------------+ stub_off (page aligned)
 *       | stubs        | mapped at stub_va: the cells page (see emit.h), then code
 *       +--------------+ text_off (page aligned)
 *       | text runs    | patched copies of pages of the object
 *       +--------------+ size
 *
 * All addresses are virtual addresses of the object. Who applies a plan checks all of it
 * (sc_plan_check) and compares the bytes in memory before anything is written.
 */
#ifndef SCOPE_ELF_PLAN_H
#define SCOPE_ELF_PLAN_H

#include <stddef.h>
#include <stdint.h>
#include "elf/image.h"

#define SC_PLAN_MAGIC   0x314e4c5045504353ull /* "SCPEPLN1" */
#define SC_PLAN_VERSION 9u /* raised with every change of the layout or of what emit.h makes */
#define SC_SITES_MAX    4096u
#define SC_SITE_BYTES   36u
#define SC_PRE_MAX      16u
#define SC_RUNS         24u

enum sc_site_kind {
	SC_SITE_CALL = 1,    /* a `syscall` instruction, left in place */
	SC_SITE_CANCEL = 2,  /* a `call __syscall_cancel_arch` of glibc 2.41 and later */
	SC_SITE_GO_CALL6 = 3,/* Go's Syscall6 and its like: number in rax before, both windows */
	SC_SITE_GO_LEAF = 4, /* a function of Go's runtime with one fixed call */
	SC_SITE_EARLY = 5,   /* the instruction that loads the number of an exit: a pre window only */
	SC_SITE_MOVED = 6,   /* the window begins with the syscall itself: the stub makes it */
	SC_SITE_TLS_ENTRY = 7,/* Go's (*tls.Conn).Read, Write: keeps the receiver where the end finds it */
	SC_SITE_TLS_END = 8  /* a return of these; nr 0: Read, 1: Write */
};

enum sc_site_flag {
	SC_SITE_TIMED = 1, /* the pre window stores the TSC */
	SC_SITE_PRE = 2,   /* the pre window calls the handler (dynamic numbers: when the table says so) */
	SC_SITE_FLAGS = 4, /* arithmetic flags may live across the call: the stubs keep them */
	SC_SITE_NO_SLOT = 8,/* the stack slot at -128(%rsp) is in use: nothing can be stored there */
	SC_SITE_G_R14 = 16, /* Go: g is in r14 only, not at %fs:-8 */
	SC_SITE_G_FAR = 64, /* Go: g is at %fs:g_at of the plan */
	SC_SITE_SHARED = 32 /* the post window is jumped to from elsewhere: only a tagged slot counts */
};

/*
 *     va - pre_len          va         va + core_len        + post_len
 *        | pre window       | syscall  | post window         |
 *        bytes[0]           (never written)
 */
struct sc_site {
	uint64_t va;       /* of the syscall (or call) instruction */
	int16_t nr;        /* -1: only known when it runs */
	uint8_t kind;      /* enum sc_site_kind */
	uint8_t flags;     /* enum sc_site_flag */
	uint8_t pre_len;   /* 0: no window */
	uint8_t core_len;  /* 2, of a call 5 */
	uint8_t post_len;  /* 0: no window */
	uint8_t reserved;
	uint16_t pre_stub; /* offset / 8 of its stub in the stubs, 0: none */
	uint16_t post_stub;
	uint8_t bytes[SC_SITE_BYTES]; /* original, from the pre window to the end of the post window */
};
_Static_assert(sizeof(struct sc_site) == 56, "sc_site");

struct sc_run {
	uint64_t va;  /* page aligned */
	uint32_t len; /* multiple of the page size */
	uint32_t off; /* in the plan file */
};

struct sc_plan {
	uint64_t magic;
	uint32_t version;
	uint32_t calls;     /* hash of the table of hooked calls it was made for */
	uint64_t size;      /* of the whole file */
	uint32_t sites;
	uint32_t unseen;    /* sites of hooked calls that cannot be patched */
	uint32_t all;       /* syscall instructions in the object */
	uint32_t id_len;
	uint8_t id[SC_ID_MAX];
	uint64_t text_lo, text_hi; /* all windows lie between */
	uint64_t stub_va;   /* page aligned; may be "negative": below the object */
	uint32_t stub_off;  /* in the file, 0: stubs are not in it */
	uint32_t stub_len;  /* multiple of the page size; the cells page included */
	uint32_t runs;      /* 0: no overlay */
	uint32_t text_off;
	struct sc_run run[SC_RUNS];
	uint32_t is_go;     /* a Go program: found by its tables, which takes reading all of it */
	int32_t g_at;       /* for SC_SITE_G_FAR */
	uint8_t reserved[8];
};
_Static_assert(sizeof(struct sc_plan) == 512, "sc_plan");

static inline struct sc_site *sc_plan_sites(const struct sc_plan *plan)
{
	return (struct sc_site *)(plan + 1);
}

/* Bytes a plan of n sites takes without stubs and overlay. */
static inline size_t sc_plan_bytes(uint32_t sites)
{
	return sizeof(struct sc_plan) + sites * sizeof(struct sc_site);
}

/* Hash of base/calls.h: a plan made for another table is not used. */
uint32_t sc_plan_calls_hash(void);

/*
 * Checks a plan read from outside for the object it is to be used on: every count, length and
 * address. Pre: readable bytes at plan. 0; -ESTALE: of another version, table or object; -EINVAL.
 */
int sc_plan_check(const struct sc_plan *plan, size_t readable, const struct sc_elf *elf);

/* Scratch memory (zeroed pages) the scan of an object needs. */
size_t sc_scan_scratch(const struct sc_elf *elf);

/*
 * Scans the object and writes its plan, sites in order of address, without stubs and overlay.
 * cap: bytes at out. 0; -ENOSPC, -ENOEXEC, -ENOENT: no text.
 */
int sc_scan(const struct sc_elf *elf, struct sc_plan *out, size_t cap, void *scratch);

/* Puts "<hex of id>.plan" at name (2 * SC_ID_MAX + 6 bytes). */
void sc_plan_name(char *name, const uint8_t *id, uint32_t len);

#endif
