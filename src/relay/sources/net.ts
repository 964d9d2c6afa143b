// SPDX-License-Identifier: Apache-2.0
/** Connections: net.open and net.close events, and the single forms of the connection metrics. */
import {type ConnInfo, FD_FLAG, REC, type RecordCursor} from '../../channel/index.js';
import type {Attributes} from '../../records/types.js';
import {
  appName,
  type Connection,
  connectionOf,
  isInet,
  isStream,
  portProtocol,
  protoName,
} from './address.js';
import {type Closed, NetEvent, NetParts, netData} from './net-event.js';
import type {Image, Source, SourceKind} from './source.js';

/** Open connections remembered for the gauges. */
type Gauge = 'net.tcp' | 'net.udp' | 'net.other';

const SINGLES = ['net.open', 'net.close', 'net.duration', 'net.tcp', 'net.udp', 'net.other'];

class NetSource implements Source {
  readonly #image: Image;
  readonly #open = new Set<number>();
  readonly #gauges: Record<Gauge, number> = {'net.tcp': 0, 'net.udp': 0, 'net.other': 0};

  readonly #singles: boolean;
  /** Where no filter looks at the events' data. */
  readonly #parts: NetParts | undefined;

  constructor(image: Image) {
    this.#image = image;
    this.#parts = image.plain('net') ? new NetParts(image.process, image.channelPrefix) : undefined;
    this.#singles = SINGLES.some((name) => image.wantsSingle(name));
  }

  record(record: RecordCursor): void {
    const info = record.conn();
    const connection = this.#connectionOf(record.object, info);
    if (record.type === REC.CONN_OPEN) {
      this.#image.connected(record.object, connection);
      this.#opened(record, connection);
    } else {
      this.#closed(record, connection, info.app);
      this.#image.disconnected(record.object);
    }
  }

  /** A socket that was shut down has no peer any more: what was known at its beginning holds. */
  #connectionOf(object: number, info: ConnInfo): Connection {
    const known = info.remotePort === 0 ? this.#image.connection(object) : undefined;
    return known === undefined ? connectionOf(info) : {...known, flags: info.flags};
  }

  #opened(record: RecordCursor, connection: Connection): void {
    const image = this.#image;
    if (isStream(connection) && image.wantsEvent('net')) this.#event(record, connection, 0, undefined);
    if (!this.#singles) return;
    this.#open.add(record.object);
    this.#single('net.open', record, connection, 1);
    this.#count(record, connection, 1);
  }

  /** `app`: one of PROTOCOL. */
  #closed(record: RecordCursor, connection: Connection, app: number): void {
    const image = this.#image;
    const {rxBytes, txBytes, lifeTicks} = record.close();
    const micros = Math.round(image.channel.nanoseconds(lifeTicks) / 1000);
    const moved = rxBytes + txBytes > 0;
    if (isStream(connection) && moved && image.wantsEvent('net')) {
      const reason = connection.flags & FD_FLAG.REMOTE_END ? 'remote' : 'local';
      this.#event(record, connection, app, {micros, sent: txBytes, received: rxBytes, reason});
    }
    if (!this.#singles) return;
    this.#single('net.close', record, connection, 1);
    if (this.#open.delete(record.object)) this.#count(record, connection, -1);
    if (moved) this.#single('net.duration', record, connection, micros / 1000, {numops: 1});
  }

  /** net.close where it closed, else net.open. `app`: one of PROTOCOL, what the library found. */
  #event(record: RecordCursor, connection: Connection, app: number, closed: Closed | undefined): void {
    const image = this.#image;
    const {object} = record;
    const time = image.time(record);
    const name = image.names.get(connection.remoteIp);
    const protocol = image.protocols.get(object)?.toLowerCase() ?? appName(app) ?? portProtocol(connection);
    if (this.#parts !== undefined && isInet(connection)) {
      image.put(new NetEvent(this.#parts, time, object, connection, name, protocol, closed));
      return;
    }
    const source = closed === undefined ? 'net.open' : 'net.close';
    image.event('net', source, time, object, netData(connection, name, protocol, closed));
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
