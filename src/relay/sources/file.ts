// SPDX-License-Identifier: Apache-2.0
/** Files: fs.open, fs.close and fs.delete events, and the single forms of fs.open, fs.close and fs.delete. */
import {KIND, REC, type RecordCursor} from '../../channel/index.js';
import {callName} from '../calls.js';
import {fileData, type Traffic} from './file-data.js';
import type {Image, OpenFile, Source, SourceKind} from './source.js';

/** A standard stream that the program did not open is no file of its. */
const FIRST_FILE_FD = 3;

class FileSource implements Source {
  readonly #image: Image;

  constructor(image: Image) {
    this.#image = image;
  }

  get #events(): boolean {
    return this.#image.wantsEvent('fs');
  }

  record(record: RecordCursor): void {
    if (record.type === REC.OPEN) this.#open(record);
    else if (record.type === REC.CLOSE) this.#close(record);
    else this.#delete(record);
  }

  #open(record: RecordCursor): void {
    const image = this.#image;
    if (record.ret < 0) return;
    const info = record.open();
    const known = image.settings.events.enhanceFs && info.mode !== 0;
    const file: OpenFile = {
      path: record.text(),
      kind: info.kind,
      perms: known ? octal(info.mode & 0o7777) : 0,
      owner: known ? info.uid : 0,
      group: known ? info.gid : 0,
    };
    image.opened(record.object, file);
    if (this.#events) this.#event('fs.open', record, file);
    this.#single('fs.open', record, file.path);
  }

  #close(record: RecordCursor): void {
    const image = this.#image;
    const file = image.file(record.object) ?? unnamed(record);
    image.closed(record.object);
    if (file === undefined) return;
    if (this.#events) {
      const {rxBytes, rxOps, txBytes, txOps, ticks} = record.close();
      const ops = rxOps + txOps;
      const nanos = ops === 0 ? 0 : Math.round(image.channel.nanoseconds(ticks) / ops);
      this.#event('fs.close', record, file, {rxBytes, rxOps, txBytes, txOps, micros: nanos / 1000});
    }
    this.#single('fs.close', record, file.path);
  }

  #delete(record: RecordCursor): void {
    const image = this.#image;
    if (record.ret < 0) return;
    const file = record.text();
    const op = callName(record.nr);
    const {proc, pid, host} = image.process;
    image.event('fs', 'fs.delete', image.time(record), 0, {proc, pid, host, op, file, unit: 'operation'});
    if (image.wantsSingle('fs.delete')) {
      image.single({name: 'fs.delete', value: 1, time: image.time(record), attributes: {op, file}});
    }
  }

  #event(source: string, record: RecordCursor, file: OpenFile, traffic?: Traffic): void {
    const image = this.#image;
    const data = fileData(image.process, file, callName(record.nr), traffic);
    image.event('fs', source, image.time(record), record.object, data);
  }

  #single(name: string, record: RecordCursor, file: string): void {
    const image = this.#image;
    if (!image.wantsSingle(name)) return;
    const attributes = {fd: record.fd, op: callName(record.nr), file};
    image.single({name, value: 1, time: image.time(record), attributes});
  }
}

/** A file that was open before the records began: the close tells its path, if anything does. */
function unnamed(record: RecordCursor): OpenFile | undefined {
  if (record.fd < FIRST_FILE_FD) return undefined;
  const path = record.text();
  return path === '' ? undefined : {path, kind: KIND.FILE, perms: 0, owner: 0, group: 0};
}

/** 0o644 -> 644 */
function octal(mode: number): number {
  return ((mode >> 9) & 7) * 1000 + ((mode >> 6) & 7) * 100 + ((mode >> 3) & 7) * 10 + (mode & 7);
}

/** Whether a descriptor's kind is that of a file in a file system. */
export function isFileKind(kind: number): boolean {
  return kind === KIND.FILE || kind === KIND.DIR || kind === KIND.DEVICE;
}

export const fileSource: SourceKind = {
  name: 'file',
  types: () => [REC.OPEN, REC.CLOSE, REC.DELETE],
  create: (image) => new FileSource(image),
};
