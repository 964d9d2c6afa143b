// SPDX-License-Identifier: Apache-2.0
/** Files: fs.open, fs.close and fs.delete events, and the single forms of fs.open, fs.close and fs.delete. */
import {KIND, REC, type RecordCursor} from '../../channel/index.js';
import {callName} from '../calls.js';
import type {Image, OpenFile, Source, SourceKind} from './source.js';

/** Standard streams are no files that a program opened. */
const FIRST_FILE_FD = 3;

class FileSource implements Source {
  readonly #image: Image;
  readonly #events: boolean;
  readonly #enhance: boolean;

  constructor(image: Image) {
    this.#image = image;
    this.#events = image.wantsEvent('fs');
    this.#enhance = image.settings.events.enhanceFs;
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
    const known = this.#enhance && info.mode !== 0;
    const file: OpenFile = {
      path: record.text(),
      kind: info.kind,
      perms: known ? octal(info.mode & 0o7777) : 0,
      owner: known ? info.uid : 0,
      group: known ? info.gid : 0,
    };
    image.opened(record.object, file);
    if (record.fd < FIRST_FILE_FD) return;
    const op = callName(record.nr);
    if (this.#events) {
      image.event('fs', 'fs.open', image.time(record), record.object, this.#data(file, op));
    }
    this.#single('fs.open', record, file.path);
  }

  #close(record: RecordCursor): void {
    const image = this.#image;
    const file = image.file(record.object) ?? unnamed(record.text());
    image.closed(record.object);
    if (file === undefined || record.fd < FIRST_FILE_FD) return;
    if (this.#events) {
      const {rxBytes, rxOps, txBytes, txOps, ticks} = record.close();
      const ops = rxOps + txOps;
      const micros = ops === 0 ? 0 : image.channel.nanoseconds(ticks) / 1000 / ops;
      const {process} = image;
      image.event('fs', 'fs.close', image.time(record), record.object, {
        proc: process.proc,
        pid: process.pid,
        host: process.host,
        file: file.path,
        proc_uid: process.uid,
        proc_gid: process.gid,
        proc_cgroup: process.cgroup,
        file_perms: file.perms,
        file_owner: file.owner,
        file_group: file.group,
        file_read_bytes: rxBytes,
        file_read_ops: rxOps,
        file_write_bytes: txBytes,
        file_write_ops: txOps,
        duration: Math.round(micros * 1000) / 1000,
        op: callName(record.nr),
      });
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

  #data(file: OpenFile, op: string): Record<string, unknown> {
    const {process} = this.#image;
    return {
      proc: process.proc,
      pid: process.pid,
      host: process.host,
      file: file.path,
      proc_uid: process.uid,
      proc_gid: process.gid,
      proc_cgroup: process.cgroup,
      file_perms: file.perms,
      file_owner: file.owner,
      file_group: file.group,
      op,
    };
  }

  #single(name: string, record: RecordCursor, file: string): void {
    const image = this.#image;
    if (!image.wantsSingle(name)) return;
    const attributes = {fd: record.fd, op: callName(record.nr), file};
    image.single({name, value: 1, time: image.time(record), attributes});
  }
}

/** A file that was open before the records began: the close tells its path, if anything does. */
function unnamed(path: string): OpenFile | undefined {
  return path === '' ? undefined : {path, kind: KIND.FILE, perms: 0, owner: 0, group: 0};
}

/** 0o644 -> 644 */
function octal(mode: number): number {
  return Number(mode.toString(8));
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
