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

/** Seconds that are summed up into one point. */
export const PERIOD = 10;
const KEPT_PERIODS = 240;
const KEPT_EVENTS = 500;

/** Metrics whose value is a level; they are added up over the processes. */
const LEVELS = new Set([
  'proc.cpu_perc',
  'proc.mem',
  'proc.thread',
  'proc.fd',
  'proc.child',
  'net.port',
  'net.tcp',
  'net.udp',
  'net.other',
]);

interface Period {
  number: number;
  sums: Map<string, number>;
  /** Operations behind a duration: durations are shown as averages. */
  counts: Map<string, number>;
  /** Levels by metric, then by process. */
  levels: Map<string, Map<number, number>>;
}

export class DashModel {
  readonly #periods: Period[] = [];
  readonly #events: {id: number; line: string}[] = [];
  #total = 0;

  addMetric(m: DashMetric): void {
    if (typeof m._value !== 'number') return;
    const period = this.#period(Math.floor(m._time / PERIOD));
    if (!period) return;
    if (LEVELS.has(m._metric)) {
      const byPid = period.levels.get(m._metric) ?? new Map<number, number>();
      byPid.set(Number(m.pid ?? 0), m._value);
      period.levels.set(m._metric, byPid);
      return;
    }
    period.sums.set(m._metric, (period.sums.get(m._metric) ?? 0) + m._value);
    const n = typeof m.numops === 'number' && m.numops > 0 ? m.numops : 1;
    period.counts.set(m._metric, (period.counts.get(m._metric) ?? 0) + n);
  }

  addEvent(id: number, line: string): void {
    this.#events.push({id, line});
    if (this.#events.length > 2 * KEPT_EVENTS) this.#events.splice(0, KEPT_EVENTS);
  }

  set totalEvents(n: number) {
    this.#total = n;
  }

  get totalEvents(): number {
    return this.#total;
  }

  /** The last events, oldest first. */
  events(count: number): {id: number; line: string}[] {
    return count <= 0 ? [] : this.#events.slice(-count);
  }

  /** Sum of a counter in the last period; 0 when it did not come. */
  sum(name: string): number {
    return this.#periods.at(-1)?.sums.get(name) ?? 0;
  }

  rate(name: string): number {
    return this.sum(name) / PERIOD;
  }

  /** Level now, over all processes. */
  level(name: string): number {
    return sumOf(this.#periods.at(-1)?.levels.get(name));
  }

  /** Average of a duration in the last period that had one. */
  average(name: string): number {
    const period = this.#periods.findLast((p) => p.sums.has(name));
    return period ? period.sums.get(name)! / period.counts.get(name)! : 0;
  }

  /** Average of the sum per request, e.g. content length. */
  per(name: string, by: string): number {
    const n = this.sum(by);
    return n === 0 ? 0 : this.sum(name) / n;
  }

  /** Values of the last `count` periods, zeros for what is missing. */
  history(name: string, count: number): number[] {
    const last = this.#periods.at(-1)?.number ?? 0;
    const byNumber = new Map(this.#periods.map((p) => [p.number, p]));
    return Array.from({length: count}, (_, i) => {
      const period = byNumber.get(last - count + 1 + i);
      return LEVELS.has(name) ? sumOf(period?.levels.get(name)) : (period?.sums.get(name) ?? 0);
    });
  }

  /** The period; periods only begin, what comes late goes to its own while it is kept. */
  #period(number: number): Period | undefined {
    const known = this.#periods.findLast((p) => p.number === number);
    if (known) return known;
    const last = this.#periods.at(-1);
    if (last && number < last.number) return undefined;
    this.#periods.push({number, sums: new Map(), counts: new Map(), levels: new Map()});
    if (this.#periods.length > KEPT_PERIODS) this.#periods.shift();
    return this.#periods.at(-1);
  }
}

function sumOf(levels: Map<number, number> | undefined): number {
  let sum = 0;
  for (const v of levels?.values() ?? []) sum += v;
  return sum;
}
