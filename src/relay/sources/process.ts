// SPDX-License-Identifier: Apache-2.0
/** The process itself: start message, proc.start, and proc.* sampled from /proc while it lives, measured by itself at its end. */
import {availableParallelism} from 'node:os';
import {type ExitInfo, REC, type RecordCursor} from '../../channel/index.js';
import type {MetricPart} from '../../records/types.js';
import {type ProcSample, sampleProcess} from '../proc-sample.js';
import type {Image, Source} from './source.js';

/** What the process source needs to know across a restart of the relay. */
export interface ProcessState {
  /** Processor time that was reported already, microseconds. */
  cpuUs: number;
  /** Of it, user time; undefined: an earlier image reported it. */
  userUs?: number;
  /** Seconds since the epoch. */
  reportedAt: number;
}

export class ProcessSource implements Source {
  readonly #image: Image;
  #sample: ProcSample | undefined;
  #sampledAt: number | undefined;
  readonly #cpuBefore: () => number;
  #state: ProcessState | undefined;
  /** report() was called. */
  hasReported = false;
  /** The image ended by itself and said how it was. */
  #exited = false;

  /** `cpuBefore`: what the images before this one in the same process have reported, asked at the first report. */
  constructor(image: Image, cpuBefore: () => number = () => 0) {
    this.#image = image;
    this.#cpuBefore = cpuBefore;
    this.refresh();
  }

  static types(): readonly number[] {
    return [REC.EXIT, REC.SAMPLE];
  }

  /** Takes a sample, if the process can be seen. */
  refresh(): void {
    const {channel} = this.#image;
    if (this.#exited || channel.hostPid === 0 || channel.state !== 'live') return;
    const sample = sampleProcess(channel.hostPid);
    if (sample === undefined) return;
    this.#sample = sample;
    this.#sampledAt = undefined;
  }

  /** proc.start: a fresh image's first metric. */
  begin(): void {
    const {process} = this.#image;
    this.#image.sum({
      name: 'proc.start',
      value: 1,
      time: process.startTime,
      attributes: {
        gid: process.gid,
        groupname: process.groupname,
        uid: process.uid,
        username: process.username,
        args: process.cmd,
      },
    });
  }

  record(record: RecordCursor): void {
    if (record.type === REC.EXIT) {
      this.#sample = fromExit(record.exit());
      this.#exited = true;
      this.#image.process.endTime = this.#image.time(record);
    } else if (record.type === REC.SAMPLE) {
      this.#sample = fromExit(record.exit());
      this.#sampledAt = this.#image.time(record);
    }
  }

  report(now: number, final: boolean): void {
    this.hasReported = true;
    if (!final) this.refresh();
    const sample = this.#sample;
    if (sample === undefined) return;
    const time = final ? (this.#image.process.endTime ?? now) : now;
    const last = this.state;
    const cpu = Math.max(0, sample.cpuUs - last.cpuUs);
    // Before an exec it measures itself: the end is seen later.
    const until = final && !this.#exited ? (this.#sampledAt ?? time) : time;
    const elapsedUs = Math.max(1, (until - last.reportedAt) * 1e6);
    const percent = Math.round((cpu / elapsedUs) * 1e6) / 1e4;
    const user = userShare(sample, last, cpu);
    const put = (name: string, value: number, parts?: MetricPart[]) =>
      this.#image.sum({name, value, time, ...(parts && {parts})});
    put('proc.cpu', cpu, modes(user, cpu - user));
    const perCpu = cpu === 0 ? 0 : percent / cpu / availableParallelism();
    put('proc.cpu_perc', percent, modes(user * perCpu, (cpu - user) * perCpu));
    put('proc.mem', sample.rssKib, [
      {attributes: {}, value: sample.rssKib},
      {name: 'proc.mem.virtual', attributes: {}, value: sample.vmKib},
    ]);
    put('proc.thread', sample.threads);
    put('proc.fd', sample.fds);
    put('proc.child', sample.children);
    this.#state = {
      cpuUs: Math.max(sample.cpuUs, last.cpuUs),
      userUs: Math.max(sample.userUs, last.userUs ?? 0),
      reportedAt: time,
    };
  }

  get state(): ProcessState {
    if (this.#state !== undefined) return this.#state;
    const {origin, startCpu, cpuBefore} = this.#image.channel.header;
    const before = Math.round((origin === 'attach' ? startCpu : cpuBefore) * 1e6);
    const cpuUs = Math.max(this.#cpuBefore(), before);
    // Until its channel was made it ran at least for as long as it used the processor: it had one thread.
    const reportedAt = this.#image.process.startTime - Math.max(0, startCpu - cpuUs / 1e6);
    return {cpuUs, ...(cpuUs === 0 ? {userUs: 0} : {}), reportedAt};
  }

  set state(state: ProcessState) {
    this.#state = state;
  }
}

/** User time of the last `cpu` microseconds; by the proportion of the whole where the beginning is not known. */
function userShare(sample: ProcSample, last: ProcessState, cpu: number): number {
  if (last.userUs !== undefined) return Math.min(cpu, Math.max(0, sample.userUs - last.userUs));
  return sample.cpuUs === 0 ? 0 : Math.round((cpu * sample.userUs) / sample.cpuUs);
}

function modes(user: number, system: number): MetricPart[] {
  return [
    {attributes: {'cpu.mode': 'user'}, value: user},
    {attributes: {'cpu.mode': 'system'}, value: system},
  ];
}

function fromExit(info: ExitInfo): ProcSample {
  return {
    cpuUs: info.utimeUs + info.stimeUs,
    userUs: info.utimeUs,
    rssKib: info.rssKib,
    vmKib: info.vmKib,
    threads: info.threads,
    fds: info.fds,
    children: info.children,
  };
}
