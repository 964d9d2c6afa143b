// SPDX-License-Identifier: Apache-2.0
/** Connections: net.open and net.close events, and the single forms of the connection metrics. */
import {FD_FLAG, REC, type RecordCursor} from '../../channel/index.js';
import type {Attributes} from '../../records/types.js';
import {
  addressFields,
  appName,
  type Connection,
  connectionOf,
  isStream,
  portProtocol,
  protoName,
} from './address.js';
import type {Image, Source, SourceKind} from './source.js';

/** Open connections remembered for the gauges. */
type Gauge = 'net.tcp' | 'net.udp' | 'net.other';

const SINGLES = ['net.open', 'net.close', 'net.duration', 'net.tcp', 'net.udp', 'net.other'];

class NetSource implements Source {
  readonly #image: Image;
  readonly #open = new Set<number>();
  readonly #gauges: Record<Gauge, number> = {'net.tcp': 0, 'net.udp': 0, 'net.other': 0};

  readonly #singles: boolean;

  constructor(image: Image) {
    this.#image = image;
    this.#singles = SINGLES.some((name) => image.wantsSingle(name));
  }

  record(record: RecordCursor): void {
    const connection = this.#connectionOf(record);
    if (record.type === REC.CONN_OPEN) {
      this.#image.connected(record.object, connection);
      this.#opened(record, connection);
    } else {
      this.#closed(record, connection);
      this.#image.disconnected(record.object);
    }
  }

  /** A socket that was shut down has no peer any more: what was known at its beginning holds. */
  #connectionOf(record: RecordCursor): Connection {
    const now = connectionOf(record.conn());
    const known = now.remotePort === 0 ? this.#image.connection(record.object) : undefined;
    return known === undefined ? now : {...known, flags: now.flags};
  }

  #opened(record: RecordCursor, connection: Connection): void {
    const image = this.#image;
    if (isStream(connection) && image.wantsEvent('net')) {
      image.event(
        'net',
        'net.open',
        image.time(record),
        record.object,
        this.#data(record.object, connection, 0),
      );
    }
    if (!this.#singles) return;
    this.#open.add(record.object);
    this.#single('net.open', record, connection, 1);
    this.#count(record, connection, 1);
  }

  #closed(record: RecordCursor, connection: Connection): void {
    const image = this.#image;
    const {app} = record.conn();
    const {rxBytes, txBytes, lifeTicks} = record.close();
    const millis = Math.round(image.channel.nanoseconds(lifeTicks) / 1000) / 1000;
    const moved = rxBytes + txBytes > 0;
    if (isStream(connection) && moved && image.wantsEvent('net')) {
      const data = this.#data(record.object, connection, app);
      data.duration = millis;
      data.net_bytes_sent = txBytes;
      data.net_bytes_recv = rxBytes;
      data.net_close_reason = connection.flags & FD_FLAG.REMOTE_END ? 'remote' : 'local';
      image.event('net', 'net.close', image.time(record), record.object, data);
    }
    if (!this.#singles) return;
    this.#single('net.close', record, connection, 1);
    if (this.#open.delete(record.object)) this.#count(record, connection, -1);
    if (moved) this.#single('net.duration', record, connection, millis, {numops: 1});
  }

  /** `app`: one of PROTOCOL, what the library found. */
  #data(object: number, connection: Connection, app: number): Record<string, unknown> {
    const data = addressFields(connection);
    const name = this.#image.names.get(connection.remoteIp);
    if (name !== undefined) data.net_peer_name = name;
    const protocol =
      this.#image.protocols.get(object)?.toLowerCase() ?? appName(app) ?? portProtocol(connection);
    if (protocol !== undefined) data.net_protocol = protocol;
    return data;
  }

  /** The gauge of the connection's kind, one by one. */
  #count(record: RecordCursor, connection: Connection, change: number): void {
    const proto = protoName(connection);
    const gauge: Gauge = proto === 'TCP' ? 'net.tcp' : proto === 'UDP' ? 'net.udp' : 'net.other';
    this.#gauges[gauge] += change;
    this.#single(gauge, record, connection, this.#gauges[gauge]);
  }

  #single(
    name: string,
    record: RecordCursor,
    connection: Connection,
    value: number,
    more: Attributes = {},
  ): void {
    const image = this.#image;
    if (!image.wantsSingle(name)) return;
    const attributes = {fd: record.fd, proto: protoName(connection), port: connection.localPort, ...more};
    image.single({name, value, time: image.time(record), attributes});
  }
}

export const netSource: SourceKind = {
  name: 'net',
  types: () => [REC.CONN_OPEN, REC.CONN_CLOSE],
  create: (image) => new NetSource(image),
};
