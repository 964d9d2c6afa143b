// SPDX-License-Identifier: Apache-2.0
/** The process itself: start message, proc.start, and proc.* sampled from /proc while it lives, measured by itself at its end. */
import {type ExitInfo, REC, type RecordCursor} from '../../channel/index.js';
import {type ProcSample, sampleProcess} from '../proc-sample.js';
import type {Image, Source} from './source.js';

/** What the process source needs to know across a restart of the relay. */
export interface ProcessState {
  /** Processor time that was reported already, microseconds. */
  cpuUs: number;
  /** Seconds since the epoch. */
  reportedAt: number;
}

export class ProcessSource implements Source {
  readonly #image: Image;
  #sample: ProcSample | undefined;
  readonly #cpuBefore: () => number;
  #state: ProcessState | undefined;
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
    this.#sample = sampleProcess(channel.hostPid) ?? this.#sample;
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
    } else if (record.type === REC.SAMPLE) this.#sample = fromExit(record.exit());
  }

  report(now: number, final: boolean): void {
    if (!final) this.refresh();
    const sample = this.#sample;
    if (sample === undefined) return;
    const time = final ? (this.#image.process.endTime ?? now) : now;
    const last = this.state;
    const cpu = Math.max(0, sample.cpuUs - last.cpuUs);
    const elapsedUs = Math.max(1, (time - last.reportedAt) * 1e6);
    const percent = Math.round((cpu / elapsedUs) * 1e6) / 1e4;
    const put = (name: string, value: number) => this.#image.sum({name, value, time});
    put('proc.cpu', cpu);
    put('proc.cpu_perc', percent);
    put('proc.mem', sample.rssKib);
    put('proc.thread', sample.threads);
    put('proc.fd', sample.fds);
    put('proc.child', sample.children);
    this.#state = {cpuUs: Math.max(sample.cpuUs, last.cpuUs), reportedAt: time};
  }

  get state(): ProcessState {
    return this.#state ?? {cpuUs: this.#cpuBefore(), reportedAt: this.#image.process.startTime};
  }

  set state(state: ProcessState) {
    this.#state = state;
  }
}

function fromExit(info: ExitInfo): ProcSample {
  return {
    cpuUs: info.utimeUs + info.stimeUs,
    rssKib: info.rssKib,
    threads: info.threads,
    fds: info.fds,
    children: info.children,
  };
}
