/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on files: open, read, write, transfer, seek, stat, delete and the rest. Layer 4. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "probe/entries.h"
#include "probe/probe.h"

/* ---- open ---- */

static inline uint32_t open_flags(const struct sc_call *c)
{
	switch (c->nr) {
	case __NR_open:
		return (uint32_t)c->arg[1];
	case __NR_openat:
	case __NR_open_by_handle_at:
		return (uint32_t)c->arg[2];
	case __NR_openat2:
		return (uint32_t)*(const uint64_t *)c->arg[2];
	default:
		return O_CREAT | O_WRONLY | O_TRUNC;
	}
}

void sc_file_opened(struct sc_hook *h, int fd, struct sc_fd *f, const char *path, uint32_t flags,
		    int dirfd, int late)
{
	size_t whole = path ? sc_strnlen(path, SC_PATH_MAX + 1) : 0;
	size_t len = whole > SC_PATH_MAX ? SC_PATH_MAX : whole;
	struct sc_record *r = NULL;
	struct sc_name name;
	struct sc_open *o;

	sc_name_look(h, fd, path, len, flags, &name);
	if (h->x.want & SC_WANT_OPEN || name.watched)
		r = sc_record_begin_at(&h->x, sc_now(h), SC_REC_OPEN, fd,
				       (uint32_t)(sizeof(*o) + len));
	if (name.watched)
		sc_fd_set(f, SC_FF_WATCHED);
	if (!r)
		return;
	sc_record_from(r, h, f);
	r->ret = fd;
	if (late)
		r->nr = 0xffff;
	r->flags = (uint16_t)((late ? SC_RF_LATE : 0) | (whole > len ? SC_RF_CUT : 0));
	o = sc_record_payload(r);
	o->flags = flags;
	o->mode = name.mode;
	o->uid = name.uid;
	o->gid = name.gid;
	o->dirfd = dirfd;
	o->kind = f->kind;
	memcpy(o + 1, path, len);
	sc_record_commit(&h->x, r, (uint32_t)(sizeof(*o) + len));
	sc_fd_set(f, SC_FF_NAMED);
}

void sc_probe_open(struct sc_hook *h)
{
	const struct sc_call *c = h->call;
	int fd = (int)c->ret;
	const char *path;
	uint32_t flags;
	struct sc_fd *f;
	int dirfd;

	if (c->ret < 0) {
		if (sc_error_counts(c->ret))
			sc_failed_call(h, SC_C_FS_ERR_OPEN_CLOSE, -1, NULL);
		return;
	}
	sc_count(&h->x, SC_C_FS_OPEN, 1);
	/* One time stamp for all that is made of it. */
	h->tsc = sc_rdtsc();
	flags = open_flags(c);
	if (flags & (O_CREAT | O_TRUNC))
		sc_names_forget();
	dirfd = c->nr == __NR_openat || c->nr == __NR_openat2 ? (int)c->arg[0] : AT_FDCWD;
	f = sc_fd_new(h, fd, (flags & O_DIRECTORY) == O_DIRECTORY ? SC_KIND_DIR : SC_KIND_FILE);
	if (!f)
		return;
	path = sc_call_path(c);
	sc_file_opened(h, fd, f, path, flags, dirfd, 0);
	sc_record_call(h, SC_WANT_CALL_OPEN, fd, f, 1);
	sc_entries_check();
	if ((flags & (O_ACCMODE | O_CLOEXEC)) == O_CLOEXEC && path)
		sc_entries_opened(path);
}

/* ---- read and write ---- */

static void file_read(struct sc_hook *h, struct sc_fd *f, uint64_t n)
{
	sc_count(&h->x, SC_C_FS_READ_OPS, 1);
	sc_count(&h->x, SC_C_FS_READ_BYTES, n);
	sc_count(&h->x, SC_C_FS_READ_TICKS, h->ticks);
	if (f)
		sc_fd_moved(f, 0, n, h->ticks, h->alone);
}

static void file_written(struct sc_hook *h, int fd, struct sc_fd *f, const struct sc_moved *m)
{
	uint16_t flags = f ? sc_fd_flags(f) : 0;

	if (f)
		sc_fd_moved(f, 1, m->len, h->ticks, h->alone);
	if (flags & SC_FF_CONSOLE) {
		sc_count(&h->x, SC_C_CONSOLE_OPS, 1);
		sc_count(&h->x, SC_C_CONSOLE_BYTES, m->len);
		if (h->x.want & SC_WANT_CONSOLE && m->iov)
			sc_text_written(h, f, fd, m->iov, m->iovcnt, m->len);
		return;
	}
	sc_count(&h->x, SC_C_FS_WRITE_OPS, 1);
	sc_count(&h->x, SC_C_FS_WRITE_BYTES, m->len);
	sc_count(&h->x, SC_C_FS_WRITE_TICKS, h->ticks);
	if (flags & SC_FF_WATCHED && h->x.want & SC_WANT_FILE && m->iov)
		sc_text_written(h, f, fd, m->iov, m->iovcnt, m->len);
}

static void io_failed(struct sc_hook *h, int fd)
{
	struct sc_fd *f;

	if (!sc_error_counts(h->call->ret))
		return;
	f = h->call->ret == -EBADF ? sc_fd_find(&h->x, fd) : sc_fd_known(h, fd);
	if (f && sc_is_socket(f->kind))
		sc_socket_failed(h, fd, f);
	else
		sc_failed_call(h, SC_C_FS_ERR_READ_WRITE, fd, f);
}

/* The vectors of a call: read and write have one, made from their arguments in `one`. */
static void take_vectors(const struct sc_call *c, struct sc_iovec *one, struct sc_moved *m)
{
	switch (c->nr) {
	case __NR_read:
	case __NR_pread64:
	case __NR_write:
	case __NR_pwrite64:
		one->base = (const void *)c->arg[1];
		one->len = c->arg[2];
		m->iov = one;
		m->iovcnt = 1;
		break;
	default:
		m->iov = (const struct sc_iovec *)c->arg[1];
		m->iovcnt = c->arg[2];
	}
	m->name = NULL;
	m->name_len = 0;
	m->len = (uint64_t)c->ret;
}

void sc_probe_read(struct sc_hook *h)
{
	const struct sc_call *c = h->call;
	int fd = (int)c->arg[0];
	struct sc_iovec one;
	struct sc_moved m;
	struct sc_fd *f;

	if (sc_unlikely(c->ret < 0)) {
		io_failed(h, fd);
		return;
	}
	f = sc_fd_known(h, fd);
	if (f && sc_is_socket(f->kind)) {
		take_vectors(c, &one, &m);
		sc_socket_received(h, fd, f, &m);
	} else {
		file_read(h, f, (uint64_t)c->ret);
	}
	sc_record_call(h, SC_WANT_CALL_IO, fd, f, 0);
}

void sc_probe_write(struct sc_hook *h)
{
	const struct sc_call *c = h->call;
	int fd = (int)c->arg[0];
	struct sc_iovec one;
	struct sc_moved m;
	struct sc_fd *f;

	if (sc_unlikely(c->ret < 0)) {
		io_failed(h, fd);
		return;
	}
	f = sc_fd_known(h, fd);
	take_vectors(c, &one, &m);
	if (f && sc_is_socket(f->kind) && !(sc_fd_flags(f) & SC_FF_CONSOLE))
		sc_socket_sent(h, fd, f, &m);
	else
		file_written(h, fd, f, &m);
	sc_record_call(h, SC_WANT_CALL_IO, fd, f, 0);
}

/* Where a transfer began to read: its offset argument was moved on, or the file's position was. */
static int64_t transferred_from(const struct sc_call *c, int in)
{
	const int64_t *offset = (const int64_t *)c->arg[c->nr == __NR_sendfile ? 2 : 1];

	if (c->nr != __NR_sendfile && c->nr != __NR_splice && c->nr != __NR_copy_file_range)
		return -1;
	if (offset)
		return *offset - c->ret;
	return sc_sys3(__NR_lseek, in, 0, SEEK_CUR) - c->ret;
}

/* Text that never was in the program's memory: cat to a file copies inside the kernel. */
static void text_transferred(struct sc_hook *h, int in, int out, struct sc_fd *f)
{
	uint16_t flags = sc_fd_flags(f);
	struct sc_fd *from = sc_fd_find(&h->x, in);
	int64_t at;

	if (!(flags & SC_FF_CONSOLE && h->x.want & SC_WANT_CONSOLE) &&
	    !(flags & SC_FF_WATCHED && h->x.want & SC_WANT_FILE))
		return;
	if (sc_chan.quiet || !from || from->kind != SC_KIND_FILE)
		return;
	at = transferred_from(h->call, in);
	if (at >= 0)
		sc_text_transferred(h, f, out, in, at, (uint64_t)h->call->ret);
}

/* From one descriptor to another inside the kernel: both sides moved the bytes. */
void sc_probe_transfer(struct sc_hook *h)
{
	const struct sc_call *c = h->call;
	int in = (int)c->arg[0], out = c->nr == __NR_tee ? (int)c->arg[1] : (int)c->arg[2];
	struct sc_moved m = {.len = (uint64_t)c->ret};
	struct sc_fd *f;

	if (c->nr == __NR_sendfile) {
		out = (int)c->arg[0];
		in = (int)c->arg[1];
	}
	if (c->nr == __NR_vmsplice)
		out = (int)c->arg[0];
	if (c->ret < 0) {
		io_failed(h, out);
		return;
	}
	if (c->nr != __NR_vmsplice) {
		f = sc_fd_known(h, in);
		if (f && sc_is_socket(f->kind))
			sc_socket_received(h, in, f, &m);
		else
			file_read(h, f, m.len);
	}
	f = sc_fd_known(h, out);
	if (f && sc_is_socket(f->kind)) {
		sc_socket_sent(h, out, f, &m);
	} else {
		file_written(h, out, f, &m);
		if (f)
			text_transferred(h, in, out, f);
	}
	sc_record_call(h, SC_WANT_CALL_IO, out, f, 0);
}

/* ---- the rest ---- */

void sc_probe_seek(struct sc_hook *h)
{
	int fd = (int)h->call->arg[0];

	if (h->call->ret < 0) {
		sc_failed_call(h, SC_C_FS_ERR_READ_WRITE, fd, sc_fd_find(&h->x, fd));
		return;
	}
	sc_count(&h->x, SC_C_FS_SEEK, 1);
	sc_record_call(h, SC_WANT_CALL_SEEK, fd, sc_fd_find(&h->x, fd), 0);
}

void sc_probe_stat(struct sc_hook *h)
{
	const struct sc_call *c = h->call;
	int by_fd = c->nr == __NR_fstat || c->nr == __NR_fstatfs;
	int fd = by_fd ? (int)c->arg[0] : -1;

	if (c->ret < 0) {
		sc_failed_call(h, SC_C_FS_ERR_STAT, fd, sc_fd_find(&h->x, fd));
		return;
	}
	sc_count(&h->x, SC_C_FS_STAT, 1);
	if (sc_unlikely(h->x.want & SC_WANT_CALL_STAT))
		sc_record_call(h, SC_WANT_CALL_STAT, fd, sc_fd_find(&h->x, fd), 1);
}

void sc_probe_delete(struct sc_hook *h)
{
	const char *path;
	struct sc_record *r;
	size_t len;

	if (h->call->ret < 0) {
		sc_failed_call(h, SC_C_FS_ERR_OPEN_CLOSE, -1, NULL);
		return;
	}
	sc_names_forget();
	sc_count(&h->x, SC_C_FS_DELETE, 1);
	if (!(h->x.want & SC_WANT_OPEN))
		return;
	path = sc_call_path(h->call);
	len = path ? sc_strnlen(path, SC_PATH_MAX) : 0;
	r = sc_record_begin(&h->x, SC_REC_DELETE, -1, (uint32_t)len);
	if (!r)
		return;
	sc_record_from(r, h, NULL);
	memcpy(sc_record_payload(r), path, len);
	sc_record_commit(&h->x, r, (uint32_t)len);
}

/* Calls of the rest that leave names, modes and owners as they are. */
static int changes_nothing(uint32_t nr)
{
	switch (nr) {
	case __NR_getdents:
	case __NR_getdents64:
	case __NR_readlink:
	case __NR_readlinkat:
	case __NR_ftruncate:
	case __NR_truncate:
	case __NR_fallocate:
	case __NR_fsync:
	case __NR_fdatasync:
	case __NR_sync_file_range:
	case __NR_utimensat:
		return 1;
	default:
		return 0;
	}
}

/* Whether a call of the rest is about a descriptor's content or about a name. */
static int on_descriptor(uint32_t nr)
{
	switch (nr) {
	case __NR_getdents:
	case __NR_getdents64:
	case __NR_ftruncate:
	case __NR_fallocate:
	case __NR_fsync:
	case __NR_fdatasync:
	case __NR_sync_file_range:
	case __NR_fchmod:
	case __NR_fchown:
		return 1;
	default:
		return 0;
	}
}

void sc_probe_fsother(struct sc_hook *h)
{
	const struct sc_call *c = h->call;

	/* "Not a link" is an answer: realpath() asks for each part of a path. */
	if (c->ret >= 0 || (c->ret == -EINVAL && (c->nr == __NR_readlink || c->nr == __NR_readlinkat))) {
		if (!changes_nothing(c->nr))
			sc_names_forget();
		sc_count(&h->x, SC_C_FS_OTHER, 1);
		return;
	}
	if (on_descriptor(c->nr))
		sc_failed_call(h, SC_C_FS_ERR_READ_WRITE, (int)c->arg[0],
			       sc_fd_find(&h->x, (int)c->arg[0]));
	else
		sc_failed_call(h, SC_C_FS_ERR_OPEN_CLOSE, -1, NULL);
}
