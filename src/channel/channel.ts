// SPDX-License-Identifier: Apache-2.0
/** One channel: typed views over what the addon reads from its mapping. */
import {join} from 'node:path';
import {CONTROL_FIELDS, FD_FIELDS, type NativeChannel, type NativeFolder, STATE_FIELDS} from './addon.js';
import {readControl, writeControl} from './control.js';
import {LIMITS, ORIGIN, STATE} from './layout.js';
import {TscClock} from './tsc-clock.js';
import type {
  Channel,
  ChannelHeader,
  ChannelInfo,
  ChannelOrigin,
  ChannelState,
  Control,
  FdEntry,
} from './types.js';

const STATES: Record<number, ChannelState> = {
  [STATE.EMPTY]: 'empty',
  [STATE.LIVE]: 'live',
  [STATE.EXITED]: 'exited',
  [STATE.EXEC]: 'exec',
  [STATE.DETACHED]: 'detached',
};
const ORIGINS: Record<number, ChannelOrigin> = {
  [ORIGIN.LAUNCH]: 'launch',
  [ORIGIN.FORK]: 'fork',
  [ORIGIN.ATTACH]: 'attach',
};

/** Order of the numbers of NativeFolder.state(). */
enum At {
  State = 0,
  Ended = 1,
  EndedAt = 2,
  HostPid = 3,
  Drained = 4,
  ExitCode = 5,
  Flags = 6,
  Ack = 7,
}

function headerOf(found: NativeChannel): ChannelHeader {
  const {
    monotonic: _,
    origin,
    ...rest
  } = found.header ?? {
    pid: found.pid,
    ppid: 0,
    uid: found.owner,
    gid: 0,
    startTsc: found.tsc,
    startTime: 0,
    monotonic: 0,
    startCpu: 0,
    cpuBefore: 0,
    pidNs: 0,
    origin: ORIGIN.LAUNCH,
    parentStartTsc: 0,
    major: 0,
    minor: 0,
    bootId: '',
  };
  return {...rest, origin: ORIGINS[origin] ?? 'launch'};
}

function infoOf(found: NativeChannel): ChannelInfo {
  if (!found.info) {
    const none = {exe: '', name: '', host: '', cgroup: '', libc: '', runtime: '', machineId: '', cwd: ''};
    return {...none, argc: 0, argv: [], env: {}};
  }
  const env: Record<string, string> = {};
  for (const line of found.info.env) {
    const equals = line.indexOf('=');
    if (equals > 0) env[line.slice(0, equals)] = line.slice(equals + 1);
  }
  return {...found.info, env};
}

/** Channel over a NativeFolder; after release() or close() its last state stays readable. */
export class MappedChannel implements Channel {
  readonly key: number;
  readonly path: string;
  readonly header: ChannelHeader;
  readonly info: ChannelInfo;
  readonly owner: number;
  readonly #native: NativeFolder;
  readonly #state = new Float64Array(STATE_FIELDS);
  readonly #counters = new Float64Array(LIMITS.counters);
  readonly #calls = new Float64Array(LIMITS.calls);
  readonly #lost = new Float64Array(LIMITS.lost);
  readonly #clock: TscClock;
  #failure: string | undefined;
  #open = true;

  constructor(native: NativeFolder, dir: string, found: NativeChannel, bootId: string) {
    this.#native = native;
    this.key = found.key;
    this.path = join(dir, found.name);
    this.header = headerOf(found);
    this.info = infoOf(found);
    this.owner = found.owner;
    const start = {
      tsc: this.header.startTsc,
      monotonic: found.header?.monotonic ?? 0,
      real: this.header.startTime,
    };
    this.#clock = new TscClock(start, found.header !== undefined && this.header.bootId === bootId);
  }

  get state(): ChannelState {
    return STATES[this.#look(At.State)] ?? 'empty';
  }
  get hostPid(): number {
    return this.#look(At.HostPid);
  }
  get ended(): boolean {
    return this.#look(At.Ended) !== 0;
  }
  get endedAt(): number {
    return this.#look(At.EndedAt);
  }
  get drained(): boolean {
    return this.#look(At.Drained) !== 0;
  }
  get failure(): string | undefined {
    this.#look(At.State);
    return this.#failure;
  }
  get exitCode(): number | undefined {
    return this.state === 'exited' ? this.#state[At.ExitCode] : undefined;
  }
  get flags(): number {
    return this.#look(At.Flags);
  }
  get ack(): number {
    return this.#look(At.Ack);
  }

  counters(): Float64Array {
    if (this.#open) this.#native.counters(this.key, this.#counters);
    return this.#counters;
  }

  calls(): Float64Array {
    if (this.#open) this.#native.calls(this.key, this.#calls);
    return this.#calls;
  }

  lost(): Float64Array {
    if (this.#open) this.#native.lost(this.key, this.#lost);
    return this.#lost;
  }

  fds(): FdEntry[] {
    const entries: FdEntry[] = [];
    if (!this.#open) return entries;
    const n = this.#native.fds(this.key);
    for (let i = 0; i < n.length; i += FD_FIELDS) {
      entries.push({
        fd: n[i]!,
        object: n[i + 1]!,
        rxBytes: n[i + 2]!,
        txBytes: n[i + 3]!,
        rxOps: n[i + 4]!,
        txOps: n[i + 5]!,
        ticks: n[i + 6]!,
        openTsc: n[i + 7]!,
        flags: n[i + 8]!,
        kind: n[i + 9]!,
        protocol: n[i + 10]!,
      });
    }
    return entries;
  }

  control(): Control {
    const values = new Float64Array(CONTROL_FIELDS);
    if (this.#open) this.#native.control(this.key, values);
    return readControl(values);
  }

  setControl(change: Partial<Control>): void {
    if (this.#open) this.#native.setControl(this.key, writeControl(change));
  }

  seconds(tsc: number): number {
    return this.#clock.seconds(tsc);
  }

  clock(out: Float64Array): void {
    this.#clock.line(out);
  }

  nanoseconds(ticks: number): number {
    return this.#clock.nanoseconds(ticks);
  }

  /** Takes a last look and lets go of the mapping. For the folder. */
  detach(): void {
    this.#look(At.State);
    this.counters();
    this.calls();
    this.lost();
    this.#open = false;
  }

  /** Takes detach() back. For the folder. */
  attach(): void {
    this.#open = true;
  }

  #look(field: At): number {
    if (this.#open) this.#failure = this.#native.state(this.key, this.#state);
    return this.#state[field]!;
  }
}
