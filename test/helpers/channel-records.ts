// SPDX-License-Identifier: Apache-2.0
/** Makes records as libscope does, by the addon's layout, and a folder of channels in memory to read them from. */
import {
  type Batch,
  type Channel,
  type ChannelFolder,
  COUNTER,
  type Control,
  type FdEntry,
  LOST,
  OFFSETS,
  REC,
} from '../../src/channel/index.js';

export interface RecordFields {
  type: number;
  flags?: number;
  tsc?: number;
  tid?: number;
  fd?: number;
  object?: number;
  ret?: number;
  ticks?: number;
  nr?: number;
  /** Bytes behind the header. */
  payload?: Buffer;
}

/** One record, padded to 8 bytes. */
export function makeRecord(fields: RecordFields): Buffer {
  const {record: R} = OFFSETS;
  const payload = fields.payload ?? Buffer.alloc(0);
  const size = (R.size + payload.length + 7) & ~7;
  const bytes = Buffer.alloc(size);
  bytes.writeUInt32LE(size, R.len);
  bytes.writeUInt16LE(fields.type, R.type);
  bytes.writeUInt16LE(fields.flags ?? 0, R.flags);
  bytes.writeBigUInt64LE(BigInt(fields.tsc ?? 0), R.tsc);
  bytes.writeUInt32LE(fields.tid ?? 1, R.tid);
  bytes.writeInt32LE(fields.fd ?? -1, R.fd);
  bytes.writeBigUInt64LE(BigInt(fields.object ?? 0), R.object);
  bytes.writeBigInt64LE(BigInt(fields.ret ?? 0), R.ret);
  bytes.writeUInt32LE(fields.ticks ?? 0, R.ticks);
  bytes.writeUInt16LE(fields.nr ?? 0xffff, R.nr);
  bytes.writeUInt16LE(payload.length, R.used);
  payload.copy(bytes, R.size);
  return bytes;
}

type Numbers = Readonly<Record<string, number>>;

/** A struct of OFFSETS with 32-bit fields, `wide` ones with 64. */
export function makeStruct(layout: Numbers, values: Numbers, wide: readonly string[] = []): Buffer {
  const bytes = Buffer.alloc(layout.size!);
  for (const [name, value] of Object.entries(values)) {
    if (wide.includes(name)) bytes.writeBigUInt64LE(BigInt(value), layout[name]!);
    else bytes.writeInt32LE(value | 0, layout[name]!);
  }
  return bytes;
}

export const OPENAT = 257;
export const CLOSE = 3;

export function makeOpen(path: string, fields: Partial<RecordFields> & {mode?: number}): Buffer {
  const struct = makeStruct(OFFSETS.open, {mode: fields.mode ?? 0, uid: 0, gid: 0, kind: 1, dirfd: -100});
  const payload = Buffer.concat([struct, Buffer.from(path)]);
  return makeRecord({type: REC.OPEN, nr: OPENAT, ret: fields.fd ?? 3, ...fields, payload});
}

export function closeStruct(values: Numbers): Buffer {
  return makeStruct(OFFSETS.close, values, ['rx_bytes', 'tx_bytes', 'ticks', 'life_ticks']);
}

export function makeClose(values: Numbers, fields: Partial<RecordFields>): Buffer {
  return makeRecord({type: REC.CLOSE, nr: CLOSE, ...fields, payload: closeStruct(values)});
}

export function makeText(text: string | Buffer, fields: Partial<RecordFields>): Buffer {
  return makeRecord({type: REC.TEXT, nr: 1, ...fields, payload: Buffer.from(text)});
}

export interface ConnFields {
  family?: number;
  type?: number;
  local?: readonly number[];
  localPort?: number;
  remote?: readonly number[];
  remotePort?: number;
  flags?: number;
  app?: number;
}

export function connStruct(conn: ConnFields): Buffer {
  const {conn: N} = OFFSETS;
  const bytes = Buffer.alloc(N.size);
  bytes.writeUInt16LE(conn.family ?? 2, N.family);
  bytes.writeUInt16LE(conn.type ?? 1, N.type);
  bytes.writeUInt16LE(conn.localPort ?? 36706, N.local_port);
  bytes.writeUInt16LE(conn.remotePort ?? 18080, N.remote_port);
  Buffer.from(conn.local ?? [127, 0, 0, 1]).copy(bytes, N.local);
  Buffer.from(conn.remote ?? [127, 0, 0, 1]).copy(bytes, N.remote);
  bytes.writeUInt16LE(conn.flags ?? 0, N.flags);
  bytes.writeUInt16LE(conn.app ?? 0, N.app);
  return bytes;
}

export function makeExit(values: Numbers, fields: Partial<RecordFields> = {}): Buffer {
  const struct = makeStruct(OFFSETS.exit, values, ['utime_us', 'stime_us', 'rss_kib', 'vm_kib']);
  return makeRecord({type: REC.EXIT, ...fields, payload: struct});
}

export type MemoryChannel = {-readonly [K in keyof Channel]: Channel[K]} & {
  counter: Float64Array;
  loss: Float64Array;
  table: FdEntry[];
  controls: Partial<Control>[];
};

/** Time of the TSC value 0 of memory channels, seconds since the epoch; one tick is a nanosecond. */
export const EPOCH = 1795375578;

/** A channel whose facts are given; `hostPid` 0: nothing is sampled from /proc. */
export function memoryChannel(key: number, change: Partial<MemoryChannel> = {}): MemoryChannel {
  const counter = new Float64Array(Object.keys(COUNTER).length);
  const loss = new Float64Array(Object.keys(LOST).length);
  const channel: MemoryChannel = {
    key,
    path: `/channels/${key}`,
    header: {
      pid: 30701,
      ppid: 30622,
      uid: 0,
      gid: 0,
      startTsc: key * 1000,
      startTime: EPOCH + 0.5,
      startCpu: 0,
      cpuBefore: 0,
      pidNs: 1,
      origin: 'launch',
      parentStartTsc: 0,
      bootId: '0'.repeat(32),
      major: 1,
      minor: 0,
    },
    info: {
      exe: '/usr/bin/curl',
      name: 'curl',
      host: 'vm',
      cgroup: '/',
      libc: 'glibc 2.36',
      runtime: '',
      machineId: '3d1219c7c4c5404aaa1f6d2a48adfda4',
      cwd: '/',
      argv: ['/usr/bin/curl', '-s', 'http://localhost:18080/1k.txt'],
      argc: 3,
      env: {},
    },
    owner: 0,
    state: 'live',
    hostPid: 0,
    ended: false,
    endedAt: 0,
    drained: false,
    failure: undefined,
    exitCode: undefined,
    flags: 0,
    ack: 0,
    counter,
    loss,
    table: [],
    controls: [],
    counters: () => counter,
    calls: () => new Float64Array(512),
    lost: () => loss,
    fds: () => channel.table,
    control: () => ({muted: false, want: 0, maxPerSec: 0, wait: false, payloadMax: 0, sampleMs: 0}),
    setControl: (part) => channel.controls.push(part),
    seconds: (tsc) => EPOCH + tsc / 1e9,
    clock: (out) => out.set([0, EPOCH, 1e-9, 1]),
    nanoseconds: (ticks) => ticks,
    ...change,
  };
  return channel;
}

export interface MemoryFolder extends ChannelFolder {
  /** Adds a channel. */
  add(channel: MemoryChannel): MemoryChannel;
  /** Records that next() will return. */
  put(channel: MemoryChannel, ...records: Buffer[]): void;
  /** The process is gone; drained with its last record. */
  end(channel: MemoryChannel, exitCode?: number): void;
  readonly released: MemoryChannel[];
}

/** A folder without files: what the pipeline asks of one. */
export function memoryFolder(): MemoryFolder {
  const channels = new Map<number, MemoryChannel>();
  const queue: {channel: MemoryChannel; bytes: Buffer}[] = [];
  const released: MemoryChannel[] = [];
  let taken = 0;
  let endings = 0;
  const losses = new Map<number, number>();
  const settle = () => {
    for (const channel of channels.values()) {
      channel.drained = channel.ended && !queue.some((batch) => batch.channel === channel);
    }
  };
  return {
    dir: '/channels',
    channelDir: '/channels',
    removeFar: () => undefined,
    channels,
    released,
    add(channel) {
      channels.set(channel.key, channel);
      return channel;
    },
    put(channel, ...records) {
      queue.push({channel, bytes: Buffer.concat(records)});
    },
    end(channel, exitCode) {
      channel.ended = true;
      endings += 1;
      channel.state = 'exited';
      channel.exitCode = exitCode;
      channel.endedAt = EPOCH + 9;
      settle();
    },
    start: () => undefined,
    next(): Batch | undefined {
      const batch = queue.shift();
      if (batch !== undefined) taken += batch.bytes.length;
      settle();
      return batch;
    },
    commit: () => undefined,
    get position() {
      return taken;
    },
    scan: () => undefined,
    control: () => ({muted: false, want: 0, maxPerSec: 0, wait: false, payloadMax: 0, sampleMs: 0}),
    setControl: () => undefined,
    setFileWatch: () => undefined,
    release(channel) {
      released.push(channel as MemoryChannel);
      channels.delete(channel.key);
    },
    stats: () => ({
      spooled: 0,
      spoolBytes: 0,
      spoolMax: 0,
      spoolFull: 0,
      records: 0,
      passes: 0,
      orphans: 0,
      spoolError: 0,
      passNs: 0,
      refused: 0,
    }),
    get endings() {
      return endings;
    },
    losing() {
      return [...channels.values()].filter(({key, loss}) => {
        const sum = loss.reduce((a, b) => a + b, 0);
        const before = losses.get(key) ?? 0;
        losses.set(key, sum);
        return sum !== before;
      });
    },
    close: () => undefined,
  };
}
