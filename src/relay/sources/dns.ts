// SPDX-License-Identifier: Apache-2.0
/**
 * Name lookups, from DNS packets and from calls of the resolver. One lookup is counted once: all packets of a thread while
 * it is in a call of the resolver belong to that call; without one, the queries for A and AAAA, their repetitions and the
 * call around them (whose begin was lost) belong together by thread and name.
 */
import {REC, REC_FLAG, type RecordCursor} from '../../channel/index.js';
import {type DnsMessage, parseDns} from '../../protocol/dns.js';
import type {Attributes, Buckets, MetricPart} from '../../records/types.js';
import {addTo, millis, newBuckets} from './durations.js';
import {randomId} from './http-span.js';
import type {Image, Source, SourceKind} from './source.js';

/** Lookups under way that are remembered. */
const OPEN_CAP = 1024;
/** Seconds after which an answer is not waited for any more. */
const PATIENCE = 10;
/** Seconds that a call of the resolver can take. */
const LONGEST_CALL = 120;
/** Names of one process that its metrics tell apart. */
const NAMES = 200;

interface Lookup {
  name: string;
  object: number;
  tid: number;
  /** Seconds since the epoch. */
  time: number;
  answeredAt: number;
  /** Ids of queries without an answer yet. */
  waiting: Set<number>;
  /** Answers that were cut: their questions come again, by TCP. */
  cut: number;
  addrs: string[];
  answers: number;
  rcode: string;
}

/** Durations by name and error. Failures of a period without a success are told with the next one's. */
class LookupParts {
  readonly #names = new Set<string>();
  #parts = new Map<string, {attributes: Attributes; buckets: Buckets}>();

  add(name: string, error: string | undefined, duration: number): void {
    const attributes: Attributes = this.#known(name)
      ? {'dns.question.name': name, ...(error === undefined ? {} : {'error.type': error})}
      : {'otel.metric.overflow': true};
    const key = JSON.stringify(attributes);
    let part = this.#parts.get(key);
    if (part === undefined) {
      part = {attributes, buckets: newBuckets()};
      this.#parts.set(key, part);
    }
    addTo(part.buckets, duration);
  }

  take(): MetricPart[] {
    const parts = [...this.#parts.values()];
    this.#parts = new Map();
    return parts.map((part) => ({...part, value: part.buckets.sum}));
  }

  #known(name: string): boolean {
    if (this.#names.has(name)) return true;
    if (this.#names.size >= NAMES) return false;
    this.#names.add(name);
    return true;
  }
}

/** A call of the resolver that a thread is in. */
interface Call {
  lookup: Lookup;
  /** Calls inside each other; 0: the caller comes again. */
  depth: number;
}

class DnsSource implements Source {
  readonly #image: Image;
  /** By thread and name, oldest first. */
  readonly #open = new Map<string, Lookup>();
  /** By thread. */
  readonly #calls = new Map<number, Call>();
  /** The last lookup by packets of each thread: the resolver's call around it returns after it. */
  readonly #last = new Map<number, Lookup>();
  #requests = 0;
  #durations: Buckets = newBuckets();
  /** The same by name, and failures by name and error: for destinations that use the conventions. */
  readonly #parts: LookupParts | undefined;
  #since: number;

  constructor(image: Image) {
    this.#image = image;
    this.#parts = image.settings.conventions ? new LookupParts() : undefined;
    this.#since = image.process.startTime;
  }

  record(record: RecordCursor): void {
    if (record.type === REC.RESOLVE) this.#call(record);
    else this.#packet(record);
  }

  /** Answers that did not come. */
  flush(now: number): boolean {
    for (const [key, lookup] of this.#open) {
      if (now - lookup.time < PATIENCE) break;
      this.#finish(key, lookup);
    }
    return this.#open.size > 0;
  }

  report(now: number, final: boolean): void {
    if (final) for (const [key, lookup] of this.#open) this.#finish(key, lookup);
    const startTime = this.#since;
    this.#since = now;
    const image = this.#image;
    if (image.wantsSum('dns.req') && this.#requests > 0) {
      image.sum({name: 'dns.req', value: this.#requests, time: now, startTime});
    }
    const buckets = this.#durations;
    if (image.wantsSum('dns.duration') && buckets.count > 0) {
      const value = Math.round((buckets.sum / buckets.count) * 1e3) / 1e3;
      image.sum({
        name: 'dns.duration',
        value,
        time: now,
        startTime,
        buckets,
        parts: this.#parts?.take() ?? [],
      });
    }
    this.#requests = 0;
    this.#durations = newBuckets();
  }

  #packet(record: RecordCursor): void {
    const message = parseDns(record.data());
    if (message === undefined || message.opcode !== 0) return;
    if (message.name === '') {
      this.#multicast(record, message);
      return;
    }
    const sent = (record.flags & REC_FLAG.TX) !== 0;
    const time = this.#image.time(record);
    // A server's side of the conversation is no lookup of this process.
    if (sent && !message.response) this.#query(record, message, time);
    else if (!sent && message.response) this.#answer(record, message, time);
  }

  /** An answer to everybody does not repeat the question: what is asked for is in its records. */
  #multicast(record: RecordCursor, message: DnsMessage): void {
    if (record.flags & REC_FLAG.TX || !message.response) return;
    const time = this.#image.time(record);
    for (const name of new Set(message.answers.map((answer) => answer.name))) {
      const answers = message.answers.filter((answer) => answer.name === name);
      this.#answer(record, {...message, name, answers}, time);
    }
  }

  #query(record: RecordCursor, message: DnsMessage, time: number): void {
    if (this.#calls.has(record.tid)) return;
    const key = keyOf(record.tid, message.name);
    const known = this.#open.get(key);
    if (known !== undefined) {
      known.waiting.add(message.id);
      if (known.cut > 0) known.cut -= 1;
      return;
    }
    if (this.#open.size >= OPEN_CAP) {
      const [oldest, given] = this.#open.entries().next().value!;
      this.#finish(oldest, given);
    }
    const lookup = lookupBy(record.tid, message.name, time);
    lookup.object = record.object;
    lookup.waiting.add(message.id);
    this.#open.set(key, lookup);
    this.#last.set(record.tid, lookup);
    if (this.#last.size > OPEN_CAP) this.#last.clear();
    this.#asked(lookup.name, lookup.object, time);
  }

  #answer(record: RecordCursor, message: DnsMessage, time: number): void {
    const call = this.#calls.get(record.tid);
    if (call !== undefined) {
      if (!message.truncated) this.#take(call.lookup, message);
      return;
    }
    const found = this.#lookupOf(record, message);
    if (found === undefined) return;
    const [key, lookup] = found;
    lookup.waiting.delete(message.id);
    if (message.truncated) {
      lookup.cut += 1;
      return;
    }
    lookup.answeredAt = time;
    this.#take(lookup, message);
    if (lookup.waiting.size === 0 && lookup.cut === 0) this.#finish(key, lookup);
  }

  #take(lookup: Lookup, message: DnsMessage): void {
    lookup.answers += message.answers.length;
    if (message.rcode !== 'NOERROR') lookup.rcode = message.rcode;
    for (const answer of message.answers) {
      if (answer.type !== 'A' && answer.type !== 'AAAA') continue;
      if (!lookup.addrs.includes(answer.data)) lookup.addrs.push(answer.data);
      this.#image.names.set(answer.data, lookup.name);
    }
  }

  /** Threads share sockets: by thread first, else whoever waits for this id. */
  #lookupOf(record: RecordCursor, message: DnsMessage): [string, Lookup] | undefined {
    const key = keyOf(record.tid, message.name);
    const own = this.#open.get(key);
    if (own?.waiting.has(message.id)) return [key, own];
    const name = message.name.toLowerCase();
    for (const [other, lookup] of this.#open) {
      if (lookup.waiting.has(message.id) && lookup.name.toLowerCase() === name) return [other, lookup];
    }
    return undefined;
  }

  #finish(key: string, lookup: Lookup): void {
    this.#open.delete(key);
    const duration = lookup.answeredAt === 0 ? 0 : millis(lookup.answeredAt - lookup.time);
    const end = lookup.answeredAt || lookup.time;
    if (lookup.answers > 0) this.#resolved(lookup.name, lookup.object, end, duration, lookup.addrs);
    this.#span(lookup.name, lookup.time, end, lookup.answers > 0 ? undefined : errorOf(lookup), lookup.addrs);
  }

  /** getaddrinfo or its kin begins. */
  #begin(tid: number, name: string, time: number): void {
    const call = this.#calls.get(tid);
    // Inside itself, or once more with more room. One that is old was left by a thread that was cancelled.
    if (call?.lookup.name === name && time - call.lookup.time < LONGEST_CALL) {
      call.depth += 1;
      return;
    }
    if (this.#calls.size >= OPEN_CAP) this.#calls.clear();
    this.#calls.set(tid, {lookup: lookupBy(tid, name, time), depth: 1});
    this.#asked(name, 0, time);
  }

  /** It ended; whether its begin was seen. */
  #end(record: RecordCursor, name: string, end: number): boolean {
    const call = this.#calls.get(record.tid);
    if (call?.lookup.name !== name) return false;
    call.depth -= 1;
    if (call.depth > 0 || record.flags & REC_FLAG.CUT) return true;
    this.#calls.delete(record.tid);
    const {time, addrs} = call.lookup;
    if (record.ret === 0) this.#resolved(name, 0, end, millis(end - time), addrs);
    this.#span(name, time, end, record.ret === 0 ? undefined : errorOf(call.lookup, true), addrs);
    return true;
  }

  /** A call of getaddrinfo and its kin: the whole of a lookup that used no packets, or the frame of one that did. */
  #call(record: RecordCursor): void {
    const name = record.text();
    if (name === '') return;
    if (record.flags & REC_FLAG.MORE) {
      this.#begin(record.tid, name, this.#image.time(record));
      return;
    }
    if (this.#end(record, name, this.#image.time(record)) || record.flags & REC_FLAG.CUT) return;
    const end = this.#image.time(record);
    const start = record.ticks > 0 ? this.#image.channel.seconds(record.tsc - record.ticks) : end;
    const inside = this.#last.get(record.tid);
    if (inside !== undefined && inside.time >= start && belongs(inside.name, name)) {
      this.#last.delete(record.tid);
      const key = keyOf(record.tid, inside.name);
      if (this.#open.get(key) === inside) this.#finish(key, inside);
      return;
    }
    // One resolver function calls another: the outer one returns after this.
    this.#last.set(record.tid, lookupBy(record.tid, name, start));
    this.#asked(name, 0, start);
    if (record.ret === 0) this.#resolved(name, 0, end, millis(end - start), []);
    this.#span(name, start, end, record.ret === 0 ? undefined : 'host_not_found', []);
  }

  #asked(domain: string, object: number, time: number): void {
    const image = this.#image;
    this.#requests += 1;
    image.event('dns', 'dns.req', time, object, {domain});
    image.single({name: 'dns.req', value: 1, time, attributes: {domain}});
  }

  #resolved(domain: string, object: number, time: number, duration: number, addrs: string[]): void {
    const image = this.#image;
    addTo(this.#durations, duration);
    this.#parts?.add(domain, undefined, duration);
    const data: Record<string, unknown> = {domain, duration};
    if (addrs.length > 0) data.addrs = addrs;
    image.event('dns', 'dns.resp', time, object, data);
    image.single({name: 'dns.duration', value: duration, time, attributes: {domain, numops: 1}});
  }

  /** A lookup is over, however it went. */
  #span(name: string, startTime: number, endTime: number, error: string | undefined, addrs: string[]): void {
    if (error !== undefined) this.#parts?.add(name, error, millis(endTime - startTime));
    if (!this.#image.settings.spans) return;
    this.#image.span({
      name: 'DNS lookup',
      role: 'client',
      traceId: randomId(16),
      spanId: randomId(8),
      startTime,
      endTime: Math.max(startTime, endTime),
      attributes: {
        'dns.question.name': name,
        ...(addrs.length > 0 ? {'dns.answers': addrs} : {}),
        ...(error === undefined ? {} : {'error.type': error}),
      },
      error: error !== undefined,
    });
  }
}

function lookupBy(tid: number, name: string, time: number): Lookup {
  return {
    name,
    object: 0,
    tid,
    time,
    answeredAt: 0,
    waiting: new Set(),
    cut: 0,
    addrs: [],
    answers: 0,
    rcode: 'NOERROR',
  };
}

function keyOf(tid: number, name: string): string {
  return `${tid} ${name.toLowerCase()}`;
}

/** A resolver appends search domains to what it was asked for. */
function belongs(packet: string, called: string): boolean {
  const asked = called.toLowerCase().replace(/\.$/, '');
  const sent = packet.toLowerCase();
  return sent === asked || sent.startsWith(`${asked}.`);
}

function errorOf(lookup: Lookup, called = false): string {
  if (lookup.answeredAt === 0 && !called) return 'timeout';
  return lookup.rcode === 'NXDOMAIN' || lookup.rcode === 'NOERROR'
    ? 'host_not_found'
    : lookup.rcode.toLowerCase();
}

export const dnsSource: SourceKind = {
  name: 'dns',
  types: () => [REC.DNS, REC.RESOLVE],
  create: (image) => new DnsSource(image),
};
