// SPDX-License-Identifier: Apache-2.0
/** What the reading half of the channel offers: a folder of channels, batches of records, control. */

/** State of a process image as the library wrote it. */
export type ChannelState = 'empty' | 'live' | 'exited' | 'exec' | 'detached';

/** How a process came to be observed. */
export type ChannelOrigin = 'launch' | 'fork' | 'attach';

/** The control block: what the library records. Written live; `want` holds bits of `WANT`. */
export interface Control {
  /** A muted library returns at once from every hook: nothing recorded, nothing counted. */
  muted: boolean;
  /** Bits of WANT. */
  want: number;
  /** Records of one channel per second; 0: no limit. */
  maxPerSec: number;
  /** A full ring waits for the relay (as long as one is alive) instead of dropping. */
  wait: boolean;
  /** Bytes captured per connection and direction; 0: all. */
  payloadMax: number;
  /** The library samples itself each so many milliseconds; 0: never. For processes we cannot see in /proc. */
  sampleMs: number;
}

/** Fixed facts of a process image (struct sc_header), read once. */
export interface ChannelHeader {
  /** As the process sees itself. */
  pid: number;
  ppid: number;
  uid: number;
  gid: number;
  startTsc: number;
  /** Seconds since the epoch. */
  startTime: number;
  /** Processor time that the process had used at the start, seconds. */
  startCpu: number;
  /** Of it, what the launcher used before it became this image. */
  cpuBefore: number;
  /** Inode of the pid namespace; 0: unknown. */
  pidNs: number;
  origin: ChannelOrigin;
  /** start_tsc of the parent's channel when forked, else 0. */
  parentStartTsc: number;
  /** Lower-case hex, 32 digits. */
  bootId: string;
  major: number;
  minor: number;
}

/** Strings of a process image (struct sc_info). */
export interface ChannelInfo {
  exe: string;
  name: string;
  host: string;
  cgroup: string;
  libc: string;
  runtime: string;
  machineId: string;
  cwd: string;
  /** Cut when longer than 4 KiB. */
  argv: string[];
  /** Number of arguments, also of those cut off. */
  argc: number;
  env: Record<string, string>;
}

/** One descriptor of a process, from its table. */
export interface FdEntry {
  fd: number;
  /** Id of what is open, unique in the channel: ties records and entries together. */
  object: number;
  rxBytes: number;
  txBytes: number;
  rxOps: number;
  txOps: number;
  /** TSC ticks spent in reads and writes. */
  ticks: number;
  /** 0: opened before the channel. */
  openTsc: number;
  /** Bits of FD_FLAG. */
  flags: number;
  /** One of KIND. */
  kind: number;
  /** One of PROTOCOL. */
  protocol: number;
}

/** One process image. */
export interface Channel {
  /** Unique for this ChannelFolder; never used again. */
  readonly key: number;
  readonly path: string;
  readonly header: ChannelHeader;
  readonly info: ChannelInfo;
  /** Owner of the file, from the kernel: the one uid that cannot be forged. */
  readonly owner: number;
  readonly state: ChannelState;
  /** The pid in our own pid namespace, for /proc; 0: not visible from here. */
  readonly hostPid: number;
  /** The process is gone, or went on as another image after exec. */
  readonly ended: boolean;
  /** Seconds since the epoch when `ended` was noticed; 0: lives. */
  readonly endedAt: number;
  /** Ended and every record it left was returned by ChannelFolder.next(). */
  readonly drained: boolean;
  /** Why the channel was given up (torn, truncated, hostile …); undefined: it was not. */
  readonly failure: string | undefined;
  /** Argument of exit_group once the state is `exited`, else undefined. */
  readonly exitCode: number | undefined;
  /** Bits of HEADER_FLAG (now: a seccomp filter or io_uring can come later). */
  readonly flags: number;
  /** Generation of the control block that the library has last seen. */
  readonly ack: number;
  /** Counters by COUNTER, summed over the shards; the array is reused by the next call on this channel. */
  counters(): Float64Array;
  /** Calls seen by system call number, summed over the shards; reused like counters(). */
  calls(): Float64Array;
  /** Records lost by LOST; reused like counters(). */
  lost(): Float64Array;
  /** Descriptors now open, ascending, those ≥ 1024 too. */
  fds(): FdEntry[];
  control(): Control;
  setControl(change: Partial<Control>): void;
  /** A TSC value of this machine as seconds since the epoch. */
  seconds(tsc: number): number;
  /** How seconds() and nanoseconds() convert now: a TSC, its time, seconds per tick, nanoseconds of duration per tick. */
  clock(out: Float64Array): void;
  /** Duration in TSC ticks as nanoseconds. */
  nanoseconds(ticks: number): number;
}

/**
 * Whole records of one channel, back to back, ascending by tsc; records of one thread are in order across batches
 * too. The bytes are good until the next call of next().
 */
export interface Batch {
  readonly channel: Channel;
  readonly bytes: Buffer;
}

/** Paths and tables a hub is made with. */
export interface HubOptions {
  /** Make the folder (0700) and the hub when absent. */
  create?: boolean;
  /** Control block for new channels; fields not given keep their value (new hub: everything but payloads, detection and single calls). */
  control?: Partial<Control>;
  /** libscope.so for children of static processes. */
  library?: string;
  /** `scope`, for static children. */
  launcher?: string;
  /** Folder of the patch plans. */
  plans?: string;
  /** File names whose text is wanted: bytes of a struct sc_dfa. */
  fileWatch?: Uint8Array;
}

export interface FolderOptions extends HubOptions {
  /** Most bytes of the spool; default 256 MiB. Beyond it records stay in the rings and the library counts FULL, or waits. */
  spoolMax?: number;
  /**
   * Go on from this position instead of the last commit(). A consumer that stores `position` in the same
   * transaction as its output gets every record exactly once across kill -9.
   */
  from?: number;
  /** Channels of processes we cannot see end after so many quiet seconds; default a day. */
  quietSeconds?: number;
  /** Where hub and channels lie in another mount namespace: the line that `scope attach` left in the session. */
  far?: string;
}

export interface FolderStats {
  /** Bytes in the spool that next() has not returned. */
  spooled: number;
  /** Bytes the spool holds on tmpfs. */
  spoolBytes: number;
  spoolMax: number;
  /** Passes that found the spool full. */
  spoolFull: number;
  /** Records copied out of rings since open. */
  records: number;
  /** Passes of the drain thread since open. */
  passes: number;
  /** Batches in the spool whose channel file is gone: their records cannot be attributed. */
  orphans: number;
  /** errno of the last failed spool allocation, 0: none. */
  spoolError: number;
  /** Nanoseconds of the last pass over all channels that found nothing. */
  passNs: number;
  /** Processes that found too little room for a channel; those that may only read the hub are not in it. */
  refused: number;
}

/** A folder of channels. Reading counters and control needs no start(); taking records does. */
export interface ChannelFolder {
  readonly dir: string;
  /** Known channels by key; kept up to date by next(), scan() and the wake callback. */
  readonly channels: ReadonlyMap<number, Channel>;
  /**
   * Become the folder's one reader and start the drain thread. `onWake` is called on the event loop when there is
   * something to take or a channel came or ended; it does not keep Node alive.
   * Throws ScopeError SCOPE_CHANNEL_INVALID when another living process reads this folder.
   */
  start(onWake: () => void): void;
  /** The next records (all rings of a channel at most, 4 MiB), or undefined when there are none now. */
  next(): Batch | undefined;
  /** Everything taken so far is kept by the caller: the spool forgets it. */
  commit(): void;
  /** How far next() came: store it with your output, give it back as `from`. */
  readonly position: number;
  /** Look for new channels now. */
  scan(): void;
  control(): Control;
  /** Change the hub (new channels) and every living channel. */
  setControl(change: Partial<Control>): void;
  /** Replace the hub's file watch: bytes of a struct sc_dfa. */
  setFileWatch(dfa: Uint8Array): void;
  /** Forget an ended and drained channel: unmapped, and unlinked as soon as its records are committed. */
  release(channel: Channel): void;
  stats(): FolderStats;
  /**
   * Raised when a channel is known to have nothing more to give but what is in the spool: as long as it is the same, no other
   * channel becomes `drained` than those that had `ended`.
   */
  readonly endings: number;
  /** Channels whose losses have changed since the last call, perhaps not all at once. */
  losing(): Channel[];
  /** Where the channels are, while it is open: `dir`, or a path into another mount namespace. */
  readonly channelDir: string;
  /** Removes the channels' folder in another mount namespace; nothing when they are in `dir`. */
  removeFar(): void;
  /** Stop the thread (bounded), unmap. Safe twice. What was not committed stays for the next reader. */
  close(): void;
}
