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

/** A number that is known before the summary that will hold it. */
export interface LiveMetric {
  name: string;
  value: number;
  /** Operations behind it. */
  count: number;
  pid: number;
  /** Seconds since the epoch. */
  time: number;
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
  /** Numbers are counted live. */
  live?: {
    /** Since when: less than a period of them is less time, too. */
    since: number;
    /** Processes that lived already: what their next summary says beyond what was counted is of the time before. */
    pids: ReadonlySet<number>;
  };
}

export class DashModel {
  readonly #options: DashOptions;
  readonly #seconds: Second[] = [];
  readonly #levels = new Map<string, Map<number, {value: number; time: number}>>();
  /** When the first summary came of processes that lived before live counting; by pid and name. */
  readonly #firsts = new Map<string, number>();
  /** Counted live, and not yet in a summary; by the same. */
  readonly #ahead = new Map<string, {sum: number; count: number}>();
  readonly #events: {id: number; line: string}[] = [];
  totalEvents = 0;

  constructor(options: DashOptions) {
    this.#options = options;
  }

  addMetric(m: DashMetric): void {
    if (typeof m._value !== 'number') return;
    const pid = Number(m.pid ?? 0);
    if (LEVELS.has(m._metric)) {
      this.#setLevel(m._metric, pid, m._value, m._time);
      return;
    }
    let sum = m._value;
    let count = typeof m.numops === 'number' && m.numops > 0 ? m.numops : 1;
    const key = `${pid} ${m._metric}`;
    const ahead = this.#ahead.get(key);
    const early = this.#isEarly(key, pid, m._time);
    if (ahead !== undefined) {
      const [known, times] = [Math.min(ahead.sum, sum), Math.min(ahead.count, count)];
      sum -= known;
      count -= times;
      ahead.sum -= known;
      ahead.count -= times;
      if (ahead.sum === 0 && ahead.count === 0) this.#ahead.delete(key);
    }
    if (!early) this.#add(m._metric, sum, count, m._time);
  }

  /** Of the first summary of a process that lived already when live counting began. */
  #isEarly(key: string, pid: number, time: number): boolean {
    const {live} = this.#options;
    if (live === undefined || time <= live.since || !live.pids.has(pid)) return false;
    const first = this.#firsts.get(key) ?? time;
    this.#firsts.set(key, first);
    return time === first;
  }

  /** What a summary will say later: it is taken off that again. */
  addLive({name, value, count, pid, time}: LiveMetric): void {
    if (LEVELS.has(name)) {
      this.#setLevel(name, pid, value, time);
      return;
    }
    const key = `${pid} ${name}`;
    const ahead = this.#ahead.get(key);
    if (ahead === undefined) this.#ahead.set(key, {sum: value, count});
    else {
      ahead.sum += value;
      ahead.count += count;
    }
    this.#add(name, value, count, time);
  }

  #add(name: string, sum: number, count: number, time: number): void {
    const second = this.#second(Math.floor(time));
    if (!second) return;
    second.sums.set(name, (second.sums.get(name) ?? 0) + sum);
    second.counts.set(name, (second.counts.get(name) ?? 0) + count);
  }

  #setLevel(name: string, pid: number, value: number, time: number): void {
    const byPid = this.#levels.get(name) ?? new Map<number, {value: number; time: number}>();
    this.#levels.set(name, byPid);
    if (time < (byPid.get(pid)?.time ?? 0)) return;
    byPid.delete(pid);
    byPid.set(pid, {value, time});
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
    const since = this.#options.live?.since ?? Number.NEGATIVE_INFINITY;
    return this.sum(name) / Math.min(PERIOD, Math.max(1, this.#end() - since));
  }

  /** Level now, over the processes that live; of the last process when none does. */
  level(name: string): number {
    const byPid = this.#levels.get(name);
    if (!byPid) return 0;
    let sum = 0;
    let live = 0;
    for (const [pid, {value}] of byPid) {
      if (this.#options.isAlive(pid)) {
        sum += value;
        live += 1;
      } else if (byPid.size > 1) byPid.delete(pid);
    }
    return live > 0 ? sum : ([...byPid.values()].at(-1)?.value ?? 0);
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
