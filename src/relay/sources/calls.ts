// SPDX-License-Identifier: Apache-2.0
/** Single calls, where the verbosity asks for them: errors, stats, seeks, and each read, write, send and receive. */
import {KIND, REC, type RecordCursor} from '../../channel/index.js';
import type {Attributes} from '../../records/types.js';
import {callName} from '../calls.js';
import {transferFields} from './address.js';
import type {Image, Source, SourceKind} from './source.js';

const EFAULT = -14;
const READING = new Set(['read', 'pread64', 'readv', 'preadv', 'preadv2', 'recvfrom', 'recvmsg']);
const WRITING = new Set([
  ...['write', 'pwrite64', 'writev', 'pwritev', 'pwritev2', 'sendto', 'sendmsg'],
  ...['sendfile', 'splice', 'tee', 'vmsplice', 'copy_file_range'],
]);
/** Errors of class read_write besides those of reading and writing: about a descriptor's content. */
const CONTENT = new Set([
  ...['lseek', 'getdents', 'getdents64', 'ftruncate', 'fallocate', 'fsync', 'fdatasync', 'sync_file_range'],
  ...['fchmod', 'fchown'],
]);
const STATTING = new Set([
  ...['stat', 'lstat', 'fstat', 'newfstatat', 'statx', 'statfs', 'fstatfs', 'access', 'faccessat'],
  'faccessat2',
]);
// getsockopt: asking for SO_ERROR is how a program learns that its connection failed.
const CONNECTING = new Set([
  ...['socket', 'bind', 'listen', 'connect', 'accept', 'accept4', 'shutdown', 'socketpair', 'getsockopt'],
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
    else if (STATTING.has(op)) this.#put('fs.stat', 1, record, {op, file: this.#path(record)});
    else if (op === 'lseek') this.#put('fs.seek', 1, record, {fd: record.fd, op, file: this.#path(record)});
    else if (READING.has(op)) this.#moved(record, op, 'rx');
    else if (WRITING.has(op)) this.#moved(record, op, 'tx');
  }

  #error(record: RecordCursor, op: string): void {
    if (CONNECTING.has(op)) {
      this.#put('net.error', 1, record, {op: op === 'getsockopt' ? 'connect' : op, class: 'connection'});
    } else if (NET_ONLY.test(op) || this.#image.connection(record.object) !== undefined) {
      this.#put('net.error', 1, record, {op, class: 'rx_tx'});
    } else {
      const file = record.ret === EFAULT ? 'EFAULT' : this.#path(record);
      this.#put('fs.error', 1, record, {op, file, class: errorClass(op)});
    }
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

function errorClass(op: string): string {
  if (STATTING.has(op)) return 'stat';
  return READING.has(op) || WRITING.has(op) || CONTENT.has(op) ? 'read_write' : 'open_close';
}

export const callSource: SourceKind = {
  name: 'calls',
  types: () => [REC.CALL],
  create: (image) => (SINGLES.some((name) => image.wantsSingle(name)) ? new CallSource(image) : undefined),
};
