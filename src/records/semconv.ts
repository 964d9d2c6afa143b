// SPDX-License-Identifier: Apache-2.0
/**
 * AppScope's metrics and fields as OpenTelemetry's semantic conventions 1.44.0 name them. Used where a destination
 * speaks OTLP or Prometheus; files, StatsD and the CLI keep AppScope's names.
 */
import type {AttributeValue} from './types.js';

/** Of the exported resources and scopes. */
export const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.44.0';

export interface Convention {
  /** AppScope's metric. */
  metric: string;
  /** OpenTelemetry's name. */
  name: string;
  instrument: 'counter' | 'updowncounter' | 'gauge' | 'histogram';
  /** UCUM. */
  unit: string;
  /** OpenTelemetry's value = AppScope's value * scale. */
  scale: number;
  /** Attributes that the name of the metric stood for. */
  attributes: Readonly<Record<string, AttributeValue>>;
  about: string;
}

type Row = [
  metric: string,
  name: string,
  instrument: Convention['instrument'],
  unit: string,
  scale: number,
  attributes: Readonly<Record<string, AttributeValue>>,
  about: string,
];

const OPERATION = 'appscope.file.operation';

// biome-ignore format: a table
const ROWS: Row[] = [
  ['proc.start', 'appscope.process.starts', 'counter', '{process}', 1, {}, 'Process images begun'],
  ['proc.cpu', 'process.cpu.time', 'counter', 's', 1e-6, {}, 'Processor time used'],
  ['proc.cpu_perc', 'process.cpu.utilization', 'gauge', '1', 0.01, {}, 'Processor time over elapsed time'],
  ['proc.mem', 'process.memory.usage', 'updowncounter', 'By', 1024, {}, 'Resident memory'],
  ['proc.mem.virtual', 'process.memory.virtual', 'updowncounter', 'By', 1024, {}, 'Address space'],
  ['proc.thread', 'process.thread.count', 'updowncounter', '{thread}', 1, {}, 'Threads'],
  ['proc.fd', 'process.unix.file_descriptor.count', 'updowncounter', '{file_descriptor}', 1, {}, 'Open descriptors'],
  ['proc.child', 'appscope.process.child.count', 'updowncounter', '{process}', 1, {}, 'Living child processes'],
  ['fs.open', 'appscope.file.operations', 'counter', '{operation}', 1, {[OPERATION]: 'open'}, 'File operations'],
  ['fs.close', 'appscope.file.operations', 'counter', '{operation}', 1, {[OPERATION]: 'close'}, 'File operations'],
  ['fs.seek', 'appscope.file.operations', 'counter', '{operation}', 1, {[OPERATION]: 'seek'}, 'File operations'],
  ['fs.stat', 'appscope.file.operations', 'counter', '{operation}', 1, {[OPERATION]: 'stat'}, 'File operations'],
  ['fs.delete', 'appscope.file.operations', 'counter', '{operation}', 1, {[OPERATION]: 'delete'}, 'File operations'],
  ['fs.error', 'appscope.file.errors', 'counter', '{error}', 1, {}, 'Failed file operations'],
  ['fs.read', 'appscope.file.io', 'counter', 'By', 1, {'disk.io.direction': 'read'}, 'Bytes read from and written to files'],
  ['fs.write', 'appscope.file.io', 'counter', 'By', 1, {'disk.io.direction': 'write'}, 'Bytes read from and written to files'],
  ['fs.read.ops', 'appscope.file.operations', 'counter', '{operation}', 1, {[OPERATION]: 'read'}, 'File operations'],
  ['fs.write.ops', 'appscope.file.operations', 'counter', '{operation}', 1, {[OPERATION]: 'write'}, 'File operations'],
  ['fs.duration', 'appscope.file.operation.duration', 'histogram', 's', 1e-6, {}, 'Duration of reads and writes'],
  ['net.open', 'appscope.network.connections.opened', 'counter', '{connection}', 1, {}, 'Connections opened'],
  ['net.close', 'appscope.network.connections.closed', 'counter', '{connection}', 1, {}, 'Connections closed'],
  ['net.tcp', 'appscope.network.connection.count', 'updowncounter', '{connection}', 1, {'network.transport': 'tcp'}, 'Open connections'],
  ['net.udp', 'appscope.network.connection.count', 'updowncounter', '{connection}', 1, {'network.transport': 'udp'}, 'Open connections'],
  ['net.other', 'appscope.network.connection.count', 'updowncounter', '{connection}', 1, {'network.transport': 'other'}, 'Open connections'],
  ['net.port', 'appscope.network.listen_port.count', 'updowncounter', '{port}', 1, {}, 'Open ports'],
  ['net.rx', 'process.network.io', 'counter', 'By', 1, {'network.io.direction': 'receive'}, 'Bytes received and sent'],
  ['net.tx', 'process.network.io', 'counter', 'By', 1, {'network.io.direction': 'transmit'}, 'Bytes received and sent'],
  ['net.duration', 'appscope.network.connection.duration', 'histogram', 's', 1e-3, {}, 'Life of connections'],
  ['net.error', 'appscope.network.errors', 'counter', '{error}', 1, {}, 'Failed network operations'],
  ['dns.req', 'appscope.dns.requests', 'counter', '{request}', 1, {}, 'Names asked for'],
  ['dns.duration', 'dns.lookup.duration', 'histogram', 's', 1e-3, {}, 'Duration of lookups'],
  ['http.req', 'appscope.http.requests', 'counter', '{request}', 1, {}, 'Requests answered'],
  ['http.duration.server', 'http.server.request.duration', 'histogram', 's', 1e-3, {}, 'Duration of HTTP server requests'],
  ['http.duration.client', 'http.client.request.duration', 'histogram', 's', 1e-3, {}, 'Duration of HTTP client requests'],
  ['http.req.content_length', 'appscope.http.request.body.bytes', 'counter', 'By', 1, {}, 'Bytes of request bodies'],
  ['http.resp.content_length', 'appscope.http.response.body.bytes', 'counter', 'By', 1, {}, 'Bytes of response bodies'],
  ['http.server.request.size', 'http.server.request.body.size', 'histogram', 'By', 1, {}, 'Size of HTTP server request bodies'],
  ['http.client.request.size', 'http.client.request.body.size', 'histogram', 'By', 1, {}, 'Size of HTTP client request bodies'],
  ['http.server.response.size', 'http.server.response.body.size', 'histogram', 'By', 1, {}, 'Size of HTTP server response bodies'],
  ['http.client.response.size', 'http.client.response.body.size', 'histogram', 'By', 1, {}, 'Size of HTTP client response bodies'],
  ['scope.lost', 'appscope.records.lost', 'counter', '{record}', 1, {}, 'Records that were not kept'],
];

/** One row per metric that AppScope makes itself, and per part of one that has a name of its own. */
export const CONVENTIONS: ReadonlyMap<string, Convention> = new Map(
  ROWS.map(([metric, name, instrument, unit, scale, attributes, about]) => [
    metric,
    {metric, name, instrument, unit, scale, attributes, about},
  ]),
);

/** Upper bounds in seconds for HTTP requests and lookups, as the conventions advise. */
export const DURATION_BOUNDS: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];
/** Upper bounds in seconds for reads and writes: 1 µs to 1 s. */
export const FILE_DURATION_BOUNDS: readonly number[] = [
  1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1,
  0.25, 0.5, 1,
];

/**
 * Fields of metrics, events and spans by OpenTelemetry's name. What is not listed keeps its own name behind
 * `appscope.`; `undefined`: stands in the resource or the instrument already.
 */
export const ATTRIBUTES: Readonly<Record<string, string | undefined>> = {
  proc: undefined,
  pid: undefined,
  host: undefined,
  unit: undefined,
  summary: undefined,
  args: 'process.command_args',
  uid: 'process.user.id',
  username: 'process.owner',
  gid: 'process.group_id',
  proc_uid: 'process.user.id',
  proc_gid: 'process.group_id',
  proc_cgroup: 'process.linux.cgroup',
  file: 'file.path',
  file_perms: 'file.mode',
  file_owner: 'file.owner.id',
  file_group: 'file.group.id',
  op: 'appscope.operation',
  class: 'error.type',
  remoteip: 'network.peer.address',
  remotep: 'network.peer.port',
  localip: 'network.local.address',
  localp: 'network.local.port',
  net_peer_ip: 'network.peer.address',
  net_peer_port: 'network.peer.port',
  net_host_ip: 'network.local.address',
  net_host_port: 'network.local.port',
  net_transport: 'network.transport',
  net_protocol: 'network.protocol.name',
  net_peer_name: 'server.address',
  proto: 'network.transport',
  domain: 'dns.question.name',
  addrs: 'dns.answers',
  http_method: 'http.request.method',
  http_status_code: 'http.response.status_code',
  http_scheme: 'url.scheme',
  http_host: 'server.address',
  http_flavor: 'network.protocol.version',
  http_user_agent: 'user_agent.original',
  http_client_ip: 'client.address',
  http_target: 'url.path',
  grpc_status: 'rpc.grpc.status_code',
  http_request_content_length: 'http.request.body.size',
  http_response_content_length: 'http.response.body.size',
};

/** Name of a field in OpenTelemetry; undefined: left out. */
export function attributeName(field: string): string | undefined {
  return field in ATTRIBUTES ? ATTRIBUTES[field] : `appscope.${field.replaceAll('-', '_')}`;
}
