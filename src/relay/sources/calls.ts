// SPDX-License-Identifier: Apache-2.0
/** Single calls, where the verbosity asks for them: errors, stats, seeks, and each read, write, send and receive. */
import {KIND, REC, type RecordCursor} from '../../channel/index.js';
import type {Attributes} from '../../records/types.js';
import {callName} from '../calls.js';
import {transferFields} from './address.js';
import type {Image, Source, SourceKind} from './source.js';

const EFAULT = -14;
const OPENING = new Set(['open', 'openat', 'openat2', 'creat', 'close', 'close_range', 'open_by_handle_at']);
const STATTING = /stat|^f?access/;
const READING = /^(?:p?read|recv|p?readv)/;
const WRITING = /^(?:p?write|send|p?writev)/;
const CONNECTING = new Set([
  'socket',
  'bind',
  'listen',
  'connect',
  'accept',
  'accept4',
  'shutdown',
  'socketpair',
]);
const NET_ONLY = /^(?:recv|send)(?:from|to|m?msg)$/;
const SINGLES = [
  'fs.error',
  'net.error',
  'fs.stat',
  'fs.seek',
  'fs.read',
  'fs.write',
  'fs.duration',
  'net.rx',
  'net.tx',
];

class CallSource implements Source {
  readonly #image: Image;

  constructor(image: Image) {
    this.#image = image;
  }

  record(record: RecordCursor): void {
    const op = callName(record.nr);
    if (record.ret < 0) this.#error(record, op);
    else if (STATTING.test(op)) this.#put('fs.stat', 1, record, {op, file: this.#path(record)});
    else if (op === 'lseek') this.#put('fs.seek', 1, record, {fd: record.fd, op, file: this.#path(record)});
    else if (READING.test(op)) this.#moved(record, op, 'rx');
    else if (WRITING.test(op) || op === 'sendfile') this.#moved(record, op, 'tx');
  }

  #error(record: RecordCursor, op: string): void {
    const file = record.ret === EFAULT ? 'EFAULT' : this.#path(record);
    // Asking for SO_ERROR is how a program learns that its connection failed.
    if (op === 'getsockopt') this.#put('net.error', 1, record, {op: 'connect', class: 'connection'});
    else if (CONNECTING.has(op)) this.#put('net.error', 1, record, {op, class: 'connection'});
    else if (NET_ONLY.test(op) || this.#image.connection(record.object) !== undefined)
      this.#put('net.error', 1, record, {op, class: 'rx_tx'});
    else if (OPENING.has(op)) this.#put('fs.error', 1, record, {op, file, class: 'open_close'});
    else if (STATTING.test(op)) this.#put('fs.error', 1, record, {op, file, class: 'stat'});
    else this.#put('fs.error', 1, record, {op, file, class: 'read_write'});
  }

  /** Bytes moved: of a connection or of a file, as the descriptor says. */
  #moved(record: RecordCursor, op: string, way: 'rx' | 'tx'): void {
    if (record.fd <= 2 && this.#image.file(record.object) === undefined) return;
    const connection = this.#image.connection(record.object);
    if (connection !== undefined || NET_ONLY.test(op)) {
      const fields =
        connection === undefined ? {domain: 'AF_INET', proto: 'OTHER'} : transferFields(connection);
      this.#put(`net.${way}`, record.ret, record, {fd: record.fd, ...fields, numops: 1});
      return;
    }
    const file = this.#image.file(record.object);
    if (file === undefined || file.kind === KIND.PIPE) return;
    const attributes = {fd: record.fd, op, file: file.path, numops: 1};
    this.#put(way === 'rx' ? 'fs.read' : 'fs.write', record.ret, record, attributes);
    const micros = Math.round(this.#image.channel.nanoseconds(record.ticks)) / 1000;
    if (record.ticks > 0) this.#put('fs.duration', micros, record, attributes);
  }

  #path(record: RecordCursor): string {
    return record.text() || this.#image.file(record.object)?.path || '';
  }

  #put(name: string, value: number, record: RecordCursor, attributes: Attributes): void {
    if (!this.#image.wantsSingle(name)) return;
    this.#image.single({name, value, time: this.#image.time(record), attributes});
  }
}

export const callSource: SourceKind = {
  name: 'calls',
  types: () => [REC.CALL],
  create: (image) => (SINGLES.some((name) => image.wantsSingle(name)) ? new CallSource(image) : undefined),
};
