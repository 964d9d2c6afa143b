/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL 1.0.2, 1.1.1, 3.x and BoringSSL, as a library or exported by the executable. A process may
 * have several copies (a program's own, a plugin's): each has its set of wrappers.
 */
#include <stddef.h>
#include "base/mem.h"
#include "probe/entries.h"
#include "probe/tls.h"

#define COPIES 4u

struct openssl {
	int (*read)(void *ssl, void *buf, int num);
	int (*write)(void *ssl, const void *buf, int num);
	int (*read_ex)(void *ssl, void *buf, size_t num, size_t *done);
	int (*write_ex)(void *ssl, const void *buf, size_t num, size_t *done);
	int (*write_ex2)(void *ssl, const void *buf, size_t num, uint64_t flags, size_t *done);
	int (*read_early)(void *ssl, void *buf, size_t num, size_t *done);
	int (*write_early)(void *ssl, const void *buf, size_t num, size_t *done);
	long (*sendfile)(void *ssl, int fd, long offset, size_t size, int flags);
	int (*handshake)(void *ssl);
	int (*get_fd)(const void *ssl); /* called, not hooked */
};

static struct openssl copies[COPIES];
static uint32_t used SC_AT_START;

static inline void moved(const struct openssl *o, void *ssl, uint32_t tx, const void *buf, long n)
{
	sc_tls_moved(ssl, o->get_fd, tx, buf, n > 0 ? (uint64_t)n : 0);
}

static inline size_t done_of(int ret, const size_t *done)
{
	return ret > 0 && done ? *done : 0;
}

/* One set of wrappers; n is the copy. */
#define WRAPPERS(n) \
	static int read_##n(void *ssl, void *buf, int num) \
	{ \
		int ret = copies[n].read(ssl, buf, num); \
		moved(&copies[n], ssl, 0, buf, ret); \
		return ret; \
	} \
	static int write_##n(void *ssl, const void *buf, int num) \
	{ \
		int ret = copies[n].write(ssl, buf, num); \
		moved(&copies[n], ssl, 1, buf, ret); \
		return ret; \
	} \
	static int read_ex_##n(void *ssl, void *buf, size_t num, size_t *done) \
	{ \
		int ret = copies[n].read_ex(ssl, buf, num, done); \
		moved(&copies[n], ssl, 0, buf, (long)done_of(ret, done)); \
		return ret; \
	} \
	static int write_ex_##n(void *ssl, const void *buf, size_t num, size_t *done) \
	{ \
		int ret = copies[n].write_ex(ssl, buf, num, done); \
		moved(&copies[n], ssl, 1, buf, (long)done_of(ret, done)); \
		return ret; \
	} \
	static int write_ex2_##n(void *ssl, const void *buf, size_t num, uint64_t flags, \
				 size_t *done) \
	{ \
		int ret = copies[n].write_ex2(ssl, buf, num, flags, done); \
		moved(&copies[n], ssl, 1, buf, (long)done_of(ret, done)); \
		return ret; \
	} \
	static int read_early_##n(void *ssl, void *buf, size_t num, size_t *done) \
	{ \
		int ret = copies[n].read_early(ssl, buf, num, done); \
		moved(&copies[n], ssl, 0, buf, (long)done_of(ret, done)); \
		return ret; \
	} \
	static int write_early_##n(void *ssl, const void *buf, size_t num, size_t *done) \
	{ \
		int ret = copies[n].write_early(ssl, buf, num, done); \
		moved(&copies[n], ssl, 1, buf, (long)done_of(ret, done)); \
		return ret; \
	} \
	static long sendfile_##n(void *ssl, int fd, long offset, size_t size, int flags) \
	{ \
		long ret = copies[n].sendfile(ssl, fd, offset, size, flags); \
		moved(&copies[n], ssl, 1, NULL, ret); \
		return ret; \
	} \
	static int handshake_##n(void *ssl) \
	{ \
		int ret = copies[n].handshake(ssl); \
		moved(&copies[n], ssl, 0, NULL, 0); \
		return ret; \
	}

WRAPPERS(0)
WRAPPERS(1)
WRAPPERS(2)
WRAPPERS(3)

/* clang-format off */
#define HOOKS(n) { \
	{"SSL_read", (void *)read_##n, (void **)&copies[n].read}, \
	{"SSL_write", (void *)write_##n, (void **)&copies[n].write}, \
	{"SSL_read_ex", (void *)read_ex_##n, (void **)&copies[n].read_ex}, \
	{"SSL_write_ex", (void *)write_ex_##n, (void **)&copies[n].write_ex}, \
	{"SSL_write_ex2", (void *)write_ex2_##n, (void **)&copies[n].write_ex2}, \
	{"SSL_read_early_data", (void *)read_early_##n, (void **)&copies[n].read_early}, \
	{"SSL_write_early_data", (void *)write_early_##n, (void **)&copies[n].write_early}, \
	{"SSL_sendfile", (void *)sendfile_##n, (void **)&copies[n].sendfile}, \
	{"SSL_do_handshake", (void *)handshake_##n, (void **)&copies[n].handshake}, \
}
/* clang-format on */

#define HOOK_COUNT 9u

bool sc_openssl_object(const struct sc_object *o)
{
	const struct sc_entry_hook hooks[COPIES][HOOK_COUNT] = {HOOKS(0), HOOKS(1), HOOKS(2),
								HOOKS(3)};

	if (used == COPIES || !sc_entries_find(o, "SSL_read") || !sc_entries_find(o, "SSL_write"))
		return false;
	copies[used].get_fd = (int (*)(const void *))sc_entries_find(o, "SSL_get_fd");
	sc_tls_present();
	sc_entries_hook(o, hooks[used], HOOK_COUNT);
	used++;
	return true;
}

/* A thread may still be in a wrapper: the ways to the originals stay. */
void sc_openssl_reset(void)
{
	used = 0;
}
