// SPDX-License-Identifier: Apache-2.0
/** Loads scope_addon.node and types what it exports. Nothing outside src/channel touches it. */
import {createRequire} from 'node:module';
import {ScopeError} from '../base/errors.js';
import {NATIVE} from '../base/root.js';
import type {Layout} from './layout.js';

/** struct sc_header as the addon reads it. */
export interface NativeHeader {
  pid: number;
  ppid: number;
  uid: number;
  gid: number;
  startTsc: number;
  startTime: number;
  /** CLOCK_MONOTONIC at startTsc, seconds. */
  monotonic: number;
  startCpu: number;
  cpuBefore: number;
  pidNs: number;
  /** One of ORIGIN. */
  origin: number;
  parentStartTsc: number;
  major: number;
  minor: number;
  bootId: string;
}

/** struct sc_info; `env` as NAME=value. */
export interface NativeInfo {
  exe: string;
  name: string;
  host: string;
  cgroup: string;
  libc: string;
  runtime: string;
  machineId: string;
  cwd: string;
  argc: number;
  argv: string[];
  env: string[];
}

/** A channel as found; without header and info when it could not be read. */
export interface NativeChannel {
  key: number;
  name: string;
  pid: number;
  tsc: number;
  owner: number;
  header?: NativeHeader;
  info?: NativeInfo;
}

/** Numbers of NativeFolder.state(), in order. */
export const STATE_FIELDS = 8;
/** Numbers of a control block, in order: mode, want, max_per_sec, wait, payload_max, sample_ms. NaN: left alone. */
export const CONTROL_FIELDS = 6;
/** Numbers per descriptor in NativeFolder.fds(). */
export const FD_FIELDS = 11;
/** Numbers of NativeFolder.stats(). */
export const STATS_FIELDS = 10;

/** Methods answer 0 or -errno where they can fail. */
export interface NativeFolder {
  open(path: string, options: object): number;
  start(wake: () => void): number;
  close(): void;
  scan(): void;
  arrivals(): NativeChannel[];
  /** Fills `out`; the failure's reason if there is one. */
  state(key: number, out: Float64Array): string | undefined;
  counters(key: number, out: Float64Array): void;
  calls(key: number, out: Float64Array): void;
  lost(key: number, out: Float64Array): void;
  fds(key: number): Float64Array;
  /** Key 0: the hub. */
  control(key: number, out: Float64Array): void;
  setControl(key: number, values: Float64Array): void;
  setFileWatch(dfa: Uint8Array): void;
  /**
   * Fills `out` with the next batch and `key[0]` with its channel's key. Its length; 0: there is none; negative: so many bytes
   * are needed.
   */
  next(key: Uint32Array, out: Uint8Array): number;
  commit(): void;
  position(): number;
  release(key: number): boolean;
  stats(out: Float64Array): void;
  endings(): number;
  /** Fills `keys` with those of channels whose losses have changed since they were told; how many. */
  losing(keys: Uint32Array): number;
  /** A path to the channels while the folder is open, when they lie in another mount namespace. */
  far(): string | undefined;
  removeFar(): void;
}

/** What the lines of one image's fs.open and fs.close share, as bytes. */
export interface FileLineParts {
  /** Up to the value of `_channel`, with what every `_channel` of the image begins with. */
  openHead: Buffer;
  /** From there to the value of `_time`. */
  openMiddle: Buffer;
  /** From there to the value of `file`. */
  openTail: Buffer;
  closeHead: Buffer;
  closeMiddle: Buffer;
  closeTail: Buffer;
  /** Behind the path: owner of the process. */
  owner: Buffer;
  /** Whether owner and mode of files are shown. */
  enhance: boolean;
}

/** What the log records of one image's fs.open and fs.close share, as bytes of protobuf. */
export interface FileLogParts {
  /** What comes first in a log record, but for its times. */
  openHead: Buffer;
  closeHead: Buffer;
  /** What every channel of the image begins with. */
  prefix: Buffer;
  /** Attributes of the process, behind the path's. */
  owner: Buffer;
  /** Keys of the attributes that vary, in the order of native/addon/file_logs.h; an empty one is left out. */
  keys: Buffer[];
}

/** A file as NativeFileLines keeps it: see OpenFile in src/relay/sources/source.ts. */
export interface NativeOpenFile {
  path: string;
  kind: number;
  perms: number;
  owner: number;
  group: number;
}

/** Files of an image by object, and the lines of their opens and closes. */
export interface NativeFileLines {
  /**
   * Lines of the opens and closes of a batch from this offset on, one after the other in `out`; `ends[i]` is where the
   * i-th one's line ends, which may be empty; `doubts[i]` is 1 when the path in it may hold a secret. `clock`: see
   * Channel.clock(). With `logs` the log records of the same events, too, observed at this time (microseconds). Answers how
   * many it did: it stops where one of the arrays is full.
   */
  encode(
    batch: Uint8Array,
    from: number,
    clock: Float64Array,
    out: Uint8Array,
    ends: Uint32Array,
    doubts: Uint8Array,
    logs?: Uint8Array,
    logEnds?: Uint32Array,
    observed?: number,
  ): number;
  /** Before encode() is asked for log records. */
  setLogs(parts: FileLogParts): void;
  get(object: number): NativeOpenFile | undefined;
  set(object: number, file: NativeOpenFile): void;
  /** What is open, the longest open first. */
  list(most: number): [number, NativeOpenFile][];
}

export interface Addon {
  readonly layout: Layout;
  readonly unixgram: {
    open(path: string): number;
    send(fd: number, bytes: Uint8Array): number;
    close(fd: number): void;
  };
  readonly Folder: new () => NativeFolder;
  readonly FileLines: {
    new (parts: FileLineParts, parent?: NativeFileLines): NativeFileLines;
    /** What lines end with, by system call number; the last one for all others. */
    setEnds(ends: readonly string[]): void;
    /** The operation as an attribute of a log record, likewise. */
    setOps(ops: readonly Buffer[]): void;
  };
  /** Of bytes `from` to `to`; `soft`: as on machines without the instruction. */
  crc32c(bytes: Uint8Array, from: number, to: number, soft?: boolean): number;
  /** TSC, CLOCK_MONOTONIC and CLOCK_REALTIME (seconds), read together. */
  clock(out: Float64Array): void;
}

function load(): Addon {
  try {
    return createRequire(import.meta.url)(NATIVE.addon) as Addon;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ScopeError(
      'SCOPE_INTERNAL',
      `cannot load ${NATIVE.addon}: ${why} (npm run build:native makes it)`,
      {
        cause,
      },
    );
  }
}

export const addon: Addon = load();
