// SPDX-License-Identifier: Apache-2.0
/** net.open and net.close of IP connections as events that render their own line. */
import {type EventSource, eventSource} from '../../records/ndjson.js';
import type {LineWriter, Process} from '../../records/types.js';
import {addressFields, type Connection, transportName} from './address.js';
import {LineEvent, type LineParts} from './line-event.js';

/** What a close adds. */
export interface Closed {
  millis: number;
  sent: number;
  received: number;
  reason: 'remote' | 'local';
}

const PEER_IP = Buffer.from('","net_peer_ip":"');
const PEER_PORT = Buffer.from('","net_peer_port":');
const HOST_IP = Buffer.from(',"net_host_ip":"');
const HOST_PORT = Buffer.from('","net_host_port":');
const PEER_NAME = Buffer.from(',"net_peer_name":');
const PROTOCOL = Buffer.from(',"net_protocol":');
const DURATION = Buffer.from(',"duration":');
const SENT = Buffer.from(',"net_bytes_sent":');
const RECEIVED = Buffer.from(',"net_bytes_recv":');
const REASON = {
  remote: Buffer.from(',"net_close_reason":"remote"'),
  local: Buffer.from(',"net_close_reason":"local"'),
} as const;
const END = Buffer.from('}}}\n');

export class NetParts implements LineParts {
  readonly process: Process;
  readonly channelPrefix: string;
  readonly open: EventSource;
  readonly close: EventSource;

  constructor(process: Process, channelPrefix: string) {
    this.process = process;
    this.channelPrefix = channelPrefix;
    this.open = eventSource(process, 'net', 'net.open', '{"net_transport":"');
    this.close = eventSource(process, 'net', 'net.close', '{"net_transport":"');
  }
}

export class NetEvent extends LineEvent<NetParts> {
  readonly sourcetype = 'net';
  readonly #connection: Connection;
  readonly #name: string | undefined;
  readonly #protocol: string | undefined;
  readonly #closed: Closed | undefined;

  constructor(
    parts: NetParts,
    time: number,
    object: number,
    connection: Connection,
    name: string | undefined,
    protocol: string | undefined,
    closed: Closed | undefined,
  ) {
    super(parts, time, object);
    this.#connection = connection;
    this.#name = name;
    this.#protocol = protocol;
    this.#closed = closed;
  }

  get source(): string {
    return this.#closed === undefined ? 'net.open' : 'net.close';
  }

  get data(): Record<string, unknown> {
    return netData(this.#connection, this.#name, this.#protocol, this.#closed);
  }

  writeLine(out: LineWriter): void {
    const connection = this.#connection;
    const closed = this.#closed;
    this.begin(out, closed === undefined ? this.parts.open : this.parts.close);
    out.ascii(transportName(connection));
    out.bytes(PEER_IP);
    out.ascii(connection.remoteIp);
    out.bytes(PEER_PORT);
    out.integer(connection.remotePort);
    out.bytes(HOST_IP);
    out.ascii(connection.localIp);
    out.bytes(HOST_PORT);
    out.integer(connection.localPort);
    if (this.#name !== undefined) {
      out.bytes(PEER_NAME);
      out.string(this.#name);
    }
    if (this.#protocol !== undefined) {
      out.bytes(PROTOCOL);
      out.string(this.#protocol);
    }
    if (closed !== undefined) {
      out.bytes(DURATION);
      out.number(closed.millis);
      out.bytes(SENT);
      out.integer(closed.sent);
      out.bytes(RECEIVED);
      out.integer(closed.received);
      out.bytes(REASON[closed.reason]);
    }
    out.bytes(END);
  }
}

/** The members of `data`, in their order. */
export function netData(
  connection: Connection,
  name: string | undefined,
  protocol: string | undefined,
  closed: Closed | undefined,
): Record<string, unknown> {
  const data = addressFields(connection);
  if (name !== undefined) data.net_peer_name = name;
  if (protocol !== undefined) data.net_protocol = protocol;
  if (closed !== undefined) {
    data.duration = closed.millis;
    data.net_bytes_sent = closed.sent;
    data.net_bytes_recv = closed.received;
    data.net_close_reason = closed.reason;
  }
  return data;
}
