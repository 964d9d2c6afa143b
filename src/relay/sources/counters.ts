// SPDX-License-Identifier: Apache-2.0
/**
 * Sums per period, by difference of the counters in the channel. Counters never lose, so that what a full ring lost of
 * single records still shows here at the end of the process.
 */
import {COUNTER, LOST} from '../../channel/index.js';
import type {CounterName} from '../../channel/layout.js';
import type {Attributes, Buckets, MetricPart} from '../../records/types.js';
import {type Image, type Source, singleKey} from './source.js';

type Row = [name: string, counter: CounterName, attributes?: Attributes];

const CLASSES = ['inet_tcp', 'inet_udp', 'unix_tcp', 'unix_udp', 'other'] as const;
const perClass = (name: string, way: 'RX' | 'TX'): Row[] =>
  CLASSES.map((kind) => [name, `NET_${way}_${kind.toUpperCase()}` as CounterName, {class: kind}]);

/** Counters in the order they are reported. */
const SUMS: readonly Row[] = [
  ['fs.read', 'FS_READ_BYTES'],
  ['fs.write', 'FS_WRITE_BYTES'],
  ...perClass('net.rx', 'RX'),
  ...perClass('net.tx', 'TX'),
  ['fs.seek', 'FS_SEEK'],
  ['fs.stat', 'FS_STAT'],
  ['fs.open', 'FS_OPEN'],
  ['fs.close', 'FS_CLOSE'],
  ['fs.delete', 'FS_DELETE'],
];
const GAUGES: readonly Row[] = [
  ['net.port', 'NET_PORT'],
  ['net.tcp', 'NET_TCP'],
  ['net.udp', 'NET_UDP'],
  ['net.other', 'NET_OTHER'],
];
const CONNECTIONS: readonly Row[] = [
  ['net.open', 'NET_OPEN'],
  ['net.close', 'NET_CLOSE'],
];
const ERRORS: readonly Row[] = [
  ['net.error', 'NET_ERR_CONNECTION', {class: 'connection'}],
  ['net.error', 'NET_ERR_RX_TX', {class: 'rx_tx'}],
  ['net.error', 'DNS_ERR', {class: 'dns'}],
  ['fs.error', 'FS_ERR_OPEN_CLOSE', {class: 'open_close'}],
  ['fs.error', 'FS_ERR_READ_WRITE', {class: 'read_write'}],
  ['fs.error', 'FS_ERR_STAT', {class: 'stat'}],
];

/** Of operations whose sum alone is known. */
function meanBuckets(sum: number, count: number): Buckets {
  const value = Math.round((sum / count) * 1000) / 1000;
  return {bounds: [], counts: [count], sum, count, min: value, max: value};
}

function operation(name: string, sum: number, count: number): MetricPart[] {
  if (count === 0) return [];
  const buckets = meanBuckets(sum, count);
  return [{attributes: {'appscope.file.operation': name}, value: buckets.min, buckets}];
}

/** A tenth of what Array.from costs: that asks an iterator. */
function listOf(from: Float64Array): number[] {
  const list = new Array<number>(from.length);
  for (let i = 0; i < from.length; i++) list[i] = from[i]!;
  return list;
}

const CAUSES = Object.entries(LOST).map(([name, index]) => [name.toLowerCase(), index] as const);

export class CounterSource implements Source {
  readonly #image: Image;
  readonly #before: Float64Array;
  readonly #lostBefore: Float64Array;
  #state: {counters: number[]; lost: number[]} | undefined;
  #now: Float64Array = new Float64Array(0);

  constructor(image: Image) {
    this.#image = image;
    this.#before = new Float64Array(image.channel.counters().length);
    this.#lostBefore = new Float64Array(image.channel.lost().length);
  }

  report(now: number, final: boolean): void {
    const image = this.#image;
    this.#state = undefined;
    const time = image.process.endTime ?? now;
    this.#now = image.channel.counters();
    for (const row of SUMS) this.#sum(row, time);
    for (const [name, counter] of GAUGES) this.#gauge(name, counter, time);
    for (const row of CONNECTIONS) this.#sum(row, time);
    this.#durations(time);
    for (const row of ERRORS) this.#sum(row, time);
    if (final) this.#rest(time);
    this.#losses(time);
    this.#before.set(this.#now);
  }

  /** What was reported already, for the next relay of this channel. */
  get state(): {counters: number[]; lost: number[]} {
    // Asked at every commit, and other values only after a report.
    this.#state ??= {counters: listOf(this.#before), lost: listOf(this.#lostBefore)};
    return this.#state;
  }

  set state(state: {counters: number[]; lost: number[]}) {
    for (let i = 0; i < this.#before.length; i++) this.#before[i] = state.counters[i] ?? 0;
    for (let i = 0; i < this.#lostBefore.length; i++) this.#lostBefore[i] = state.lost[i] ?? 0;
    this.#state = undefined;
  }

  #delta(counter: CounterName): number {
    const index = COUNTER[counter];
    return Math.max(0, this.#now[index]! - this.#before[index]!);
  }

  #sum([name, counter, attributes]: Row, time: number): void {
    if (!this.#image.wantsSum(name)) return;
    const value = this.#delta(counter);
    if (value <= 0) return;
    const parts = this.#operations(name, value);
    this.#image.sum({name, value, time, ...(attributes && {attributes}), ...(parts && {parts})});
  }

  /** Reads and writes: their number beside the bytes. */
  #operations(name: string, value: number): MetricPart[] | undefined {
    if (name !== 'fs.read' && name !== 'fs.write') return undefined;
    const ops = this.#delta(name === 'fs.read' ? 'FS_READ_OPS' : 'FS_WRITE_OPS');
    return [
      {attributes: {}, value},
      {name: `${name}.ops`, attributes: {}, value: ops},
    ];
  }

  /** What was to be reported one by one and was not, because its records were lost or tell no amount: in one sum. */
  #rest(time: number): void {
    const counted = new Map<string, {value: number; row: Row}>();
    for (const row of [...SUMS, ...CONNECTIONS, ...ERRORS]) {
      const [name, counter, attributes] = row;
      if (this.#image.wantsSum(name) || !this.#image.wantsSingle(name)) continue;
      // Single ones of net.rx and net.tx have addresses instead of a class.
      const key = singleKey(name, ERRORS.includes(row) ? attributes?.class : '');
      const value = (counted.get(key)?.value ?? 0) + this.#now[COUNTER[counter]]!;
      counted.set(key, {value, row});
    }
    for (const [key, {value, row}] of counted) {
      const [name, , attributes] = row;
      const rest = value - (this.#image.singles.get(key) ?? 0);
      if (rest > 0) this.#image.sum({name, value: rest, time, ...(attributes && {attributes})});
    }
  }

  #gauge(name: string, counter: CounterName, time: number): void {
    if (!this.#image.wantsSum(name)) return;
    const value = Math.max(0, this.#now[COUNTER[counter]]!);
    // Back at zero: said once, or a destination would show the last value for ever.
    const zero = this.#before[COUNTER[counter]]! > 0;
    this.#image.sum({name, value, time, zero});
  }

  /** Means over the period; the buckets carry sum and count to destinations that can add them up. */
  #durations(time: number): void {
    const {channel} = this.#image;
    const reads = channel.nanoseconds(this.#delta('FS_READ_TICKS')) / 1e3;
    const writes = channel.nanoseconds(this.#delta('FS_WRITE_TICKS')) / 1e3;
    const millis = channel.nanoseconds(this.#delta('NET_TICKS')) / 1e6;
    const [readOps, writeOps] = [this.#delta('FS_READ_OPS'), this.#delta('FS_WRITE_OPS')];
    const parts = [...operation('read', reads, readOps), ...operation('write', writes, writeOps)];
    this.#mean('fs.duration', reads + writes, readOps + writeOps, time, parts);
    this.#mean('net.duration', millis, this.#delta('NET_CLOSE'), time);
  }

  #mean(name: string, sum: number, count: number, time: number, parts: readonly MetricPart[] = []): void {
    if (count === 0 || !this.#image.wantsSum(name)) return;
    const buckets = meanBuckets(sum, count);
    this.#image.sum({name, value: buckets.min, time, buckets, parts});
  }

  #losses(time: number): void {
    const lost = this.#image.channel.lost();
    for (const [kind, index] of CAUSES) {
      const value = Math.max(0, (lost[index] ?? 0) - (this.#lostBefore[index] ?? 0));
      if (value > 0) this.#image.sum({name: 'scope.lost', value, time, attributes: {class: kind}});
    }
    this.#lostBefore.set(lost);
  }
}
