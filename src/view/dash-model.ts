// SPDX-License-Identifier: Apache-2.0
/** The numbers of the dashboard: metrics summed by period, gauges by process, the last events. */

/** What the dashboard reads of a metric line. */
export interface DashMetric {
  _metric: string;
  _metric_type: string;
  _value: number | string;
  _time: number;
  pid?: number;
  [field: string]: unknown;
}

/** Numbers are of the last so many seconds: each process reports once in this time. */
export const PERIOD = 10;
/** Seconds kept for the sparklines. */
const KEPT = 2400;
const KEPT_EVENTS = 500;

/** Metrics whose value is a level; they are added up over the processes. */
const LEVELS = new Set([
  'proc.mem',
  'proc.thread',
  'proc.fd',
  'proc.child',
  'net.port',
  'net.tcp',
  'net.udp',
  'net.other',
]);

/** What was reported in one second. */
interface Second {
  at: number;
  sums: Map<string, number>;
  /** Operations behind a duration: durations are shown as averages. */
  counts: Map<string, number>;
}

export interface DashOptions {
  /** Whether a process lives: the last report of one that ended is no level any more. */
  isAlive: (pid: number) => boolean;
  /** Seconds since the epoch; undefined: the time of the newest report (a session that has ended). */
  now: () => number | undefined;
}

export class DashModel {
  readonly #options: DashOptions;
  readonly #seconds: Second[] = [];
  readonly #levels = new Map<string, Map<number, number>>();
  readonly #events: {id: number; line: string}[] = [];
  totalEvents = 0;

  constructor(options: DashOptions) {
    this.#options = options;
  }

  addMetric(m: DashMetric): void {
    if (typeof m._value !== 'number') return;
    if (LEVELS.has(m._metric)) {
      const byPid = this.#levels.get(m._metric) ?? new Map<number, number>();
      const pid = Number(m.pid ?? 0);
      byPid.delete(pid);
      byPid.set(pid, m._value);
      this.#levels.set(m._metric, byPid);
      return;
    }
    const second = this.#second(Math.floor(m._time));
    if (!second) return;
    second.sums.set(m._metric, (second.sums.get(m._metric) ?? 0) + m._value);
    const n = typeof m.numops === 'number' && m.numops > 0 ? m.numops : 1;
    second.counts.set(m._metric, (second.counts.get(m._metric) ?? 0) + n);
  }

  /** Whether any summary has come; proc.start comes before. */
  get hasNumbers(): boolean {
    return this.#levels.size > 0;
  }

  addEvent(id: number, line: string): void {
    this.#events.push({id, line});
    if (this.#events.length > 2 * KEPT_EVENTS) this.#events.splice(0, KEPT_EVENTS);
  }

  /** The last events, oldest first. */
  events(count: number): {id: number; line: string}[] {
    return count <= 0 ? [] : this.#events.slice(-count);
  }

  /** Sum of a counter over the last period. */
  sum(name: string): number {
    return this.#total((s) => s.sums.get(name), this.#end(), PERIOD);
  }

  rate(name: string): number {
    return this.sum(name) / PERIOD;
  }

  /** Level now, over the processes that live; of the last process when none does. */
  level(name: string): number {
    const byPid = this.#levels.get(name);
    if (!byPid) return 0;
    let sum = 0;
    let live = 0;
    for (const [pid, value] of byPid) {
      if (this.#options.isAlive(pid)) {
        sum += value;
        live += 1;
      } else if (byPid.size > 1) byPid.delete(pid);
    }
    return live > 0 ? sum : ([...byPid.values()].at(-1) ?? 0);
  }

  /** Average of a duration over the last period. */
  average(name: string): number {
    const n = this.#total((s) => s.counts.get(name), this.#end(), PERIOD);
    return n === 0 ? 0 : this.sum(name) / n;
  }

  /** Average of a sum per operation of another counter, e.g. content length by request. */
  per(name: string, by: string): number {
    const n = this.sum(by);
    return n === 0 ? 0 : this.sum(name) / n;
  }

  /** Sums of the last `count` periods, the newest last. */
  history(name: string, count: number): number[] {
    const end = this.#end();
    const sums = new Array<number>(count).fill(0);
    for (const second of this.#seconds) {
      const back = Math.floor((end - second.at) / PERIOD);
      if (back >= 0 && back < count) sums[count - 1 - back]! += second.sums.get(name) ?? 0;
    }
    return sums;
  }

  #end(): number {
    return Math.floor(this.#options.now() ?? this.#seconds.at(-1)?.at ?? 0);
  }

  #total(value: (s: Second) => number | undefined, end: number, length: number): number {
    let sum = 0;
    for (let i = this.#seconds.length - 1; i >= 0; i--) {
      const second = this.#seconds[i]!;
      if (second.at <= end - length) break;
      if (second.at <= end) sum += value(second) ?? 0;
    }
    return sum;
  }

  /** The second's sums; what comes late goes to its own while it is kept. */
  #second(at: number): Second | undefined {
    let i = this.#seconds.length;
    while (i > 0 && this.#seconds[i - 1]!.at > at) i -= 1;
    const known = this.#seconds[i - 1];
    if (known?.at === at) return known;
    if (i === 0 && this.#seconds.length >= KEPT) return undefined;
    const fresh: Second = {at, sums: new Map(), counts: new Map()};
    this.#seconds.splice(i, 0, fresh);
    if (this.#seconds.length > KEPT) this.#seconds.shift();
    return fresh;
  }
}
