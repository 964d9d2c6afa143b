// SPDX-License-Identifier: Apache-2.0
/** net.open and net.close of TCP connections as events that render their own line. */
import type {LineWriter, Process} from '../../records/types.js';
import {addressFields, type Connection} from './address.js';
import {LineEvent, type LineParts, LineSource} from './line-event.js';

/** What a close adds. */
export interface Closed {
  /** Of its life. */
  micros: number;
  sent: number;
  received: number;
  reason: 'remote' | 'local';
}

const PEER_NAME = Buffer.from(',"net_peer_name":');
const PROTOCOL = Buffer.from(',"net_protocol":');
const DURATION = Buffer.from(',"duration":');
const SENT = Buffer.from(',"net_bytes_sent":');
const RECEIVED = Buffer.from(',"net_bytes_recv":');
const CLOSE_END = {
  remote: Buffer.from(',"net_close_reason":"remote"}}}\n'),
  local: Buffer.from(',"net_close_reason":"local"}}}\n'),
} as const;
const OPEN_END = Buffer.from('}}}\n');

/** Times that an end came in a row until it is worth to be rendered. */
const OFTEN = 8;

/** Ends of connections as they stand in lines. A server's own, or that of a client's only peer, comes again and again: it is rendered once. */
class EndText {
  readonly #ipHead: Buffer;
  readonly #portHead: Buffer;
  #ip = '';
  #port = -1;
  #times = 0;
  #bytes: Buffer | undefined;

  constructor(ipHead: string, portHead: string) {
    this.#ipHead = Buffer.from(ipHead);
    this.#portHead = Buffer.from(portHead);
  }

  write(out: LineWriter, ip: string, port: number): void {
    if (port !== this.#port || ip !== this.#ip) {
      this.#ip = ip;
      this.#port = port;
      this.#bytes = undefined;
      this.#times = 0;
    } else if (this.#bytes !== undefined) {
      out.bytes(this.#bytes);
      return;
    } else if (++this.#times === OFTEN) {
      this.#bytes = Buffer.concat([this.#ipHead, Buffer.from(ip), this.#portHead, Buffer.from(`${port}`)]);
    }
    out.bytes(this.#ipHead);
    out.ascii(ip);
    out.bytes(this.#portHead);
    out.integer(port);
  }
}

export class NetParts implements LineParts {
  readonly process: Process;
  readonly channelPrefix: string;
  readonly open: LineSource;
  readonly close: LineSource;
  readonly peer = new EndText('"net_peer_ip":"', '","net_peer_port":');
  readonly host = new EndText(',"net_host_ip":"', '","net_host_port":');

  constructor(process: Process, channelPrefix: string) {
    this.process = process;
    this.channelPrefix = channelPrefix;
    this.open = new LineSource(this, 'net', 'net.open', '{"net_transport":"IP.TCP",');
    this.close = new LineSource(this, 'net', 'net.close', '{"net_transport":"IP.TCP",');
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
    const {remoteIp, remotePort, localIp, localPort} = this.#connection;
    const closed = this.#closed;
    const {open, close, peer, host} = this.parts;
    (closed === undefined ? open : close).begin(out, this.object, this.time);
    peer.write(out, remoteIp, remotePort);
    host.write(out, localIp, localPort);
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
      out.thousandths(closed.micros);
      out.bytes(SENT);
      out.integer(closed.sent);
      out.bytes(RECEIVED);
      out.integer(closed.received);
      out.bytes(CLOSE_END[closed.reason]);
    } else out.bytes(OPEN_END);
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
    data.duration = closed.micros / 1000;
    data.net_bytes_sent = closed.sent;
    data.net_bytes_recv = closed.received;
    data.net_close_reason = closed.reason;
  }
  return data;
}
