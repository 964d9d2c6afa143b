/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a name that was just opened leads to: mode and owner, and whether its text is wanted. Layer 4. An
 * fstat and a run through the hub's automaton tell; a name that was looked at less than a millisecond ago
 * is remembered, so that a program that opens the same few files all the time does not pay for it at each
 * open. docs/design/channel.md says what that can miss.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include "base/mem.h"
#include "probe/probe.h"

#define SLOTS    32u
#define NAME_LEN 96u
#define FRESH    (1u << 21) /* TSC ticks: 0.5 to 1 ms on the processors there are */
#define ASKED    (SC_WANT_OPEN | SC_WANT_OPEN_MODE | SC_WANT_FILE)

/* seq is odd while a thread fills the slot. Who is interrupted there leaves it unused, for good at worst. */
static struct slot {
	_Atomic(uint32_t) seq;
	uint32_t generation;
	uint64_t tsc;
	uint32_t asked; /* bits of want the answer is for */
	uint32_t len;
	struct sc_name answer;
	char name[NAME_LEN];
} slots[SLOTS];

static _Atomic(uint32_t) generation = 1; /* raised when what names lead to may have changed */
static _Atomic(uint32_t) off;

void sc_names_forget(void)
{
	atomic_fetch_add_explicit(&generation, 1, memory_order_relaxed);
}

void sc_names_remember_none(void)
{
	atomic_store_explicit(&off, 1, memory_order_relaxed);
}

/* Pre: 8 bytes at least. */
static struct slot *slot_of(const char *name, size_t len)
{
	uint64_t h = len, word;
	/* The last word may overlap the one before it. */
	for (size_t at = 0; at < len; at += 8) {
		memcpy(&word, name + (at + 8 <= len ? at : len - 8), 8);
		h = (h ^ word) * 0x9e3779b97f4a7c15ull;
	}
	return &slots[h >> 59];
}

SC_ASSERT(SLOTS == 32, "slot_of takes 5 bits");

/*
 * Names that lead to the same file in every thread, whoever follows them when: absolute, and not to what a
 * descriptor number or the calling thread decides. A plain open of them neither makes nor changes a file.
 */
static int is_steady(const struct sc_call *c, const char *name, size_t len, uint32_t flags)
{
	return (c->nr == __NR_open || c->nr == __NR_openat) && len >= 8 && len < NAME_LEN && name[0] == '/' &&
	       !(flags & (O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY) | O_PATH | O_NOFOLLOW)) &&
	       !sc_starts(name, "/proc/") && !sc_starts(name, "/dev/") &&
	       !atomic_load_explicit(&off, memory_order_relaxed);
}

static int recall(struct slot *s, const char *name, size_t len, uint32_t of_generation, uint64_t now,
		  uint32_t asked, struct sc_name *answer)
{
	/* Pairs with the release in keep(): what was written before seq is seen. */
	uint32_t seq = atomic_load_explicit(&s->seq, memory_order_acquire);

	if (seq & 1 || s->generation != of_generation || now - s->tsc > FRESH || s->len != len ||
	    s->asked != asked || memcmp(s->name, name, len) != 0)
		return 0;
	*answer = s->answer;
	/* Everything above was read before seq is looked at again. */
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&s->seq, memory_order_relaxed) == seq;
}

static void keep(struct slot *s, const char *name, size_t len, uint32_t of_generation, uint64_t now,
		 uint32_t asked, const struct sc_name *answer)
{
	uint32_t seq = atomic_load_explicit(&s->seq, memory_order_relaxed);

	/* Another thread's, or that of whom this signal handler interrupts: this one is not kept then. */
	if (seq & 1 || !atomic_compare_exchange_strong_explicit(&s->seq, &seq, seq + 1,
								memory_order_acquire,
								memory_order_relaxed))
		return;
	/* An odd seq is seen before any of what follows: pairs with the fence in recall(). */
	atomic_thread_fence(memory_order_release);
	s->generation = of_generation;
	s->tsc = now;
	s->asked = asked;
	s->len = (uint32_t)len;
	s->answer = *answer;
	memcpy(s->name, name, len);
	atomic_store_explicit(&s->seq, seq + 2, memory_order_release);
}

static void look(const struct sc_hook *h, int fd, const char *name, size_t len, struct sc_name *answer)
{
	struct stat st;

	*answer = (struct sc_name){0};
	if (len && h->x.want & SC_WANT_FILE)
		answer->watched = (uint32_t)sc_hub_watches(name, len);
	if (!(h->x.want & SC_WANT_OPEN_MODE) || !(h->x.want & SC_WANT_OPEN || answer->watched) ||
	    sc_chan.quiet || sc_sys_fstat(fd, &st) < 0)
		return;
	answer->mode = st.st_mode;
	answer->uid = st.st_uid;
	answer->gid = st.st_gid;
}

void sc_name_look(const struct sc_hook *h, int fd, const char *name, size_t len, uint32_t flags,
		  struct sc_name *answer)
{
	/* Before the fstat: an answer from before a change must not count as one from after it. */
	uint32_t at = atomic_load_explicit(&generation, memory_order_relaxed);
	uint32_t asked = h->x.want & ASKED;
	uint64_t now = sc_now(h);
	struct slot *s;

	if (!is_steady(h->call, name, len, flags)) {
		look(h, fd, name, len, answer);
		return;
	}
	s = slot_of(name, len);
	if (sc_likely(recall(s, name, len, at, now, asked, answer)))
		return;
	look(h, fd, name, len, answer);
	/* A write takes these bits away: such files are asked for each time. */
	if (!(answer->mode & (S_ISUID | S_ISGID)))
		keep(s, name, len, at, now, asked, answer);
}

void sc_probe_names(struct sc_hook *h)
{
	if (h->call->ret < 0)
		return;
	switch (h->call->nr) {
	case __NR_mount:
	case __NR_umount2:
	case __NR_move_mount:
		sc_names_forget();
		break;
	default: /* from here on one name may be two files in two threads */
		sc_names_remember_none();
	}
}
