// SPDX-License-Identifier: Apache-2.0
/**
 * The tables of what AppScope reports: metrics with type, unit, fields and the verbosity from which they are reported
 * one by one; events with their fields. docs/metrics.md and docs/events.md are checked against these tables.
 */
import type {MetricType, SourceType} from './types.js';

/** The watch types of `metric.watch`. */
export const METRIC_WATCHES = ['fs', 'net', 'http', 'dns', 'process', 'statsd'] as const;
export type MetricWatch = (typeof METRIC_WATCHES)[number];

/** The watch types of `event.watch`. */
export const EVENT_WATCHES = ['file', 'console', 'syslog', 'metric', 'http', 'net', 'fs', 'dns'] as const;

export interface MetricName {
  name: string;
  type: MetricType;
  unit: string;
  watch: MetricWatch;
  /**
   * From this verbosity on it is reported for each operation instead of as a sum per period.
   * 0: always as a sample per period; 10: always as a sum.
   */
  single: number;
  /** Fields in wire order when reported one by one, or as a sample. */
  fields: readonly string[];
  /** Fields in wire order when reported as a sum. */
  sum: readonly string[];
  /** What the value is. */
  about: string;
}

const SAMPLE = ['proc', 'pid', 'host', 'unit'];
const SUM = ['proc', 'pid', 'host', 'unit', 'summary'];
const SUM_CLASS_LAST = ['proc', 'pid', 'host', 'unit', 'class', 'summary'];
const SUM_CLASS_FIRST = ['proc', 'pid', 'host', 'class', 'unit', 'summary'];
const FILE = ['proc', 'pid', 'fd', 'host', 'op', 'file', 'unit'];
const FILE_OPS = ['proc', 'pid', 'fd', 'host', 'op', 'file', 'numops', 'unit'];
const PATH = ['proc', 'pid', 'host', 'op', 'file', 'unit'];
const CONN = ['proc', 'pid', 'fd', 'host', 'proto', 'port', 'unit'];
const BYTES = [
  ...['proc', 'pid', 'fd', 'host', 'domain', 'proto', 'localip', 'localp', 'remoteip', 'remotep', 'localn'],
  ...['remoten', 'data', 'numops', 'unit'],
];
const HTTP = ['http_target', 'numops', 'proc', 'pid', 'host', 'unit', 'summary'];
const HTTP_REQ = ['http_target', 'http_status_code', 'proc', 'pid', 'host', 'unit', 'summary'];
const START = ['proc', 'pid', 'gid', 'groupname', 'uid', 'username', 'host', 'args', 'unit'];

type Row = [
  name: string,
  type: MetricType,
  unit: string,
  watch: MetricWatch,
  single: number,
  fields: readonly string[],
  sum: readonly string[],
  about: string,
];

// biome-ignore format: a table
const ROWS: Row[] = [
  ['proc.start', 'counter', 'process', 'process', 0, START, SUM, 'a process image began: 1'],
  ['proc.cpu', 'counter', 'microsecond', 'process', 0, SAMPLE, SUM, 'processor time used, user and system'],
  ['proc.cpu_perc', 'gauge', 'percent', 'process', 0, SAMPLE, SUM, 'processor time over the time since the last report'],
  ['proc.mem', 'gauge', 'kibibyte', 'process', 0, SAMPLE, SUM, 'resident memory (RSS)'],
  ['proc.thread', 'gauge', 'thread', 'process', 0, SAMPLE, SUM, 'threads'],
  ['proc.fd', 'gauge', 'file', 'process', 0, SAMPLE, SUM, 'open descriptors'],
  ['proc.child', 'gauge', 'process', 'process', 0, SAMPLE, SUM, 'living child processes'],
  ['fs.open', 'counter', 'operation', 'fs', 6, FILE, SUM, 'files opened'],
  ['fs.close', 'counter', 'operation', 'fs', 6, FILE, SUM, 'files closed'],
  ['fs.read', 'counter', 'byte', 'fs', 9, FILE_OPS, SUM, 'bytes read from files'],
  ['fs.write', 'counter', 'byte', 'fs', 9, FILE_OPS, SUM, 'bytes written to files'],
  ['fs.duration', 'histogram', 'microsecond', 'fs', 9, FILE_OPS, SUM, 'mean duration of a read or write'],
  ['fs.seek', 'counter', 'operation', 'fs', 8, FILE, SUM, 'seeks'],
  ['fs.stat', 'counter', 'operation', 'fs', 7, PATH, SUM, 'questions about files (stat family)'],
  ['fs.delete', 'counter', 'operation', 'fs', 6, PATH, SUM, 'files deleted'],
  ['fs.error', 'counter', 'operation', 'fs', 5, ['proc', 'pid', 'host', 'op', 'file', 'class', 'unit'], SUM_CLASS_FIRST, 'failed calls; class open_close, read_write or stat'],
  ['net.port', 'gauge', 'instance', 'net', 10, SUM, SUM, 'open ports: sockets of the internet families'],
  ['net.tcp', 'gauge', 'connection', 'net', 7, CONN, SUM, 'open stream connections'],
  ['net.udp', 'gauge', 'connection', 'net', 7, CONN, SUM, 'open datagram connections'],
  ['net.other', 'gauge', 'connection', 'net', 7, CONN, SUM, 'open connections of other kinds'],
  ['net.open', 'counter', 'connection', 'net', 7, CONN, SUM, 'connections opened'],
  ['net.close', 'counter', 'connection', 'net', 7, CONN, SUM, 'connections closed'],
  ['net.duration', 'timer', 'millisecond', 'net', 7, ['proc', 'pid', 'fd', 'host', 'proto', 'port', 'numops', 'unit'], SUM, 'mean life of the connections closed'],
  ['net.rx', 'counter', 'byte', 'net', 9, BYTES, SUM_CLASS_LAST, 'bytes received; class inet_tcp, inet_udp, unix_tcp, unix_udp or other'],
  ['net.tx', 'counter', 'byte', 'net', 9, BYTES, SUM_CLASS_LAST, 'bytes sent; classes as net.rx'],
  ['net.error', 'counter', 'operation', 'net', 5, ['proc', 'pid', 'host', 'op', 'domain', 'class', 'unit'], SUM_CLASS_FIRST, 'failed calls; class connection, rx_tx or dns'],
  ['dns.req', 'counter', 'request', 'dns', 6, ['proc', 'pid', 'host', 'domain', 'duration', 'unit'], SUM, 'names asked for'],
  ['dns.duration', 'timer', 'millisecond', 'dns', 6, ['proc', 'pid', 'host', 'domain', 'numops', 'unit'], SUM, 'mean duration of a lookup'],
  ['http.req', 'counter', 'request', 'http', 10, HTTP_REQ, HTTP_REQ, 'requests answered, by target and status'],
  ['http.duration.server', 'timer', 'millisecond', 'http', 10, HTTP, HTTP, 'time to answer, summed over numops requests'],
  ['http.duration.client', 'timer', 'millisecond', 'http', 10, HTTP, HTTP, 'time until the answer, summed over numops requests'],
  ['http.req.content_length', 'counter', 'byte', 'http', 10, HTTP, HTTP, 'sum of the lengths of request bodies'],
  ['http.resp.content_length', 'counter', 'byte', 'http', 10, HTTP, HTTP, 'sum of the lengths of response bodies'],
  ['scope.lost', 'counter', 'record', 'process', 10, ['proc', 'pid', 'host', 'class', 'unit', 'summary'], ['proc', 'pid', 'host', 'class', 'unit', 'summary'], 'records not kept; class full, limit, big, torn, memory or bad'],
];

/** Every metric that AppScope makes itself. */
export const METRICS: readonly MetricName[] = ROWS.map(
  ([name, type, unit, watch, single, fields, sum, about]) => ({
    name,
    type,
    unit,
    watch,
    single,
    fields,
    sum,
    about,
  }),
);

const BY_NAME = new Map(METRICS.map((metric) => [metric.name, metric]));
/** Of a metric that is not ours (captured StatsD): its dimensions come first. */
const CAPTURED: readonly string[] = ['proc', 'pid', 'host', 'unit', 'summary'];

/** The table row of a metric. */
export function metricName(name: string): MetricName | undefined {
  return BY_NAME.get(name);
}

/** Names of the built-in fields of a metric, in wire order. */
export function fieldOrder(name: string, summary: boolean): readonly string[] {
  const row = BY_NAME.get(name);
  if (row === undefined) return CAPTURED;
  return summary ? row.sum : row.fields;
}

/** Metrics that `event.watch` type metric shows as events, one by one; fs.open and fs.close only without fs events. */
export const METRIC_EVENTS: ReadonlySet<string> = new Set([
  ...['proc.cpu', 'proc.cpu_perc', 'proc.mem', 'proc.thread', 'proc.fd', 'proc.child'],
  ...['fs.open', 'fs.close', 'fs.read', 'fs.write', 'fs.duration', 'fs.seek', 'fs.stat', 'fs.error'],
  ...['net.rx', 'net.tx', 'net.port', 'net.tcp', 'net.udp', 'net.other', 'net.duration', 'net.error'],
  ...['dns.req', 'dns.resp', 'dns.duration'],
]);

export interface EventName {
  sourcetype: SourceType;
  /** Value of `source`; undefined: a path, `stdout` or `stderr`. */
  source: string | undefined;
  /** Members of `data` in wire order; some only when known. */
  data: readonly string[];
  about: string;
}

const FILE_DATA = [
  ...['proc', 'pid', 'host', 'file', 'proc_uid', 'proc_gid', 'proc_cgroup', 'file_perms', 'file_owner'],
  'file_group',
];
const CONN_DATA = [
  ...['net_transport', 'net_peer_ip', 'net_peer_port', 'net_host_ip', 'net_host_port', 'unix_peer_inode'],
  ...['unix_local_inode', 'net_peer_name', 'net_protocol'],
];
const NET_TAIL = ['net_transport', 'net_peer_ip', 'net_peer_port', 'net_host_ip', 'net_host_port'];

/** Every event, `data` of HTTP as in HTTP/1. */
export const EVENTS: readonly EventName[] = [
  {sourcetype: 'fs', source: 'fs.open', data: [...FILE_DATA, 'op'], about: 'a file was opened'},
  {
    sourcetype: 'fs',
    source: 'fs.close',
    data: [
      ...FILE_DATA,
      ...['file_read_bytes', 'file_read_ops', 'file_write_bytes', 'file_write_ops', 'duration', 'op'],
    ],
    about: 'a file was closed; duration: mean microseconds of a read or write',
  },
  {
    sourcetype: 'fs',
    source: 'fs.delete',
    data: ['proc', 'pid', 'host', 'op', 'file', 'unit'],
    about: 'a file was deleted',
  },
  {sourcetype: 'net', source: 'net.open', data: CONN_DATA, about: 'a stream connection was opened'},
  {
    sourcetype: 'net',
    source: 'net.close',
    data: [...CONN_DATA, 'duration', 'net_bytes_sent', 'net_bytes_recv', 'net_close_reason'],
    about: 'a stream connection on which bytes moved was closed; duration in milliseconds',
  },
  {
    sourcetype: 'net',
    source: 'net.app',
    data: ['proc', 'pid', 'fd', 'host', 'protocol'],
    about: 'the protocol of a connection was detected',
  },
  {sourcetype: 'dns', source: 'dns.req', data: ['domain'], about: 'a name was asked for'},
  {
    sourcetype: 'dns',
    source: 'dns.resp',
    data: ['domain', 'duration', 'addrs'],
    about: 'a name was resolved; duration in milliseconds',
  },
  {
    sourcetype: 'http',
    source: 'http.req',
    data: [
      ...['http_method', 'http_target', 'http_flavor', 'http_scheme', 'http_host', 'http_user_agent'],
      ...['http_client_ip', 'x-appscope', 'http_request_content_length', ...NET_TAIL],
    ],
    about: 'a request was sent or received',
  },
  {
    sourcetype: 'http',
    source: 'http.resp',
    data: [
      ...['http_method', 'http_target', 'http_scheme', 'http_flavor', 'http_status_code', 'http_status_text'],
      ...['http_server_duration', 'http_client_duration', 'http_host', 'http_user_agent'],
      ...['http_request_content_length', 'http_response_content_length', ...NET_TAIL],
    ],
    about: 'an answer was sent or received; duration in milliseconds',
  },
  {sourcetype: 'console', source: undefined, data: ['message'], about: 'text written to stdout or stderr'},
  {
    sourcetype: 'file',
    source: undefined,
    data: ['message'],
    about: 'text written to a file whose path is watched',
  },
  {
    sourcetype: 'metric',
    source: 'notice',
    data: [],
    about: 'more records per second than maxeventpersec: the rest of that second is left out and counted',
  },
];
