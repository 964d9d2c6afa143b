/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hooked call records. Layer 4. The two handlers are given to patch/; everything else here
 * is between the files of this folder. A handler changes nothing the application can see, takes no
 * lock and keeps its stack small.
 */
#ifndef SCOPE_PROBE_PROBE_H
#define SCOPE_PROBE_PROBE_H

#include "base/calls.h"
#include "channel/chan.h"
#include "patch/patch.h"
#include "probe/stream.h"

/* After and before each hooked call. */
void sc_probe_post(struct sc_call *call);
void sc_probe_pre(struct sc_call *call);

/* One hooked call on its way through the probes. */
struct sc_hook {
	struct sc_ctx x;
	struct sc_call *call;
	uint64_t tsc;   /* when it returned; only for timed calls, else 0 */
	uint64_t ticks; /* its duration; 0: not measured */
	uint32_t alone; /* no other thread exists: descriptors need no lock prefix */
	uint32_t fresh; /* a descriptor met now came with this call, not before the channel */
};

static inline int sc_is_socket(uint8_t kind)
{
	return kind >= SC_KIND_TCP && kind <= SC_KIND_SOCKET_OTHER;
}

static inline int sc_is_stream(uint8_t kind)
{
	return kind == SC_KIND_TCP || kind == SC_KIND_UNIX_STREAM;
}

static inline uint32_t sc_saturate(uint64_t v)
{
	return v > 0xffffffffu ? 0xffffffffu : (uint32_t)v;
}

static inline uint64_t sc_now(const struct sc_hook *h)
{
	return h->tsc ? h->tsc : sc_rdtsc();
}

static inline uint16_t sc_fd_flags(const struct sc_fd *f)
{
	return atomic_load_explicit(&f->flags, memory_order_relaxed);
}

static inline void sc_fd_set(struct sc_fd *f, uint16_t flags)
{
	if (!atomic_load_explicit(&sc_chan.threaded, memory_order_relaxed))
		sc_or_local16((uint16_t *)&f->flags, flags);
	else
		atomic_fetch_or_explicit(&f->flags, flags, memory_order_relaxed);
}

static inline void sc_fd_clear(struct sc_fd *f, uint16_t flags)
{
	atomic_fetch_and_explicit(&f->flags, (uint16_t)~flags, memory_order_relaxed);
}

/* ---- record.c ---- */

/* Not worth an error: the call is tried again by design. */
int sc_error_counts(int64_t ret);

/* The path a call was given, or NULL when it has none or the kernel may not have read it. */
const char *sc_call_path(const struct sc_call *call);

/* A failed call: adds to the class and, when wanted, records it. f may be NULL. */
void sc_failed_call(struct sc_hook *h, enum sc_counter cls, int fd, const struct sc_fd *f);

/* SC_REC_CALL; path may be NULL. */
void sc_record_any_call(struct sc_hook *h, int fd, const struct sc_fd *f, const char *path);

/* SC_REC_CALL of a call that went well, when want has any of bits. */
static inline void sc_record_call(struct sc_hook *h, uint32_t bits, int fd, const struct sc_fd *f,
				  int with_path)
{
	if (sc_unlikely(h->x.want & bits))
		sc_record_any_call(h, fd, f, with_path ? sc_call_path(h->call) : NULL);
}

/* SC_REC_NOTE. */
void sc_note(const struct sc_ctx *x, enum sc_note_code code, uint32_t arg, const char *text);

/* Fills object, ret, ticks, nr of a record from the call. */
static inline void sc_record_from(struct sc_record *r, const struct sc_hook *h, const struct sc_fd *f)
{
	if (h->tsc)
		r->tsc = h->tsc;
	r->object = f ? atomic_load_explicit(&f->object, memory_order_relaxed) : 0;
	r->ret = h->call->ret;
	r->ticks = sc_saturate(h->ticks);
	r->nr = (uint16_t)h->call->nr;
}

/* ---- fd.c ---- */

/* Fills the entry of a descriptor nothing is known of from the kernel. NULL: no such descriptor. */
struct sc_fd *sc_fd_learn(struct sc_hook *h, int fd, struct sc_fd *f);

/* The entry of fd, learned from the kernel when nothing is known of it. NULL: no such descriptor. */
static inline struct sc_fd *sc_fd_known(struct sc_hook *h, int fd)
{
	struct sc_fd *f = sc_fd_get(&h->x, fd);

	if (sc_unlikely(!f))
		return NULL;
	if (sc_likely(atomic_load_explicit(&f->object, memory_order_relaxed) != 0))
		return f;
	return sc_fd_learn(h, fd, f);
}

/* A new descriptor of a kind that is neither file nor connection yet. */
struct sc_fd *sc_fd_new(struct sc_hook *h, int fd, uint8_t kind);

/* fd is about to be closed, or was replaced: the last record about it. */
void sc_fd_closing(struct sc_hook *h, int fd);

/* Adds to what a descriptor moved. alone: no other thread, plain adds as in sc_add. */
static inline void sc_fd_moved(struct sc_fd *f, int tx, uint64_t n, uint64_t ticks, uint32_t alone)
{
	_Atomic(uint32_t) *ops = tx ? &f->tx_ops : &f->rx_ops;

	sc_add(tx ? &f->tx_bytes : &f->rx_bytes, n, alone);
	if (alone)
		sc_add_local32((uint32_t *)ops, 1);
	else
		atomic_fetch_add_explicit(ops, 1, memory_order_relaxed);
	sc_add(&f->ticks, ticks, alone);
}

void sc_probe_close(struct sc_hook *h);
void sc_probe_close_range_pre(struct sc_hook *h);
void sc_probe_dup(struct sc_hook *h);
void sc_probe_dup_pre(struct sc_hook *h);
void sc_probe_new_fd(struct sc_hook *h);

/* ---- file.c ---- */
void sc_probe_open(struct sc_hook *h);
void sc_probe_read(struct sc_hook *h);
void sc_probe_write(struct sc_hook *h);
void sc_probe_transfer(struct sc_hook *h);
void sc_probe_seek(struct sc_hook *h);
void sc_probe_stat(struct sc_hook *h);
void sc_probe_delete(struct sc_hook *h);
void sc_probe_fsother(struct sc_hook *h);

/* SC_REC_OPEN of fd with a path. late: it was open before the channel, or before the fork. */
void sc_file_opened(struct sc_hook *h, int fd, struct sc_fd *f, const char *path, uint32_t flags,
		    int dirfd, int late);

/* ---- name.c ---- */

/* What is known of an opened name. */
struct sc_name {
	uint32_t mode;    /* st_mode, 0: not asked */
	uint32_t uid;     /* owner */
	uint32_t gid;
	uint32_t watched; /* the hub's watch accepts it */
};

/* Of the file that h->call has just opened as fd by this name; name may be NULL with len 0. */
void sc_name_look(const struct sc_hook *h, int fd, const char *name, size_t len, uint32_t flags,
		  struct sc_name *answer);

/* This process has just changed a file's owner, mode or name, or may have. */
void sc_names_forget(void);

/* Threads of this process may see different files under one name. */
void sc_names_remember_none(void);

/* chroot, mount and the like. */
void sc_probe_names(struct sc_hook *h);

/* ---- text.c ---- */

/* SC_REC_TEXT of what was written: n bytes of the vectors. */
void sc_text_written(struct sc_hook *h, struct sc_fd *f, int fd, const struct sc_iovec *iov,
		     uint64_t iovcnt, uint64_t n);

/* The same of n bytes that the kernel moved from a regular file: read again, from offset at. */
void sc_text_transferred(struct sc_hook *h, struct sc_fd *f, int fd, int in, int64_t at,
			 uint64_t n);

/* ---- conn.c ---- */

/* Addresses and kind of a socket, asked from the kernel as far as hints are missing. */
struct sockaddr;
void sc_conn_fill(const struct sc_fd *f, int fd, struct sc_conn *conn, const void *remote,
		  uint32_t remote_len);

/* The connection is open: gauges, SC_REC_CONN_OPEN, ports for the protocols. Once only. */
void sc_conn_opened(struct sc_hook *h, int fd, struct sc_fd *f, const void *remote,
		    uint32_t remote_len);

/* It is about to be closed. */
void sc_conn_closing(struct sc_hook *h, int fd, struct sc_fd *f);

/* Counts a socket in NET_TCP, NET_UDP or NET_OTHER, once. */
void sc_conn_gauge(struct sc_hook *h, struct sc_fd *f);

/* ---- socket.c ---- */
void sc_probe_socket(struct sc_hook *h);

/* ---- message.c ---- */
void sc_probe_recv(struct sc_hook *h);
void sc_probe_send(struct sc_hook *h);

SC_ASSERT(SC_C_NET_RX_OTHER - SC_C_NET_RX_INET_TCP == SC_KIND_SOCKET_OTHER - SC_KIND_TCP &&
	  SC_C_NET_TX_OTHER - SC_C_NET_TX_INET_TCP == SC_KIND_SOCKET_OTHER - SC_KIND_TCP,
	  "byte counters in the order of kinds");

/* The counter of bytes on a socket of this kind. */
static inline enum sc_counter sc_bytes_counter(uint8_t kind, int tx)
{
	return (tx ? SC_C_NET_TX_INET_TCP : SC_C_NET_RX_INET_TCP) + (kind - SC_KIND_TCP);
}

/* What moved on a socket. */
struct sc_moved {
	const struct sc_iovec *iov;
	uint64_t iovcnt;
	const void *name; /* of the peer, for datagrams */
	uint32_t name_len;
	uint64_t len;
};

void sc_socket_received(struct sc_hook *h, int fd, struct sc_fd *f, const struct sc_moved *m);
void sc_socket_sent(struct sc_hook *h, int fd, struct sc_fd *f, const struct sc_moved *m);
void sc_socket_failed(struct sc_hook *h, int fd, struct sc_fd *f);

/* ---- process.c, exec.c ---- */
void sc_probe_process(struct sc_call *call);
void sc_probe_process_pre(struct sc_call *call);

/* ---- filter.c ---- */

/* Before and after seccomp and prctl; after counts any call. */
void sc_filter_pre(struct sc_call *call);
void sc_filter_post(struct sc_call *call);
/* Attached to a program whose filter forbids calls of ours: from here on as after setting one. */
void sc_filter_found(void);

/* ---- usage.c ---- */

/* SC_REC_EXIT or SC_REC_SAMPLE; call: the exit, or NULL. */
void sc_record_usage(struct sc_ctx *x, enum sc_record_type type, const struct sc_call *call);

/* SC_REC_SAMPLE, when sample_ms have passed since the last. */
void sc_sample(struct sc_ctx *x);

struct sc_exec_setup {
	char libscope[512]; /* path for LD_PRELOAD, "": children are left alone */
};
extern struct sc_exec_setup sc_exec_setup;

/*
 * The environment an image gets that this process executes: the caller's, with the library and the
 * folder in it, or without the library where it cannot be loaded. envp when nothing is to change.
 */
char **sc_exec_environment(const char *path, char **envp, uint64_t tp);

/* Memory until sc_exec_release(), or NULL. */
void *sc_exec_allocate(size_t size, uint64_t tp);

/* Sends the exec of a static program through the launcher: 1, and *path and *argv are changed; 0: left alone. */
int sc_exec_through_launcher(const char **path, char ***argv, uint64_t tp);

/* The exec failed, or its vfork child is gone: memory of the thread's environments is freed. */
void sc_exec_release(uint64_t tp);

#endif
