// SPDX-License-Identifier: Apache-2.0
/** A cursor over the records of a batch: fields as numbers, no allocation per record. */
import {OFFSETS, REC} from './layout.js';

const {record: R, open: O, close: C, conn: N, exit: X, note: T, message: M} = OFFSETS;
const HIGH = 2 ** 32;

/** struct sc_open. */
export interface OpenInfo {
  flags: number;
  mode: number;
  uid: number;
  gid: number;
  dirfd: number;
  /** One of KIND. */
  kind: number;
}
/** struct sc_close. */
export interface CloseInfo {
  rxBytes: number;
  txBytes: number;
  rxOps: number;
  txOps: number;
  ticks: number;
  lifeTicks: number;
}
/** struct sc_conn. */
export interface ConnInfo {
  family: number;
  type: number;
  localPort: number;
  remotePort: number;
  /** The batch, and where in it the addresses begin: 16 bytes each, IPv4 in the first 4; AF_UNIX: inode as u64. */
  bytes: Buffer;
  local: number;
  remote: number;
  /** Bits of FD_FLAG. */
  flags: number;
  protocol: number;
  /** One of PROTOCOL: what was found on the connection until its close. */
  app: number;
}
/** struct sc_exit. */
export interface ExitInfo {
  utimeUs: number;
  stimeUs: number;
  rssKib: number;
  vmKib: number;
  threads: number;
  fds: number;
  children: number;
  flags: number;
}
/** struct sc_note. */
export interface NoteInfo {
  /** One of NOTE. */
  code: number;
  arg: number;
}
/** struct sc_message. */
export interface MessageInfo {
  body: number;
  skip: number;
  /** Bits of MESSAGE_FLAG. */
  flags: number;
  count: number;
}

/** Bytes of the struct that a record type begins with, by type; what follows is text or data. */
function structSizes(): Uint8Array {
  const sizes = new Uint8Array(65536);
  sizes[REC.OPEN] = O.size;
  sizes[REC.CLOSE] = C.size;
  sizes[REC.CONN_OPEN] = N.size;
  sizes[REC.CONN_CLOSE] = N.size + C.size;
  sizes[REC.EXIT] = X.size;
  sizes[REC.SAMPLE] = X.size;
  sizes[REC.NOTE] = T.size;
  for (const type of [REC.HTTP1, REC.HTTP1_END, REC.HTTP2, REC.WEBSOCKET, REC.PAYLOAD]) sizes[type] = M.size;
  return sizes;
}
const STRUCT_SIZE = structSizes();

/**
 * Walks a batch. `reset(bytes)`, then `while (cursor.next())` read the fields. The struct views (`open()`,
 * `conn()` …) return one object per cursor, overwritten by the next call of the same method.
 * The addon has checked that every record lies within the batch and is as long as its type needs.
 */
export class RecordCursor {
  /** One of REC. */
  type = 0;
  /** Bits of REC_FLAG. */
  flags = 0;
  /** When the call returned. */
  tsc = 0;
  tid = 0;
  /** -1: none. */
  fd = -1;
  /** Id of what is open (FdEntry.object); 0: none. */
  object = 0;
  /** Result of the call, -errno when it failed. */
  ret = 0;
  /** Duration of the call; 0: not measured. */
  ticks = 0;
  /** System call number; 0xffff: none. */
  nr = 0xffff;
  /** Payload bytes. */
  used = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;
  #next = 0;
  readonly #open: OpenInfo = {flags: 0, mode: 0, uid: 0, gid: 0, dirfd: 0, kind: 0};
  readonly #close: CloseInfo = {rxBytes: 0, txBytes: 0, rxOps: 0, txOps: 0, ticks: 0, lifeTicks: 0};
  readonly #conn: ConnInfo = {
    family: 0,
    type: 0,
    localPort: 0,
    remotePort: 0,
    bytes: this.#bytes,
    local: 0,
    remote: 0,
    flags: 0,
    protocol: 0,
    app: 0,
  };
  readonly #exit: ExitInfo = {
    utimeUs: 0,
    stimeUs: 0,
    rssKib: 0,
    vmKib: 0,
    threads: 0,
    fds: 0,
    children: 0,
    flags: 0,
  };
  readonly #note: NoteInfo = {code: 0, arg: 0};
  readonly #message: MessageInfo = {body: 0, skip: 0, flags: 0, count: 0};

  /** Start over at the first record of `bytes`. */
  reset(bytes: Buffer): this {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#next = 0;
    return this;
  }

  /** Go to the next record and read its header; false at the end. */
  next(): boolean {
    const at = this.#next;
    const view = this.#view;
    if (at + R.size > view.byteLength) return false;
    this.#next = at + (view.getUint32(at + R.len, true) || R.size);
    this.#at = at + R.size;
    this.type = view.getUint16(at + R.type, true);
    this.flags = view.getUint16(at + R.flags, true);
    this.tsc = view.getUint32(at + R.tsc + 4, true) * HIGH + view.getUint32(at + R.tsc, true);
    this.tid = view.getUint32(at + R.tid, true);
    this.fd = view.getInt32(at + R.fd, true);
    this.object = view.getUint32(at + R.object + 4, true) * HIGH + view.getUint32(at + R.object, true);
    this.ret = view.getInt32(at + R.ret + 4, true) * HIGH + view.getUint32(at + R.ret, true);
    this.ticks = view.getUint32(at + R.ticks, true);
    this.nr = view.getUint16(at + R.nr, true);
    this.used = view.getUint16(at + R.used, true);
    return true;
  }

  /** Where the record begins in the batch. */
  get offset(): number {
    return this.#at - R.size;
  }

  /** What follows the record's struct, as a view of the batch. */
  data(): Buffer {
    const start = this.#at;
    return this.#bytes.subarray(start + STRUCT_SIZE[this.type]!, start + this.used);
  }

  /** Whether these bytes are what follows the record's struct. Word by word: half of what Buffer.compare costs. */
  holds(bytes: DataView): boolean {
    const start = this.#at + STRUCT_SIZE[this.type]!;
    const length = bytes.byteLength;
    if (this.#at + this.used - start !== length) return false;
    const view = this.#view;
    const whole = length & ~3;
    for (let i = 0; i < whole; i += 4) if (view.getUint32(start + i) !== bytes.getUint32(i)) return false;
    for (let i = whole; i < length; i++) if (view.getUint8(start + i) !== bytes.getUint8(i)) return false;
    return true;
  }

  /** What follows the record's struct, as UTF-8 text: the path of an OPEN, the text of a TEXT … */
  text(): string {
    const start = this.#at;
    return this.#bytes.toString('utf8', start + STRUCT_SIZE[this.type]!, start + this.used);
  }

  /** Struct of an OPEN. */
  open(): OpenInfo {
    const at = this.#at;
    const view = this.#view;
    const info = this.#open;
    info.flags = view.getUint32(at + O.flags, true);
    info.mode = view.getUint32(at + O.mode, true);
    info.uid = view.getUint32(at + O.uid, true);
    info.gid = view.getUint32(at + O.gid, true);
    info.dirfd = view.getInt32(at + O.dirfd, true);
    info.kind = view.getUint32(at + O.kind, true);
    return info;
  }

  /** Struct of a CLOSE, or the second one of a CONN_CLOSE. */
  close(): CloseInfo {
    const at = this.#at + (this.type === REC.CONN_CLOSE ? N.size : 0);
    const view = this.#view;
    const info = this.#close;
    info.rxBytes = this.#u64(at + C.rx_bytes);
    info.txBytes = this.#u64(at + C.tx_bytes);
    info.rxOps = view.getUint32(at + C.rx_ops, true);
    info.txOps = view.getUint32(at + C.tx_ops, true);
    info.ticks = this.#u64(at + C.ticks);
    info.lifeTicks = this.#u64(at + C.life_ticks);
    return info;
  }

  /** Struct of a CONN_OPEN or CONN_CLOSE. */
  conn(): ConnInfo {
    const at = this.#at;
    const view = this.#view;
    const info = this.#conn;
    info.family = view.getUint16(at + N.family, true);
    info.type = view.getUint16(at + N.type, true);
    info.localPort = view.getUint16(at + N.local_port, true);
    info.remotePort = view.getUint16(at + N.remote_port, true);
    info.bytes = this.#bytes;
    info.local = at + N.local;
    info.remote = at + N.remote;
    info.flags = view.getUint16(at + N.flags, true);
    info.protocol = view.getUint16(at + N.protocol, true);
    info.app = view.getUint16(at + N.app, true);
    return info;
  }

  /** Struct of an EXIT or SAMPLE. */
  exit(): ExitInfo {
    const at = this.#at;
    const view = this.#view;
    const info = this.#exit;
    info.utimeUs = this.#u64(at + X.utime_us);
    info.stimeUs = this.#u64(at + X.stime_us);
    info.rssKib = this.#u64(at + X.rss_kib);
    info.vmKib = this.#u64(at + X.vm_kib);
    info.threads = view.getUint32(at + X.threads, true);
    info.fds = view.getUint32(at + X.fds, true);
    info.children = view.getUint32(at + X.children, true);
    info.flags = view.getUint32(at + X.flags, true);
    return info;
  }

  /** Struct of a NOTE. */
  note(): NoteInfo {
    this.#note.code = this.#view.getUint32(this.#at + T.code, true);
    this.#note.arg = this.#view.getUint32(this.#at + T.arg, true);
    return this.#note;
  }

  /** Struct of an HTTP1, HTTP1_END, HTTP2, WEBSOCKET or PAYLOAD. */
  message(): MessageInfo {
    const at = this.#at;
    const view = this.#view;
    const info = this.#message;
    info.body = this.#u64(at + M.body);
    info.skip = view.getUint32(at + M.skip, true);
    info.flags = view.getUint16(at + M.flags, true);
    info.count = view.getUint16(at + M.count, true);
    return info;
  }

  #u64(at: number): number {
    return this.#view.getUint32(at + 4, true) * HIGH + this.#view.getUint32(at, true);
  }
}
