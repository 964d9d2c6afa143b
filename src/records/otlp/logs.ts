// SPDX-License-Identifier: Apache-2.0
/** Events as OTLP log records: lines of text have a body, everything else an event name and attributes. */
import {transportName} from '../points.js';
import {attributeName, SCHEMA_URL} from '../semconv.js';
import type {Attributes, Event, Start} from '../types.js';
import {encodeKey, ProtoWriter, textOf} from './proto.js';

/** A log record in parts, for both encodings. */
export interface LogParts {
  /** Seconds since the epoch. */
  time: number;
  /** Empty: none. */
  eventName: string;
  body: string | undefined;
  attributes: Iterable<[string, unknown]>;
}

const START_EVENT = 'appscope.process.start';

/** Has no parts that vary: metrics as events share one name. */
function eventName(sourcetype: string, source: string): string {
  return sourcetype === 'metric' && source !== 'notice' ? 'appscope.metric' : `appscope.${source}`;
}

const SKIPPED = new Set(['proc', 'pid', 'host', 'message']);

function* dataAttributes(data: Record<string, unknown>): Generator<[string, unknown]> {
  for (const field in data) {
    const value = data[field];
    if (value === undefined || value === null || SKIPPED.has(field)) continue;
    if (field === 'http_target' && typeof value === 'string') {
      const query = value.indexOf('?');
      yield ['url.path', query < 0 ? value : value.slice(0, query)];
      if (query >= 0) yield ['url.query', value.slice(query + 1)];
      continue;
    }
    const name = attributeName(field);
    if (name === undefined) continue;
    yield [name, writtenAs(name, value)];
  }
}

/** Where the conventions write a value in another way. */
function writtenAs(name: string, value: unknown): unknown {
  if (name === 'network.transport') return transportName(String(value));
  return name === 'network.protocol.version' && value === '2.0' ? '2' : value;
}

function* eventAttributes(event: Event): Generator<[string, unknown]> {
  const {sourcetype, source, data} = event;
  yield ['appscope.sourcetype', sourcetype];
  if (sourcetype === 'console') yield ['log.iostream', source];
  else if (sourcetype === 'file') yield ['log.file.path', source];
  if (event.channel !== 'none' && event.channel !== '') yield ['appscope.channel', event.channel];
  if (typeof data !== 'string') yield* dataAttributes(data);
}

/** What an event or start message is in OTLP. */
export function logParts(record: Event | Start): LogParts {
  if (record.kind === 'start') {
    return {time: record.time, eventName: START_EVENT, body: undefined, attributes: []};
  }
  const {sourcetype, source, data} = record;
  const text = sourcetype === 'console' || sourcetype === 'file';
  const message = typeof data === 'string' ? data : data.message;
  return {
    time: record.time,
    eventName: text ? '' : eventName(sourcetype, source),
    body: typeof message === 'string' ? message : undefined,
    attributes: eventAttributes(record),
  };
}

const keys = new Map<string, Buffer>();
/** Names of headers come from the application: the memory for encoded keys is bounded. */
const KEYS_LIMIT = 5000;

function keyBytes(name: string): Buffer {
  let bytes = keys.get(name);
  if (bytes === undefined) {
    bytes = encodeKey(name);
    if (keys.size >= KEYS_LIMIT) keys.clear();
    keys.set(name, bytes);
  }
  return bytes;
}

/** Appends one `log_records` field of ScopeLogs; false, and nothing, when the record cannot be written. */
export function writeLogRecord(out: ProtoWriter, record: Event | Start, observed: number): boolean {
  const before = out.length;
  try {
    appendLogRecord(out, record, observed);
    return true;
  } catch {
    out.length = before;
    return false;
  }
}

function appendLogRecord(out: ProtoWriter, record: Event | Start, observed: number): void {
  const start = out.begin(0x12);
  out.nanoseconds(0x09, record.time);
  out.nanoseconds(0x59, observed);
  if (record.kind === 'start') out.text(0x62, START_EVENT);
  else appendEvent(out, record);
  out.end(start);
}

/** How a field of `data` is written. */
interface Field {
  /** Undefined: left out. */
  key: Buffer | undefined;
  /** Name of the attribute, when its values are written in another way. */
  rewritten: string | undefined;
  target: boolean;
  /** The last value and how it was written: owner, group and the like are the same for many events. */
  last: unknown;
  lastBytes: Buffer | undefined;
  /** Values that were not the last one, less those that were; a field that varies is not remembered any more. */
  misses: number;
}

const VARIES = 64;
export const CHANNEL_KEY = encodeKey('appscope.channel');
const fields = new Map<string, Field>();
/** Fields of the last event in their order: the next event has the same ones, more often than not. */
const lastFields: {name: string; field: Field}[] = [];

function fieldOf(name: string): Field {
  let field = fields.get(name);
  if (field === undefined) {
    const attribute = SKIPPED.has(name) ? undefined : attributeName(name);
    field = {
      key: attribute === undefined ? undefined : encodeKey(attribute),
      rewritten:
        attribute === 'network.transport' || attribute === 'network.protocol.version' ? attribute : undefined,
      target: name === 'http_target',
      last: undefined,
      lastBytes: undefined,
      misses: 0,
    };
    if (fields.size >= KEYS_LIMIT) fields.clear();
    fields.set(name, field);
  }
  return field;
}

/** What comes first in every event of a kind: its name, or where its text is from. */
const heads = new Map<string, Map<string, Buffer>>();
/** Sources are names of files too. */
const HEADS_LIMIT = 1000;

export function headOf(sourcetype: string, source: string): Buffer {
  let known = heads.get(sourcetype);
  if (known === undefined) {
    known = new Map();
    heads.set(sourcetype, known);
  }
  let head = known.get(source);
  if (head === undefined) {
    const out = new ProtoWriter(128);
    out.attribute(0x32, keyBytes('appscope.sourcetype'), sourcetype);
    if (sourcetype === 'console') out.attribute(0x32, keyBytes('log.iostream'), source);
    else if (sourcetype === 'file') out.attribute(0x32, keyBytes('log.file.path'), source);
    else out.text(0x62, eventName(sourcetype, source));
    head = Buffer.from(out.view());
    if (known.size >= HEADS_LIMIT) known.clear();
    known.set(source, head);
  }
  return head;
}

/** The same as logParts() says, without the lists in between: this is the hot path. */
function appendEvent(out: ProtoWriter, event: Event): void {
  const {sourcetype, source, data, channel} = event;
  const message = typeof data === 'string' ? data : data.message;
  if (typeof message === 'string') out.stringField(0x2a, message);
  out.bytes(headOf(sourcetype, source));
  if (channel !== 'none' && channel !== '') out.attribute(0x32, CHANNEL_KEY, channel);
  if (typeof data === 'string') return;
  let i = 0;
  for (const name in data) {
    const value = data[name];
    if (value === undefined || value === null) continue;
    let known = lastFields[i];
    if (known?.name !== name) {
      known = {name, field: fieldOf(name)};
      lastFields[i] = known;
    }
    i++;
    appendField(out, known.field, value);
  }
}

function appendField(out: ProtoWriter, field: Field, value: unknown): void {
  const {key, rewritten, target} = field;
  if (key === undefined) return;
  if (value === field.last) {
    if (field.misses > 0) field.misses--;
    out.bytes(field.lastBytes!);
    return;
  }
  const before = out.length;
  if (target && typeof value === 'string') appendTarget(out, value);
  else out.attribute(0x32, key, rewritten === undefined ? value : writtenAs(rewritten, value));
  if (typeof value === 'object' || field.misses > VARIES) return;
  field.misses++;
  field.last = value;
  field.lastBytes = Buffer.from(out.buffer.subarray(before, out.length));
}

function appendTarget(out: ProtoWriter, target: string): void {
  const query = target.indexOf('?');
  out.attribute(0x32, keyBytes('url.path'), query < 0 ? target : target.slice(0, query));
  if (query >= 0) out.attribute(0x32, keyBytes('url.query'), target.slice(query + 1));
}

/** Appends the `resource` field of ResourceLogs. */
export function writeResource(out: ProtoWriter, attributes: Attributes): void {
  const start = out.begin(0x0a);
  for (const name in attributes) out.attribute(0x0a, keyBytes(name), attributes[name]);
  out.end(start);
}

/** The key of a field of `data`, as ProtoWriter.attribute takes it; empty: the field is left out. */
export function fieldKey(name: string): Buffer {
  return fieldOf(name).key ?? Buffer.alloc(0);
}

/** Fields of `data` as attributes of a log record. */
export function fieldAttributes(data: Record<string, string | number>): Buffer {
  const out = new ProtoWriter(256);
  for (const name in data) appendField(out, fieldOf(name), data[name]);
  return Buffer.from(out.view());
}

/** Opens `resource_logs` and `scope_logs`; closed by closeResourceLogs. */
export function openResourceLogs(out: ProtoWriter, resource: Attributes, version: string): [number, number] {
  const outer = out.begin(0x0a);
  writeResource(out, resource);
  const inner = out.begin(0x12);
  const scope = out.begin(0x0a);
  out.text(0x0a, 'appscope');
  out.text(0x12, version);
  out.end(scope);
  return [outer, inner];
}

export function closeResourceLogs(out: ProtoWriter, [outer, inner]: [number, number]): void {
  out.text(0x1a, SCHEMA_URL);
  out.end(inner);
  out.text(0x1a, SCHEMA_URL);
  out.end(outer);
}

function jsonValue(value: unknown): Record<string, unknown> {
  if (typeof value === 'string') return {stringValue: Buffer.from(value).toString()};
  if (typeof value === 'boolean') return {boolValue: value};
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return {intValue: String(value)};
    return {doubleValue: Number.isFinite(value) ? value : String(value)};
  }
  if (Array.isArray(value)) return {arrayValue: {values: value.map(jsonValue)}};
  return {stringValue: textOf(value)};
}

export function jsonAttributes(attributes: Iterable<[string, unknown]>): Record<string, unknown>[] {
  return Array.from(attributes, ([key, value]) => ({key, value: jsonValue(value)}));
}

/** Nanoseconds since the epoch as OTLP/JSON writes them. */
export function jsonTime(seconds: number): string {
  const micros = Number.isFinite(seconds) ? Math.max(0, Math.round(seconds * 1e6)) : 0;
  return `${micros}000`;
}

/** One log record of OTLP/JSON. */
export function jsonLogRecord(record: Event | Start, observed: number): Record<string, unknown> {
  const {time, eventName, body, attributes} = logParts(record);
  return {
    timeUnixNano: jsonTime(time),
    observedTimeUnixNano: jsonTime(observed),
    ...(body === undefined ? {} : {body: jsonValue(body)}),
    attributes: jsonAttributes(attributes),
    ...(eventName === '' ? {} : {eventName}),
  };
}
