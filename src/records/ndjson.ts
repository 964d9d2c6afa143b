// SPDX-License-Identifier: Apache-2.0
/**
 * The NDJSON wire form of records: one JSON object per line, keys in the order of AppScope 1.x. What is the same for
 * every record of a process is rendered once and copied.
 */
import {ByteWriter} from './byte-writer.js';
import {fieldOrder} from './names.js';
import type {Event, Metric, Payload, Process, RelayRecord, Start} from './types.js';
import {RELEASE} from './version.js';

const NEWLINE = 0x0a;
const CLOSE = Buffer.from('}}\n');
const CHANNEL_END = new Map<string, Buffer>();

/** What the lines of one process share. */
interface Parts {
  /** `{"type":"evt","id":…,"_channel":"` */
  head: Buffer;
  /** `,"host":…,"data":` */
  tail: Buffer;
}

const partsOf = new WeakMap<Process, Parts>();
/** Records come in runs of one process: the last one's parts spare the look-up. */
let lastProcess: Process | undefined;
let lastParts: Parts;

function parts(process: Process): Parts {
  if (process === lastProcess) return lastParts;
  let found = partsOf.get(process);
  if (found === undefined) {
    found = render(process);
    partsOf.set(process, found);
  }
  lastProcess = process;
  lastParts = found;
  return found;
}

function render(process: Process): Parts {
  const head = new ByteWriter(1024);
  head.ascii('{"type":"evt","id":');
  head.string(process.id);
  head.ascii(',"_channel":"');
  const tail = new ByteWriter(1024);
  member(tail, 'host', process.host);
  member(tail, 'proc', process.proc);
  member(tail, 'cmd', process.cmd);
  member(tail, 'pid', process.pid);
  for (const name in process.tags) member(tail, name, process.tags[name]);
  tail.ascii(',"data":');
  return {head: head.view(), tail: tail.view()};
}

function member(out: ByteWriter, key: string, value: unknown): void {
  out.byte(0x2c);
  out.string(key);
  out.byte(0x3a);
  out.value(value);
}

/** `","body":{"sourcetype":…,"_time":` of a source type. */
function channelEnd(sourcetype: string): Buffer {
  let bytes = CHANNEL_END.get(sourcetype);
  if (bytes === undefined) {
    bytes = Buffer.from(`","body":{"sourcetype":${JSON.stringify(sourcetype)},"_time":`);
    CHANNEL_END.set(sourcetype, bytes);
  }
  return bytes;
}

const SOURCE = Buffer.from(',"source":');

/** The parts of an event's line that stay the same for one process and source. */
export interface EventSource {
  /** Up to the value of `_channel`. */
  head: Buffer;
  /** From there to the value of `_time`. */
  middle: Buffer;
  /** From there on. */
  tail: Buffer;
}

/** The parts for events that render their own line; `data` is how every value of `data` begins. */
export function eventSource(process: Process, sourcetype: string, source: string, data: string): EventSource {
  const {head, tail} = parts(process);
  const after = Buffer.from(`,"source":${JSON.stringify(source)}`);
  return {
    head,
    middle: channelEnd(sourcetype),
    tail: Buffer.concat([after, tail, Buffer.from(data)]),
  };
}

/** `{"type":"evt",…}` and a newline. */
export function writeEvent(out: ByteWriter, event: Event): void {
  if (event.writeLine !== undefined) {
    event.writeLine(out);
    return;
  }
  const {head, tail} = parts(event.process);
  out.bytes(head);
  out.ascii(event.channel);
  out.bytes(channelEnd(event.sourcetype));
  out.time(event.time);
  out.bytes(SOURCE);
  out.string(event.source);
  out.bytes(tail);
  if (typeof event.data === 'string') out.string(event.data);
  else out.object(event.data);
  out.bytes(CLOSE);
}

/** `{"type":"metric",…}` and a newline. Fields: captured dimensions, custom tags, built-in fields in their order. */
export function writeMetric(out: ByteWriter, metric: Metric): void {
  out.ascii('{"type":"metric","body":{"_metric":');
  out.string(metric.name);
  out.ascii(',"_metric_type":');
  out.string(metric.type);
  out.ascii(',"_value":');
  out.number(metric.value);
  for (const [name, value] of metricFields(metric)) member(out, name, value);
  out.ascii(',"_time":');
  out.time(metric.time);
  out.bytes(CLOSE);
}

/**
 * The fields of a metric in wire order, each name once: attributes that the metric's own table does not name, then
 * custom tags, then the built-in fields.
 */
export function* metricFields(metric: Metric): Generator<[string, unknown]> {
  const {attributes, process} = metric;
  const order = fieldOrder(metric.name, metric.summary);
  const own = new Set<string>(order);
  const seen = new Set<string>();
  for (const name in attributes) {
    if (own.has(name)) continue;
    seen.add(name);
    yield [name, attributes[name]];
  }
  for (const name in process.tags) {
    if (seen.has(name)) continue;
    seen.add(name);
    yield [name, process.tags[name]];
  }
  for (const name of order) {
    if (seen.has(name)) continue;
    const value = builtIn(metric, name);
    if (value !== undefined && value !== '') yield [name, value];
  }
}

function builtIn(metric: Metric, name: string): unknown {
  switch (name) {
    case 'unit':
      return metric.unit;
    case 'summary':
      return metric.summary ? 'true' : undefined;
    case 'proc':
    case 'pid':
    case 'host':
      return metric.process[name];
    default:
      return metric.attributes[name];
  }
}

/** How the start message of a connection is dressed. */
export interface StartOptions {
  format?: 'ndjson' | 'scope';
  authToken?: string;
}

/** The start message as an object, keys in wire order. */
export function startMessage(start: Start, options: StartOptions = {}): Record<string, unknown> {
  const {process} = start;
  const pod = process.env.CRIBL_K8S_POD;
  return {
    authToken: options.authToken || undefined,
    format: options.format ?? 'ndjson',
    breaker: process.env.SCOPE_CRIBL_NO_BREAKER === 'true' ? 'Cribl - Do Not Break Ruleset' : undefined,
    info: {
      process: {
        libscopever: RELEASE,
        pid: process.pid,
        hostpid: process.hostPid && process.hostPid !== process.pid ? process.hostPid : undefined,
        ppid: process.ppid,
        gid: process.gid,
        groupname: process.groupname || undefined,
        uid: process.uid,
        username: process.username || undefined,
        hostname: process.host,
        procname: process.proc,
        cmd: process.cmd || undefined,
        id: process.id,
        cgroup: process.cgroup,
        container_id: process.containerId || undefined,
        machine_id: process.machineId,
        uuid: process.uuid,
      },
      configuration: start.configuration,
      environment: pod === undefined ? {} : {CRIBL_K8S_POD: pod},
    },
  };
}

/** The start message and a newline. */
export function writeStart(out: ByteWriter, start: Start, options: StartOptions = {}): void {
  out.object(startMessage(start, options));
  out.byte(NEWLINE);
}

/** The header line of a payload: its bytes follow it raw. */
export function writePayloadHeader(out: ByteWriter, payload: Payload): void {
  const {process} = payload;
  out.ascii('{"type":"payload","id":');
  out.string(process.id);
  member(out, 'pid', process.pid);
  member(out, 'ppid', process.ppid);
  member(out, 'fd', payload.fd);
  member(out, 'src', payload.source);
  out.ascii(`,"_channel":${/^\d+$/.test(payload.channel) ? payload.channel : '0'}`);
  member(out, 'len', payload.bytes.length);
  member(out, 'localip', payload.localIp);
  member(out, 'localp', payload.localPort);
  member(out, 'remoteip', payload.remoteIp);
  member(out, 'remotep', payload.remotePort);
  member(out, 'protocol', payload.protocol);
  out.ascii(`,"_time":${payload.time.toFixed(3)}}\n`);
}

/** Whether a record has a line of its own in NDJSON; spans and payloads have none. */
export function isLine(record: RelayRecord): record is Event | Metric | Start {
  return record.kind === 'event' || record.kind === 'metric' || record.kind === 'start';
}

/** A record as its line; nothing for spans and payloads. */
export function writeRecord(out: ByteWriter, record: RelayRecord): void {
  if (record.kind === 'event') writeEvent(out, record);
  else if (record.kind === 'metric') writeMetric(out, record);
  else if (record.kind === 'start') writeStart(out, record);
}

/** writeRecord for records nobody vouches for: false, and nothing written, when it cannot be written. */
export function tryWriteRecord(out: ByteWriter, record: RelayRecord): boolean {
  const before = out.length;
  try {
    writeRecord(out, record);
    return out.length > before;
  } catch {
    out.length = before;
    return false;
  }
}

/** A record's line as text, with its newline. */
export function lineOf(record: RelayRecord): string {
  const out = new ByteWriter(1024);
  writeRecord(out, record);
  return out.view().toString();
}

const scratch = new ByteWriter(64);

/**
 * Writes a record's line into `out` at `at`. Returns the offset behind it, -1 when it does not fit, `at` when the
 * record has no line.
 */
export function encodeLine(record: RelayRecord, out: Buffer, at: number): number {
  scratch.buffer = out;
  scratch.length = at;
  writeRecord(scratch, record);
  const {buffer, length} = scratch;
  if (buffer === out) return length;
  // The writer reserves for the worst case: it may have grown although the line fits.
  if (length > out.length) return -1;
  out.set(buffer.subarray(at, length), at);
  return length;
}
