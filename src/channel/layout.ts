// SPDX-License-Identifier: Apache-2.0
/** channel.h as TypeScript sees it: names typed here, every number from the addon. */
import {addon} from './addon.js';

type Table<Name extends string> = Readonly<Record<Name, number>>;

/** Names of SC_WANT_LIST. */
export type WantName =
  | 'OPEN'
  | 'NET'
  | 'CONSOLE'
  | 'FILE'
  | 'HTTP'
  | 'DNS'
  | 'STATSD'
  | 'PAYLOAD'
  | 'DETECT'
  | 'CALL_ERROR'
  | 'CALL_OPEN'
  | 'CALL_STAT'
  | 'CALL_SEEK'
  | 'CALL_IO'
  | 'PROCESS'
  | 'OPEN_MODE'
  | 'MDNS';
/** Names of SC_LOST_LIST. */
export type LostName = 'FULL' | 'LIMIT' | 'BIG' | 'TORN' | 'MEMORY' | 'BAD';
/** Names of SC_COUNTER_LIST. */
export type CounterName =
  | `FS_${'OPEN' | 'CLOSE' | 'SEEK' | 'STAT' | 'DELETE' | 'OTHER'}`
  | `FS_${'READ' | 'WRITE'}_${'OPS' | 'BYTES' | 'TICKS'}`
  | `FS_ERR_${'OPEN_CLOSE' | 'READ_WRITE' | 'STAT'}`
  | `NET_${'PORT' | 'TCP' | 'UDP' | 'OTHER' | 'OPEN' | 'CLOSE' | 'TICKS' | 'RX_OPS' | 'TX_OPS'}`
  | `NET_${'RX' | 'TX'}_${'INET_TCP' | 'INET_UDP' | 'UNIX_TCP' | 'UNIX_UDP' | 'OTHER'}`
  | `NET_ERR_${'CONNECTION' | 'RX_TX'}`
  | 'DNS_ERR'
  | `CONSOLE_${'BYTES' | 'OPS'}`
  | `PROC_${'FORK' | 'EXEC' | 'THREAD'}`
  | 'HTTP_HEADS'
  | 'DNS_PACKETS';
/** Names of SC_KIND_LIST. */
export type KindName =
  | 'NONE'
  | 'FILE'
  | 'DIR'
  | 'PIPE'
  | 'TTY'
  | 'DEVICE'
  | 'TCP'
  | 'UDP'
  | 'UNIX_STREAM'
  | 'UNIX_DGRAM'
  | 'SOCKET_OTHER'
  | 'ANON';
/** Names of SC_RECORD_LIST. */
export type RecordName =
  | 'PAD'
  | 'OPEN'
  | 'CLOSE'
  | 'DELETE'
  | 'CALL'
  | 'TEXT'
  | 'CONN_OPEN'
  | 'CONN_CLOSE'
  | 'FORK'
  | 'EXEC'
  | 'EXIT'
  | 'SAMPLE'
  | 'NOTE'
  | 'HTTP1'
  | 'HTTP1_END'
  | 'HTTP2'
  | 'DNS'
  | 'STATSD'
  | 'RESOLVE'
  | 'PAYLOAD'
  | 'DETECT'
  | 'WEBSOCKET';
/** Names of SC_NOTE_LIST. */
export type NoteName =
  | 'NO_PLAN'
  | 'VERIFY'
  | 'SECCOMP'
  | 'IO_URING'
  | 'STATIC'
  | 'SETUID'
  | 'NO_MEMORY'
  | 'NO_WRITE'
  | 'GO_VERSION'
  | 'OTHER'
  | 'NO_LIBRARY';
export type StateName = 'EMPTY' | 'LIVE' | 'EXITED' | 'EXEC' | 'DETACHED';
export type FdFlagName =
  | 'CONSOLE'
  | 'WATCHED'
  | 'SERVER'
  | 'CLIENT'
  | 'CONNECTING'
  | 'LISTEN'
  | 'ANNOUNCED'
  | 'REMOTE_END'
  | 'INET6'
  | 'TLS'
  | 'FOUND'
  | 'NAMED';
export type ProtocolName = 'UNKNOWN' | 'NONE' | 'HTTP1' | 'HTTP2' | 'DNS' | 'STATSD' | 'TLS' | 'WEBSOCKET';
export type RecordFlagName = 'CUT' | 'MORE' | 'TX' | 'TLS' | 'SERVER' | 'CLIENT' | 'LATE';
export type HeaderFlagName = 'SECCOMP' | 'IO_URING' | 'GO' | 'STATIC' | 'NO_PLAN';
type LimitName =
  | 'channelSize'
  | 'shards'
  | 'ringSize'
  | 'fds'
  | 'calls'
  | 'recordMax'
  | 'textMax'
  | 'pathMax'
  | 'counters'
  | 'lost'
  | 'major'
  | 'minor';

type ConnField =
  | 'family'
  | 'type'
  | 'local_port'
  | 'remote_port'
  | 'local'
  | 'remote'
  | 'flags'
  | 'protocol'
  | 'app';
type ExitField = 'utime_us' | 'stime_us' | 'rss_kib' | 'vm_kib' | 'threads' | 'fds' | 'children' | 'flags';

/** What the addon hands over. */
export interface Layout {
  enums: {
    want: Table<WantName>;
    lost: Table<LostName>;
    counter: Table<CounterName>;
    kind: Table<KindName>;
    record: Table<RecordName>;
    note: Table<NoteName>;
    state: Table<StateName>;
    mode: Table<'RUN' | 'MUTED'>;
    origin: Table<'LAUNCH' | 'FORK' | 'ATTACH'>;
    headerFlag: Table<HeaderFlagName>;
    fdFlag: Table<FdFlagName>;
    protocol: Table<ProtocolName>;
    recordFlag: Table<RecordFlagName>;
    messageFlag: Table<'END' | 'SYNC' | 'SHORT'>;
  };
  offsets: {
    record: Table<
      'size' | 'len' | 'type' | 'flags' | 'tsc' | 'tid' | 'fd' | 'object' | 'ret' | 'ticks' | 'nr' | 'used'
    >;
    open: Table<'size' | 'flags' | 'mode' | 'uid' | 'gid' | 'dirfd' | 'kind'>;
    close: Table<'size' | 'rx_bytes' | 'tx_bytes' | 'rx_ops' | 'tx_ops' | 'ticks' | 'life_ticks'>;
    conn: Table<'size' | ConnField>;
    exit: Table<'size' | ExitField>;
    note: Table<'size' | 'code' | 'arg'>;
    message: Table<'size' | 'body' | 'skip' | 'flags' | 'count'>;
    dfa: Table<'size' | 'states' | 'classes' | 'class_of' | 'accept' | 'next'>;
    control: Table<
      'size' | 'generation' | 'mode' | 'want' | 'max_per_sec' | 'wait' | 'payload_max' | 'sample_ms'
    >;
    fd: Table<
      | 'size'
      | 'object'
      | 'rx_bytes'
      | 'tx_bytes'
      | 'rx_ops'
      | 'tx_ops'
      | 'ticks'
      | 'open_tsc'
      | 'flags'
      | 'kind'
      | 'protocol'
    >;
  };
  limits: Table<LimitName>;
}

const {enums, offsets, limits} = addon.layout;

/** Bits of what is recorded. */
export const WANT = enums.want;
/** Why a record was not kept; index of Channel.lost(). */
export const LOST = enums.lost;
/** Index of Channel.counters(). */
export const COUNTER = enums.counter;
/** Kind of a descriptor. */
export const KIND = enums.kind;
/** Type of a record. */
export const REC = enums.record;
/** Code of a note. */
export const NOTE = enums.note;
export const STATE = enums.state;
export const MODE = enums.mode;
export const ORIGIN = enums.origin;
export const HEADER_FLAG = enums.headerFlag;
/** Bits of FdEntry.flags and ConnInfo.flags. */
export const FD_FLAG = enums.fdFlag;
/** Protocol of a connection. */
export const PROTOCOL = enums.protocol;
/** Bits of a record's flags. */
export const REC_FLAG = enums.recordFlag;
/** Bits of MessageInfo.flags. */
export const MESSAGE_FLAG = enums.messageFlag;
/** Offsets and sizes of the structs. */
export const OFFSETS = offsets;
/** Sizes and limits of the channel. */
export const LIMITS = limits;
