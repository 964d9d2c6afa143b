/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared-memory layout between libscope.so (writer), the relay's addon (reader) and the
 * launcher. Two files live in SCOPE_DIR, a folder on tmpfs:
 *
 *   hub                 one per folder: doorbell, default control block, paths, file-name watch
 *   PID.TSC.chan        one per process image: the channel
 *
 * Fixed-width fields, no implicit padding, every size asserted. "w:" names the writer, "r:" the
 * reader of a field. All multi-byte fields are in the byte order of the machine. The reader trusts
 * nothing: every offset, length and enum is checked there. Longer than other files: it is the one place
 * where the layout is written.
 *
 *   channel file        0 +----------------------+
 *                         | sc_header  384 bytes |  identity, clocks, state, control, losses
 *                     384 +----------------------+
 *                         | sc_info              |  exe, host, cgroup, argv … as strings; most end in this page
 *                    8192 +----------------------+
 *                         | sc_shard[7]   56 KiB |  counters, ring positions
 *                   65536 +----------------------+
 *                         | sc_fd[1024]   64 KiB |  descriptors 0…1023 (higher ones: PID.TSC.fdx)
 *                  131072 +----------------------+
 *                         | ring[7]  7 * 256 KiB |  records
 *                 1966080 +----------------------+
 *
 * The file has its full length from the start and is allocated piece by piece with fallocate
 * before a piece is touched, so that a full tmpfs gives an error and never a SIGBUS.
 */
#ifndef SCOPE_CHANNEL_H
#define SCOPE_CHANNEL_H

#include <stdint.h>

#ifdef __cplusplus
#include <atomic>
#define SC_ATOMIC(type) std::atomic<type>
#define SC_ASSERT(cond, text) static_assert(cond, text)
#else
#include <stdatomic.h>
#define SC_ATOMIC(type) _Atomic(type)
#define SC_ASSERT(cond, text) _Static_assert(cond, text)
#endif

#define SC_CHANNEL_MAGIC 0x314e484345504353ull /* "SCPECHN1" */
#define SC_HUB_MAGIC 0x3142554845504353ull     /* "SCPEHUB1" */
#define SC_VERSION_MAJOR 2
#define SC_VERSION_MINOR 0

#define SC_SHARDS 7u                /* six that a thread can own, the last for all others */
#define SC_RING_SIZE (256u * 1024u) /* bytes per shard, a power of two; real only as far as used */
#define SC_FDS 1024u                /* descriptors in the channel itself */
#define SC_NR_MAX 512u              /* system call numbers counted */
#define SC_RECORD_MAX (32u * 1024u) /* largest record, header included */
#define SC_TEXT_MAX (16u * 1024u)   /* bytes of one SC_REC_TEXT; longer writes take several */
#define SC_PATH_MAX 1024u           /* bytes of a path in a record; longer ones are cut, flag SC_RF_CUT */

#define SC_ARGV_MAX 4096u
#define SC_ENV_MAX 2048u
#define SC_NEAR_CALLS 400u          /* system call numbers counted in the first page of a shard */

#define SC_HEADER_OFF 0u
#define SC_INFO_OFF 384u
#define SC_SHARD_OFF 8192u
#define SC_FD_OFF 65536u
#define SC_RING_OFF 131072u
#define SC_CHANNEL_SIZE (SC_RING_OFF + SC_SHARDS * SC_RING_SIZE)
SC_ASSERT(SC_CHANNEL_SIZE <= 2u * 1024u * 1024u, "a process takes 2 MiB at most");

/* What is recorded: bits of sc_control.want. Counters are always kept. */
#define SC_WANT_LIST(X) \
	X(OPEN, 0)      /* open, close and delete of files: SC_REC_OPEN, _CLOSE, _DELETE */ \
	X(NET, 1)       /* connections: SC_REC_CONN_OPEN, _CONN_CLOSE */ \
	X(CONSOLE, 2)   /* text written to descriptors 1 and 2: SC_REC_TEXT */ \
	X(FILE, 3)      /* text written to files whose name the hub's watch accepts */ \
	X(HTTP, 4)      /* heads of HTTP messages */ \
	X(DNS, 5)       /* DNS packets and resolver calls */ \
	X(STATSD, 6)    /* StatsD lines */ \
	X(PAYLOAD, 7)   /* every byte of connections */ \
	X(DETECT, 8)    /* first bytes of connections, for protocols the user defined */ \
	X(CALL_ERROR, 9)  /* each failed call: SC_REC_CALL */ \
	X(CALL_OPEN, 10)  /* each open and close as SC_REC_CALL (metrics one by one) */ \
	X(CALL_STAT, 11)  /* each stat, and net open/close group */ \
	X(CALL_SEEK, 12)  /* each seek */ \
	X(CALL_IO, 13)    /* each read, write, send, receive */ \
	X(PROCESS, 14)  /* fork, exec: SC_REC_FORK, _EXEC (exit is always recorded) */ \
	X(OPEN_MODE, 15)  /* with OPEN: mode and owner too (one fstat for each open) */ \
	X(MDNS, 16)       /* with DNS: port 5353, too */

enum sc_want {
#define X(name, bit) SC_WANT_##name = 1 << bit,
	SC_WANT_LIST(X)
#undef X
};

/* Why a record was not kept; index of sc_header.lost. */
#define SC_LOST_LIST(X) \
	X(FULL, 0)    /* every ring was full */ \
	X(LIMIT, 1)   /* above max_per_sec */ \
	X(BIG, 2)     /* longer than SC_RECORD_MAX */ \
	X(TORN, 3)    /* reserved and never committed; counted by the reader */ \
	X(MEMORY, 4)  /* no shared memory could be allocated */ \
	X(BAD, 5)     /* refused by the reader's checks; counted by the reader */

enum sc_lost {
#define X(name, n) SC_LOST_##name = n,
	SC_LOST_LIST(X)
#undef X
	SC_LOST_MAX = 8
};

enum sc_state {
	SC_STATE_EMPTY = 0,   /* being written; the reader waits */
	SC_STATE_LIVE = 1,
	SC_STATE_EXITED = 2,  /* exit_group was called; SC_REC_EXIT is the last record */
	SC_STATE_EXEC = 3,    /* execve was called; back to LIVE when it fails */
	SC_STATE_DETACHED = 4 /* by `scope detach`: bytes restored, nothing recorded */
};

enum sc_mode {
	SC_MODE_RUN = 0,
	SC_MODE_MUTED = 1 /* hooks return at once: nothing recorded or counted */
};

/* w: relay, CLI. r: library, on each hooked call. 64 bytes. */
struct sc_control {
	SC_ATOMIC(uint32_t) generation;  /* raised after each change of the other fields */
	SC_ATOMIC(uint32_t) mode;        /* enum sc_mode */
	SC_ATOMIC(uint32_t) want;        /* enum sc_want bits */
	SC_ATOMIC(uint32_t) max_per_sec; /* records of one channel per second, 0: no limit */
	SC_ATOMIC(uint32_t) wait;        /* 1: a full ring waits for the relay (while it is alive) */
	SC_ATOMIC(uint32_t) payload_max; /* bytes captured per connection and direction, 0: all */
	SC_ATOMIC(uint32_t) sample_ms;   /* library samples itself each so many ms, 0: never (no pid view) */
	uint32_t reserved[9];
};
SC_ASSERT(sizeof(struct sc_control) == 64, "sc_control");

/* w: library at creation, unless noted. 384 bytes. */
struct sc_header {
	SC_ATOMIC(uint64_t) magic;      /* SC_CHANNEL_MAGIC; stored last, with release */
	uint16_t major;                 /* SC_VERSION_MAJOR */
	uint16_t minor;
	uint32_t size;                  /* SC_CHANNEL_SIZE */
	int32_t pid;                    /* as the process sees itself */
	int32_t ppid;
	uint32_t uid;
	uint32_t gid;
	uint64_t start_tsc;             /* TSC when the channel was made */
	uint64_t start_sec;             /* CLOCK_REALTIME at start_tsc: seconds, then ns */
	uint32_t start_nsec;
	uint32_t ns_ref;                /* 1: tid_ns fields below are set */
	uint64_t mono_ns;               /* CLOCK_MONOTONIC at start_tsc */
	uint64_t pid_ns;                /* inode of /proc/self/ns/pid, 0: unknown */
	SC_ATOMIC(uint32_t) state;      /* enum sc_state */
	SC_ATOMIC(uint32_t) rings;      /* bit per ring in use; memory is there up to head of its shard */
	SC_ATOMIC(uint32_t) fd_blocks;  /* bit per allocated block of 32 sc_fd */
	SC_ATOMIC(uint32_t) fd_high;    /* highest descriptor ever used, plus 1 */
	SC_ATOMIC(uint64_t) next_object;/* next sc_fd.object */
	SC_ATOMIC(uint64_t) lost[SC_LOST_MAX]; /* FULL…MEMORY w: library; TORN, BAD w: reader */
	SC_ATOMIC(uint64_t) records;    /* records committed */
	SC_ATOMIC(uint32_t) ack;        /* generation of the control block last seen by the library */
	uint32_t flags;                 /* enum sc_header_flag */
	SC_ATOMIC(int32_t) exit_code;   /* argument of exit_group, once EXITED */
	uint32_t origin;                /* enum sc_origin */
	uint64_t parent_start_tsc;      /* start_tsc of the parent's channel when forked, else 0 */
	uint8_t boot_id[16];
	uint64_t start_cpu_ns;          /* CLOCK_PROCESS_CPUTIME_ID at start_tsc */
	uint64_t before_cpu_ns;         /* of it, what the launcher used that became this image */
	SC_ATOMIC(uint32_t) far_calls;  /* bit per shard of which calls from SC_NEAR_CALLS on are real memory */
	uint32_t reserved0;
	uint8_t pad0[256 - 232];
	uint8_t reader[64];             /* w: reader. Scratch of the reader, the library never looks */
	struct sc_control control;      /* copied from the hub at creation */
};
SC_ASSERT(sizeof(struct sc_header) == SC_INFO_OFF, "sc_header");

enum sc_header_flag {
	SC_HF_SECCOMP = 1,  /* a filter was set: the library makes no call of its own */
	SC_HF_IO_URING = 2, /* io_uring_setup was called: I/O through it is unseen */
	SC_HF_GO = 4,
	SC_HF_STATIC = 8,
	SC_HF_NO_PLAN = 16  /* no patch plan could be applied: nothing is seen */
};

enum sc_origin {
	SC_ORIGIN_LAUNCH = 0, /* by LD_PRELOAD or injected at exec */
	SC_ORIGIN_FORK = 1,
	SC_ORIGIN_ATTACH = 2
};

/*
 * Strings of the process, each NUL-terminated. w: library at creation. 7808 bytes, real as far as they are used:
 * nothing behind text[argv_len + env_len] may be touched.
 */
struct sc_info {
	char exe[512];       /* /proc/self/exe */
	char name[64];       /* basename of exe */
	char host[64];       /* nodename of uname */
	char cgroup[256];    /* the 0:: line of /proc/self/cgroup, without "0::" */
	char libc[64];       /* "glibc 2.36", "musl 1.2.3", "" */
	char runtime[64];    /* "go1.22.1", "" */
	char machine_id[36];
	char cwd[512];
	uint32_t argc;
	uint32_t argv_len;   /* bytes of arguments, each with its NUL; cut at SC_ARGV_MAX */
	uint32_t env_len;    /* bytes of variables the relay reads: OTEL_*, SCOPE_*, CRIBL_K8S_POD, KUBERNETES_*, HOSTNAME */
	char text[SC_ARGV_MAX + SC_ENV_MAX]; /* arguments, and behind them the variables */
	uint8_t pad0[SC_SHARD_OFF - SC_INFO_OFF - 7728];
};
SC_ASSERT(sizeof(struct sc_info) == SC_SHARD_OFF - SC_INFO_OFF, "sc_info");

/*
 * Counters, one array per shard, only ever added to; the sum over the shards is the value. Gauges
 * are signed sums. Bytes in bytes, times in TSC ticks.
 */
#define SC_COUNTER_LIST(X) \
	X(FS_OPEN) X(FS_CLOSE) X(FS_READ_OPS) X(FS_READ_BYTES) X(FS_READ_TICKS) \
	X(FS_WRITE_OPS) X(FS_WRITE_BYTES) X(FS_WRITE_TICKS) \
	X(FS_SEEK) X(FS_STAT) X(FS_DELETE) X(FS_OTHER) \
	X(FS_ERR_OPEN_CLOSE) X(FS_ERR_READ_WRITE) X(FS_ERR_STAT) \
	X(NET_PORT) X(NET_TCP) X(NET_UDP) X(NET_OTHER)      /* gauges */ \
	X(NET_OPEN) X(NET_CLOSE) X(NET_TICKS)               /* connections opened, closed, their lives */ \
	X(NET_RX_INET_TCP) X(NET_RX_INET_UDP) X(NET_RX_UNIX_TCP) X(NET_RX_UNIX_UDP) X(NET_RX_OTHER) \
	X(NET_TX_INET_TCP) X(NET_TX_INET_UDP) X(NET_TX_UNIX_TCP) X(NET_TX_UNIX_UDP) X(NET_TX_OTHER) \
	X(NET_RX_OPS) X(NET_TX_OPS) \
	X(NET_ERR_CONNECTION) X(NET_ERR_RX_TX) X(DNS_ERR) \
	X(CONSOLE_BYTES) X(CONSOLE_OPS) \
	X(PROC_FORK) X(PROC_EXEC) X(PROC_THREAD) \
	X(HTTP_HEADS) X(DNS_PACKETS)

enum sc_counter {
#define X(name) SC_C_##name,
	SC_COUNTER_LIST(X)
#undef X
	SC_COUNTERS
};
#define SC_COUNTERS_MAX 96u
SC_ASSERT(SC_COUNTERS <= SC_COUNTERS_MAX, "counters");

/*
 * One shard. A thread keeps to one (by its thread pointer); sharing is correct, owning is faster. Its second page
 * has the newest system calls only, and is made real with the first of them (sc_header.far_calls).
 *
 * Ring: positions count bytes for ever; a record at position p lies at p % SC_RING_SIZE and never
 * wraps: a SC_REC_PAD record ends each lap. A writer
 *   1. CAS head from h to h+n (acquire on tail), when the memory of [h, h+n) holds nothing unread,
 *   2. stores rec.len = n | SC_LEN_BUSY (release), fills the record,
 *   3. stores rec.len = n (release): the commit.
 * The reader takes records from tail while len is non-zero and not busy, zeroes what it took, and
 * stores tail (release). Memory that holds nothing unread is all zero, so len is 0 until step 2.
 *
 * A lap may end anywhere: of the PAD that ends it only the first 8 bytes are written, and what is
 * behind them is free. When the next lap comes to where the one before is still unread, a second PAD
 * leaps over that, PAD's header included, and head may be up to 2 * SC_RING_SIZE before tail. The
 * reader then takes the old lap, releases it, and only then looks at the new one.
 *
 *	0        tail             PAD                             SC_RING_SIZE
 *	| new PAD>| unread          |>new, goes on here   | free    |
 */
struct sc_shard {
	SC_ATOMIC(uint64_t) head;      /* w: library */
	uint8_t pad0[56];
	SC_ATOMIC(uint64_t) tail;      /* w: reader */
	uint8_t pad1[56];
	SC_ATOMIC(uint64_t) counter[SC_COUNTERS_MAX]; /* w: library */
	SC_ATOMIC(uint64_t) calls[SC_NR_MAX];         /* calls seen by system call number, failed ones too */
	uint8_t pad2[8192 - 128 - 8 * SC_COUNTERS_MAX - 8 * SC_NR_MAX];
};
SC_ASSERT(sizeof(struct sc_shard) == 8192, "sc_shard");
SC_ASSERT(128 + 8 * SC_COUNTERS_MAX + 8 * SC_NEAR_CALLS == 4096, "the first page of a shard");

#define SC_LEN_BUSY 0x80000000u

/* Kind of a descriptor. */
#define SC_KIND_LIST(X) \
	X(NONE, 0) X(FILE, 1) X(DIR, 2) X(PIPE, 3) X(TTY, 4) X(DEVICE, 5) \
	X(TCP, 6) X(UDP, 7) X(UNIX_STREAM, 8) X(UNIX_DGRAM, 9) X(SOCKET_OTHER, 10) X(ANON, 11)

enum sc_kind {
#define X(name, n) SC_KIND_##name = n,
	SC_KIND_LIST(X)
#undef X
};

/* One descriptor. w: library. r: relay. 64 bytes. */
struct sc_fd {
	SC_ATOMIC(uint64_t) object;   /* id of what is open, unique in the channel; 0: nothing known */
	SC_ATOMIC(uint64_t) rx_bytes; /* read or received */
	SC_ATOMIC(uint64_t) tx_bytes; /* written or sent */
	SC_ATOMIC(uint32_t) rx_ops;
	SC_ATOMIC(uint32_t) tx_ops;
	SC_ATOMIC(uint64_t) ticks;    /* TSC ticks spent in reads and writes */
	uint64_t open_tsc;            /* when opened; 0: before the channel */
	SC_ATOMIC(uint16_t) flags;    /* enum sc_fd_flag */
	uint8_t kind;                 /* enum sc_kind */
	uint8_t protocol;             /* enum sc_protocol */
	uint32_t proto_state;         /* index+1 of the connection's framing state, library-private */
	uint64_t reserved;            /* library-private bits */
};
SC_ASSERT(sizeof(struct sc_fd) == 64, "sc_fd");

enum sc_fd_flag {
	SC_FF_CONSOLE = 1,    /* text of writes is recorded as console */
	SC_FF_WATCHED = 2,    /* text of writes is recorded as file */
	SC_FF_SERVER = 4,     /* accepted, or bound: we are the server */
	SC_FF_CLIENT = 8,     /* connected: we are the client */
	SC_FF_CONNECTING = 16,/* non-blocking connect under way */
	SC_FF_LISTEN = 32,
	SC_FF_ANNOUNCED = 64, /* SC_REC_CONN_OPEN was recorded */
	SC_FF_REMOTE_END = 128, /* a receive returned 0 */
	SC_FF_INET6 = 256,
	SC_FF_TLS = 512,      /* plaintext comes from a TLS hook: ciphertext is not parsed */
	SC_FF_FOUND = 1024,   /* open before the channel: learned by fstat */
	SC_FF_NAMED = 2048    /* a SC_REC_OPEN of this channel has its name */
};

enum sc_protocol {
	SC_PROTO_UNKNOWN = 0, SC_PROTO_NONE = 1, SC_PROTO_HTTP1 = 2, SC_PROTO_HTTP2 = 3,
	SC_PROTO_DNS = 4, SC_PROTO_STATSD = 5, SC_PROTO_TLS = 6, SC_PROTO_WEBSOCKET = 7
};

/* Record header, 48 bytes; the payload follows; the whole is a multiple of 8 bytes. */
struct sc_record {
	SC_ATOMIC(uint32_t) len; /* whole record; see struct sc_shard */
	uint16_t type;           /* enum sc_record_type */
	uint16_t flags;          /* enum sc_record_flag */
	uint64_t tsc;            /* when the call returned */
	uint32_t tid;            /* as the process sees it; 0: unknown */
	int32_t fd;              /* -1: none */
	uint64_t object;         /* sc_fd.object; 0: none */
	int64_t ret;             /* result of the call, -errno when it failed */
	uint32_t ticks;          /* duration of the call in TSC ticks, saturated; 0: not measured */
	uint16_t nr;             /* system call number; 0xffff: none */
	uint16_t used;           /* payload bytes used: the record ends in 0…7 bytes of padding */
};
SC_ASSERT(sizeof(struct sc_record) == 48, "sc_record");

enum sc_record_flag {
	SC_RF_CUT = 1,    /* payload is shorter than the data was */
	SC_RF_MORE = 2,   /* the same write goes on in the next record of this thread */
	SC_RF_TX = 4,     /* data sent or written; otherwise received or read */
	SC_RF_TLS = 8,    /* plaintext from a TLS hook */
	SC_RF_SERVER = 16,/* role on this connection */
	SC_RF_CLIENT = 32,
	SC_RF_LATE = 64   /* about something that happened before the channel began */
};

#define SC_RECORD_LIST(X) \
	X(PAD, 1)        /* no data: fills the end of the ring; may be 8 bytes: len, type, flags */ \
	X(OPEN, 2)       /* struct sc_open, then the path */ \
	X(CLOSE, 3)      /* struct sc_close, then the path of a file that no OPEN here names */ \
	X(DELETE, 4)     /* the path */ \
	X(CALL, 5)       /* one call, for metrics one by one and errors: the path or nothing; errno in ret */ \
	X(TEXT, 6)       /* console or file text, fd says which */ \
	X(CONN_OPEN, 7)  /* struct sc_conn */ \
	X(CONN_CLOSE, 8) /* struct sc_conn, then struct sc_close */ \
	X(FORK, 9)       /* ret is the child's pid */ \
	X(EXEC, 10)      /* ret 0 before the call, then the path; again with -errno when it failed */ \
	X(EXIT, 11)      /* struct sc_exit */ \
	X(SAMPLE, 12)    /* struct sc_exit: the process measured itself */ \
	X(NOTE, 13)      /* struct sc_note, then text: what is not seen, and why */ \
	X(HTTP1, 20)     /* struct sc_message, then the head's bytes */ \
	X(HTTP1_END, 21) /* struct sc_message: a body ended whose length its head did not tell, or short of it */ \
	X(HTTP2, 22)     /* struct sc_message, then whole frames; of DATA frames the 9-byte header alone */ \
	X(DNS, 23)       /* one packet */ \
	X(STATSD, 24)    /* lines */ \
	X(RESOLVE, 25)   /* a resolver call: the name. SC_RF_MORE: it begins; else it ended, with ret 0 or the error, \
			  * and ticks; SC_RF_CUT: its caller comes again with more room */ \
	X(PAYLOAD, 26)   /* struct sc_message, then bytes */ \
	X(DETECT, 27)    /* first bytes of a connection in one direction */ \
	X(WEBSOCKET, 28) /* struct sc_message: frames and bytes of one direction since the upgrade */

enum sc_record_type {
#define X(name, n) SC_REC_##name = n,
	SC_RECORD_LIST(X)
#undef X
};

struct sc_open {
	uint32_t flags;  /* O_* as passed */
	uint32_t mode;   /* st_mode, 0: not asked */
	uint32_t uid;    /* owner */
	uint32_t gid;
	int32_t dirfd;   /* of openat; -100: AT_FDCWD */
	uint32_t kind;   /* enum sc_kind */
};
SC_ASSERT(sizeof(struct sc_open) == 24, "sc_open");

struct sc_close {
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	uint32_t rx_ops;
	uint32_t tx_ops;
	uint64_t ticks;      /* in reads and writes */
	uint64_t life_ticks; /* since it was opened */
};
SC_ASSERT(sizeof(struct sc_close) == 40, "sc_close");

struct sc_conn {
	uint16_t family;       /* AF_* */
	uint16_t type;         /* SOCK_* */
	uint16_t local_port;   /* host order */
	uint16_t remote_port;
	uint8_t local[16];     /* IPv4 in the first 4 bytes; AF_UNIX: inode as u64, then peer's */
	uint8_t remote[16];
	uint16_t flags;        /* enum sc_fd_flag */
	uint16_t protocol;     /* IPPROTO_* or 0 */
	uint16_t app;          /* enum sc_protocol; of SC_REC_CONN_CLOSE, else 0 */
	uint16_t reserved;
};
SC_ASSERT(sizeof(struct sc_conn) == 48, "sc_conn");

struct sc_exit {
	int64_t utime_us; /* user time of the process */
	int64_t stime_us;
	uint64_t rss_kib; /* resident now (VmRSS), or the peak when only that is known */
	uint64_t vm_kib;
	uint32_t threads;
	uint32_t fds;
	uint32_t children; /* live children */
	uint32_t flags;
};
SC_ASSERT(sizeof(struct sc_exit) == 48, "sc_exit");

#define SC_NOTE_LIST(X) \
	X(NO_PLAN, 1) X(VERIFY, 2) X(SECCOMP, 3) X(IO_URING, 4) X(STATIC, 5) X(SETUID, 6) \
	X(NO_MEMORY, 7) X(NO_WRITE, 8) X(GO_VERSION, 9) X(OTHER, 10) X(NO_LIBRARY, 11)

enum sc_note_code {
#define X(name, n) SC_NOTE_##name = n,
	SC_NOTE_LIST(X)
#undef X
};

struct sc_note {
	uint32_t code;
	uint32_t arg;
};
SC_ASSERT(sizeof(struct sc_note) == 8, "sc_note");

/*
 * About the bytes of a connection that follow. The addresses are in the SC_REC_CONN_OPEN of the same
 * object, which always comes first. 16 bytes.
 */
struct sc_message {
	uint64_t body;  /* HTTP1, HTTP1_END: body bytes of this message so far; WEBSOCKET: bytes */
	uint32_t skip;  /* bytes missing between what this record has and the next one */
	uint16_t flags; /* enum sc_message_flag */
	uint16_t count; /* WEBSOCKET: frames, saturated */
};
SC_ASSERT(sizeof(struct sc_message) == 16, "sc_message");

enum sc_message_flag {
	SC_MF_END = 1,   /* the body is complete: no SC_REC_HTTP1_END follows */
	SC_MF_SYNC = 2,  /* first record after the connection was joined late or lost */
	SC_MF_SHORT = 4  /* HTTP1_END: the connection ended before the body did */
};

/* ---- hub ---- */

#define SC_DFA_MAX (48u * 1024u)

/*
 * File names whose text is wanted: an unanchored match as a DFA. State 0 is the start; next state =
 * next[state * classes + class_of[byte]]; a state is accepting when bit state of accept is set;
 * matching stops at the first accepting state. The name's final NUL is fed as a byte too: `$` waits for
 * it. states == 0: nothing matches; states == 0xffff:
 * everything matches (the relay decides).
 */
struct sc_dfa {
	uint16_t states;
	uint16_t classes;
	uint32_t reserved;
	uint8_t class_of[256];
	uint8_t accept[128];              /* 1,024 states at most */
	uint16_t next[(SC_DFA_MAX - 392) / 2];
};
SC_ASSERT(sizeof(struct sc_dfa) == SC_DFA_MAX, "sc_dfa");

/* Of sc_hub.sleeping. */
enum sc_relay_sleep {
	SC_RELAY_AWAKE = 0,  /* a pass began after the last ring of the doorbell */
	SC_RELAY_ASLEEP = 1,
	SC_RELAY_RUNG = 2    /* and no pass began since */
};

/* w: launcher or relay, whoever makes the folder. 4096 + SC_DFA_MAX bytes. */
struct sc_hub {
	SC_ATOMIC(uint64_t) magic;     /* SC_HUB_MAGIC, stored last */
	uint16_t major;
	uint16_t minor;
	uint32_t size;                 /* sizeof(struct sc_hub) */
	SC_ATOMIC(uint32_t) doorbell;  /* futex: raised and woken when a ring fills up or a channel is new */
	SC_ATOMIC(uint32_t) sleeping;  /* enum sc_relay_sleep. w: relay, and the library swaps to RUNG before it wakes */
	SC_ATOMIC(uint64_t) relay_beat_ns; /* CLOCK_MONOTONIC of the relay's last pass; wait mode gives up after 2 s */
	SC_ATOMIC(int32_t) relay_pid;  /* 0 with a beat: one was started and is not there yet */
	SC_ATOMIC(uint32_t) refused;   /* w: library. Processes that found too little room for a channel */
	struct sc_control control;     /* copied into each new channel */
	char libscope[512];            /* path for LD_PRELOAD of children */
	char launcher[512];            /* path of `scope`, for static children */
	char plans[512];               /* folder of patch plans */
	uint8_t boot_id[16];           /* w: the first library; the whole folder has the same */
	SC_ATOMIC(uint32_t) boot_id_known;
	SC_ATOMIC(uint32_t) proc_known; /* 1: the first library fills the last two, 2: they are there */
	SC_ATOMIC(uint64_t) launched;  /* w: launcher before its exec. Its pid << 32 | microseconds it has used */
	uint64_t proc_root;            /* which /proc that library has, see sc_info_pid_ns */
	uint64_t proc_pid_ns;          /* the pid namespace of processes that have the same one */
	uint8_t pad0[4096 - 40 - 64 - 3 * 512 - 48];
	struct sc_dfa file_watch;
};
SC_ASSERT(sizeof(struct sc_hub) == 4096 + SC_DFA_MAX, "sc_hub");

#endif
