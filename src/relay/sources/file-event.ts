// SPDX-License-Identifier: Apache-2.0
/**
 * fs.open and fs.close as events that render their own line: they are the most frequent events by far, and most of
 * their bytes are the same for all of a process. `data` is made when somebody asks for it.
 */
import {type EventSource, eventSource} from '../../records/ndjson.js';
import type {Event, LineWriter, Process} from '../../records/types.js';
import {callName} from '../calls.js';
import {channelId, OBJECT_DIGITS} from './channel-id.js';
import type {OpenFile} from './source.js';

/** Traffic of a descriptor's life. */
export interface Traffic {
  rxBytes: number;
  rxOps: number;
  txBytes: number;
  txOps: number;
  /** Mean microseconds of an operation. */
  micros: number;
}

const READ_BYTES = Buffer.from(',"file_read_bytes":');
const READ_OPS = Buffer.from(',"file_read_ops":');
const WRITE_BYTES = Buffer.from(',"file_write_bytes":');
const WRITE_OPS = Buffer.from(',"file_write_ops":');
const DURATION = Buffer.from(',"duration":');
/** Owners that are kept rendered. */
const KEPT = 1024;

function withChannel(source: EventSource, prefix: string): EventSource {
  return {...source, head: Buffer.concat([source.head, Buffer.from(prefix)])};
}

/** What the events of one process share, rendered once. */
export class FileParts {
  readonly process: Process;
  readonly channelPrefix: string;
  /** Their heads hold the prefix of `_channel` already. */
  readonly open: EventSource;
  readonly close: EventSource;
  readonly #owners = new Map<number, Buffer>();
  readonly #ends: (Buffer | undefined)[] = [];
  /** From `,"proc_uid":` on, what the process contributes. */
  readonly ownerPrefix: string;

  constructor(process: Process, channelPrefix: string) {
    const {proc, pid, host, uid, gid, cgroup} = process;
    const first = `${JSON.stringify({proc, pid, host}).slice(0, -1)},"file":`;
    const second = JSON.stringify({proc_uid: uid, proc_gid: gid, proc_cgroup: cgroup});
    this.process = process;
    this.channelPrefix = channelPrefix;
    this.open = withChannel(eventSource(process, 'fs', 'fs.open', first), channelPrefix);
    this.close = withChannel(eventSource(process, 'fs', 'fs.close', first), channelPrefix);
    this.ownerPrefix = `,${second.slice(1, -1)}`;
  }

  /** From `,"proc_uid":` to the value of file_group; remembered by the file. */
  owner(file: OpenFile): Buffer {
    file.rendered ??= this.#owner(file);
    return file.rendered;
  }

  #owner({perms, owner, group}: OpenFile): Buffer {
    // Exact for ids below 2^18; others are not kept.
    const key = owner < 262_144 && group < 262_144 ? (perms * 262_144 + owner) * 262_144 + group : -1;
    const kept = this.#owners.get(key);
    if (kept !== undefined) return kept;
    const bytes = Buffer.from(
      `${this.ownerPrefix},"file_perms":${perms},"file_owner":${owner},"file_group":${group}`,
    );
    if (key >= 0 && perms < 10_000 && this.#owners.size < KEPT) this.#owners.set(key, bytes);
    return bytes;
  }

  /** `,"op":…` and the end of the line. */
  end(nr: number): Buffer {
    let bytes = this.#ends[nr];
    if (bytes === undefined) {
      bytes = Buffer.from(`,"op":${JSON.stringify(callName(nr))}}}}\n`);
      this.#ends[nr] = bytes;
    }
    return bytes;
  }
}

export class FileEvent implements Event {
  readonly kind = 'event';
  readonly sourcetype = 'fs';
  readonly time: number;
  readonly #object: number;
  readonly #parts: FileParts;
  readonly #file: OpenFile;
  /** System call number. */
  readonly #nr: number;
  readonly #traffic: Traffic | undefined;

  constructor(
    parts: FileParts,
    time: number,
    object: number,
    file: OpenFile,
    nr: number,
    traffic: Traffic | undefined,
  ) {
    this.time = time;
    this.#object = object;
    this.#parts = parts;
    this.#file = file;
    this.#nr = nr;
    this.#traffic = traffic;
  }

  get source(): string {
    return this.#traffic === undefined ? 'fs.open' : 'fs.close';
  }

  get process(): Process {
    return this.#parts.process;
  }

  get channel(): string {
    return channelId(this.#parts.channelPrefix, this.#object);
  }

  get data(): Record<string, unknown> {
    return fileData(this.process, this.#file, callName(this.#nr), this.#traffic);
  }

  writeLine(out: LineWriter): void {
    const parts = this.#parts;
    const file = this.#file;
    const traffic = this.#traffic;
    const {head, middle, tail} = traffic === undefined ? parts.open : parts.close;
    out.bytes(head);
    out.digits(this.#object, OBJECT_DIGITS);
    out.bytes(middle);
    out.time(this.time);
    out.bytes(tail);
    if (file.quoted === undefined) out.string(file.path);
    else out.bytes(file.quoted);
    out.bytes(parts.owner(file));
    if (traffic !== undefined) {
      out.bytes(READ_BYTES);
      out.integer(traffic.rxBytes);
      out.bytes(READ_OPS);
      out.integer(traffic.rxOps);
      out.bytes(WRITE_BYTES);
      out.integer(traffic.txBytes);
      out.bytes(WRITE_OPS);
      out.integer(traffic.txOps);
      out.bytes(DURATION);
      out.number(traffic.micros);
    }
    out.bytes(parts.end(this.#nr));
  }
}

/** The members of `data`, in their order. */
export function fileData(
  process: Process,
  file: OpenFile,
  op: string,
  traffic: Traffic | undefined,
): Record<string, unknown> {
  const data: Record<string, unknown> = {
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
  };
  if (traffic !== undefined) {
    data.file_read_bytes = traffic.rxBytes;
    data.file_read_ops = traffic.rxOps;
    data.file_write_bytes = traffic.txBytes;
    data.file_write_ops = traffic.txOps;
    data.duration = traffic.micros;
  }
  data.op = op;
  return data;
}
