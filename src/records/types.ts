// SPDX-License-Identifier: Apache-2.0
/**
 * The record model: what every source makes and every destination takes. Names, shapes and key order of
 * `data` and `attributes` are those of AppScope 1.x; docs/metrics.md and docs/events.md list them.
 */

/** A value an attribute can have; `null` and `undefined` are never stored. */
export type AttributeValue = string | number | boolean | string[];
/** Attributes in the order they are written. */
export type Attributes = Record<string, AttributeValue>;

/** Who a record is about: one image of a process (a new one after each exec). One object per image, shared. */
export interface Process {
  /** Unique in this relay: number of the channel. */
  readonly key: number;
  /** As the process sees itself, as its parent and its uid are. */
  pid: number;
  /** The same process in the relay's own pid namespace; 0: it is not seen there. */
  hostPid?: number;
  ppid: number;
  /** Process name: basename of the executable. */
  proc: string;
  /** Whole command line, arguments joined by a blank. */
  cmd: string;
  args: string[];
  exe: string;
  cwd: string;
  host: string;
  uid: number;
  gid: number;
  username: string;
  groupname: string;
  /** The 0:: line of /proc/PID/cgroup, with the "0::". */
  cgroup: string;
  containerId: string;
  machineId: string;
  /** v4-form UUID, new per process image. */
  uuid: string;
  /** `<host>-<proc>-<last 32 characters of cmd>`: `id` of the event envelope. */
  id: string;
  libc: string;
  runtime: string;
  /** Seconds since the epoch. */
  startTime: number;
  /** Seconds since the epoch; undefined while it lives. */
  endTime?: number;
  exitCode?: number;
  /** Custom tags (config `tags`, SCOPE_TAG_*). */
  tags: Record<string, string>;
  /** Variables of its environment that the relay reads: OTEL_*, KUBERNETES_*, CRIBL_K8S_POD … */
  env: Record<string, string>;
}

export type MetricType = 'counter' | 'gauge' | 'timer' | 'histogram' | 'set';

/** Distribution behind a duration; explicit bounds, in the metric's unit. */
export interface Buckets {
  /** Upper bounds, ascending; counts has one more entry. */
  bounds: readonly number[];
  counts: number[];
  sum: number;
  count: number;
  min: number;
  max: number;
}

/** A share of a metric, with attributes of OpenTelemetry's conventions that the metric's own fields do not tell apart. */
export interface MetricPart {
  /** Row of the conventions where it is not that of the metric. */
  name?: string;
  attributes: Attributes;
  /** In the unit of the row. */
  value: number;
  buckets?: Buckets;
}

export interface Metric {
  kind: 'metric';
  name: string;
  type: MetricType;
  /** The original's unit words: `operation`, `byte`, `microsecond`, `millisecond`, `kibibyte`, … */
  unit: string;
  /** Counters: the amount since the last record of this series. Gauges: the value now. */
  value: number;
  /** Fields besides proc, pid, host, unit and summary, in order (op, file, class, fd, …). */
  attributes: Attributes;
  /** A sum over a period, not a single operation. */
  summary: boolean;
  /** Seconds since the epoch. */
  time: number;
  /** Start of what a counter covers, seconds since the epoch; undefined: unknown. */
  startTime?: number;
  buckets?: Buckets;
  /** Stand for the whole where a destination uses the conventions; others do not see them. */
  parts?: readonly MetricPart[];
  process: Process;
}

export type SourceType = 'file' | 'console' | 'syslog' | 'metric' | 'http' | 'net' | 'fs' | 'dns';

export interface Event {
  kind: 'event';
  sourcetype: SourceType;
  source: string;
  /** Seconds since the epoch, microseconds in the fraction. */
  time: number;
  /** Ties the events of one descriptor together; `none` when there is none. */
  channel: string;
  data: Record<string, unknown> | string;
  process: Process;
  /** The file of an fs event, where it is at hand without making `data`. */
  readonly path?: string;
  /** Writes the whole NDJSON line, where the event's source has a faster way than from `data`. */
  writeLine?(out: LineWriter): void;
}

/** What writeLine writes to: a part of ByteWriter. */
export interface LineWriter {
  bytes(source: Uint8Array): void;
  ascii(text: string): void;
  string(text: string): void;
  number(value: number): void;
  integer(value: number): void;
  digits(value: number, least: number): void;
  /** A whole number from 0 on divided by a thousand. */
  thousandths(value: number): void;
  /** Millionths of a number whose whole part was written. */
  fraction(micros: number): void;
  time(seconds: number): void;
}

/** One exchange (HTTP, gRPC) or lookup (DNS), ready for OTLP traces. */
export interface Span {
  kind: 'span';
  name: string;
  /** OTLP span kind. */
  role: 'server' | 'client' | 'internal';
  /** Lower-case hex, 32 and 16 digits. */
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  startTime: number;
  endTime: number;
  /** Semantic-convention names: `http.request.method`, … */
  attributes: Attributes;
  error: boolean;
  process: Process;
}

/** The first line about a process on a wire (the original's start message). */
export interface Start {
  kind: 'start';
  time: number;
  process: Process;
  /** The effective configuration in the original's GetCfg shape. */
  configuration: Record<string, unknown>;
}

/** Bytes of a connection, captured on request. */
export interface Payload {
  kind: 'payload';
  time: number;
  channel: string;
  fd: number;
  source: 'netrx' | 'nettx' | 'tlsrx' | 'tlstx' | 'none';
  localIp: string;
  localPort: number;
  remoteIp: string;
  remotePort: number;
  protocol: string;
  bytes: Uint8Array;
  process: Process;
}

/** What flows from sources to destinations. */
export type RelayRecord = Metric | Event | Span | Start | Payload;
