/* SPDX-License-Identifier: Apache-2.0 */
/* Records that every probe makes: one call, an error, a note. Layer 4. */
#include <errno.h>
#include "base/mem.h"
#include "probe/probe.h"

int sc_error_counts(int64_t ret)
{
	return ret != -EAGAIN && ret != -EINTR && ret != -EINPROGRESS && ret != -512 &&
	       ret != -513 && ret != -514 && ret != -516;
}

/* Index of the argument with the path; -1: none. */
static int path_argument(uint32_t nr)
{
	switch (nr) {
	case __NR_open:
	case __NR_creat:
	case __NR_stat:
	case __NR_lstat:
	case __NR_statfs:
	case __NR_access:
	case __NR_unlink:
	case __NR_rmdir:
	case __NR_rename:
	case __NR_mkdir:
	case __NR_link:
	case __NR_symlink:
	case __NR_readlink:
	case __NR_truncate:
	case __NR_chmod:
	case __NR_chown:
	case __NR_lchown:
	case __NR_mknod:
	case __NR_execve:
		return 0;
	case __NR_openat:
	case __NR_openat2:
	case __NR_newfstatat:
	case __NR_statx:
	case __NR_faccessat:
	case __NR_faccessat2:
	case __NR_unlinkat:
	case __NR_renameat:
	case __NR_renameat2:
	case __NR_mkdirat:
	case __NR_linkat:
	case __NR_readlinkat:
	case __NR_fchmodat:
	case __NR_fchownat:
	case __NR_utimensat:
	case __NR_mknodat:
	case __NR_execveat:
		return 1;
	default:
		return -1;
	}
}

/* Results that the kernel gives only after it has read the path. */
static int path_was_read(int64_t ret)
{
	switch (-ret) {
	case ENOENT:
	case EACCES:
	case EPERM:
	case ENOTDIR:
	case EEXIST:
	case EISDIR:
	case ELOOP:
	case EROFS:
	case ENOTEMPTY:
	case EBUSY:
	case ETXTBSY:
	case ENXIO:
	case ENOSPC:
		return 1;
	default:
		return ret >= 0;
	}
}

const char *sc_call_path(const struct sc_call *call)
{
	int n = path_argument(call->nr);

	if (n < 0 || !path_was_read(call->ret))
		return NULL;
	return (const char *)call->arg[n];
}

void sc_record_any_call(struct sc_hook *h, int fd, const struct sc_fd *f, const char *path)
{
	size_t len = path ? sc_strnlen(path, SC_PATH_MAX) : 0;
	struct sc_record *r = sc_record_begin(&h->x, SC_REC_CALL, fd, (uint32_t)len);

	if (!r)
		return;
	sc_record_from(r, h, f);
	memcpy(sc_record_payload(r), path, len);
	sc_record_commit(&h->x, r, (uint32_t)len);
}

void sc_failed_call(struct sc_hook *h, enum sc_counter cls, int fd, const struct sc_fd *f)
{
	sc_count(&h->x, cls, 1);
	if (h->x.want & SC_WANT_CALL_ERROR)
		sc_record_any_call(h, fd, f, sc_call_path(h->call));
}

void sc_note(const struct sc_ctx *x, enum sc_note_code code, uint32_t arg, const char *text)
{
	size_t len = text ? sc_strnlen(text, SC_PATH_MAX) : 0;
	struct sc_record *r =
		sc_record_begin(x, SC_REC_NOTE, -1, (uint32_t)(sizeof(struct sc_note) + len));
	struct sc_note *note;

	if (!r)
		return;
	note = sc_record_payload(r);
	note->code = code;
	note->arg = arg;
	memcpy(note + 1, text, len);
	sc_record_commit(x, r, (uint32_t)(sizeof(*note) + len));
}
