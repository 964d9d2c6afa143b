// SPDX-License-Identifier: Apache-2.0
/**
 * Writes one session: events.json, metrics.json, payloads/ and the index; spans are for destinations only. Nothing counts
 * until commit(); opening cuts every file to the last commit, so that a relay killed anywhere and its successor leave each record once
 * when the successor reads on from `position`.
 */
import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {ScopeError} from '../base/errors.js';
import type {LineSpan} from '../channel/index.js';
import type {Event, Process, RelayRecord} from '../records/types.js';
import {type Commit, CommitFile, NOTHING, readCommit} from './commit.js';
import {ENTRY, IndexBuffer, parseNames, typeNumber} from './index-file.js';
import {FILES, INDEX_FILES} from './layout.js';
import {tryLock} from './lock.js';
import {PayloadFiles} from './payload-files.js';
import {type RelayState, readStatus, type SessionStatus, writeStatus} from './status.js';
import {type LineEncoder, Stream} from './stream.js';

export interface SessionOptions {
  /** Makes the wire line of a record (src/records). */
  encode: LineEncoder;
  /** Size at which events and payloads are no longer stored but counted; default 2 GiB. */
  capBytes?: number;
}

export interface SessionWriter {
  readonly workdir: string;
  /** What the last commit was given: where to read on. 0 in a new session. */
  readonly position: number;
  /** Records not stored, by cause: `size_cap`, `no_space`, `too_large`. */
  readonly lost: Readonly<Record<string, number>>;
  /** Event lines so far. */
  readonly events: number;
  /** Set before a commit: the pass before it left something in the channels, so a query that waits has to wait on. */
  behind: boolean;
  append(records: readonly RelayRecord[]): void;
  /** Lines of fs.open and fs.close as they are. */
  appendLines(span: Readonly<LineSpan>, process: Process): void;
  /**
   * Makes all appended so far valid, together with the position it was read up to. To be called after every pass over
   * the channels, also an empty one, at least every 100 ms while the relay runs: a query waits until a whole pass
   * began after it was asked, that is, until the commit before the last one is younger than the query.
   */
  commit(position?: number): void;
  /** Changes status.json: the state, processes, losses elsewhere, notes. */
  setStatus(change: Partial<Omit<SessionStatus, 'pid' | 'updated'>>): void;
  /** Commits and releases the session. */
  close(): void;
}

const DEFAULT_CAP = 2 * 1024 ** 3;
/** Metrics are small and say most: they may go on this far beyond the cap. */
const METRICS_GRACE = 64 * 1024 ** 2;

/** The session's writer; undefined when another living process writes it. */
export function tryOpenSession(workdir: string, options: SessionOptions): SessionWriter | undefined {
  const dir = join(workdir, FILES.index);
  // Deleted meanwhile: it must not come back as an empty one.
  if (!existsSync(workdir)) throw new ScopeError('SCOPE_NOT_FOUND', `${workdir}: there is no such session`);
  mkdirSync(dir, {recursive: true, mode: 0o700});
  const unlock = tryLock(join(dir, INDEX_FILES.lock));
  if (!unlock) return undefined;
  try {
    return new Writer(workdir, options, unlock);
  } catch (cause) {
    unlock();
    throw cause;
  }
}

/** Like tryOpenSession, but another writer is an error. */
export function openSession(workdir: string, options: SessionOptions): SessionWriter {
  const writer = tryOpenSession(workdir, options);
  if (!writer)
    throw new ScopeError('SCOPE_IO', `${workdir}: another process writes this session`, {retryable: true});
  return writer;
}

const FS = typeNumber('fs');

const isFull = (cause: unknown): boolean =>
  ['ENOSPC', 'EDQUOT', 'EFBIG'].includes((cause as NodeJS.ErrnoException).code ?? '');

class Writer implements SessionWriter {
  readonly workdir: string;
  readonly lost: Record<string, number> = {};
  behind = false;
  readonly #encode: LineEncoder;
  readonly #cap: number;
  readonly #unlock: () => void;
  readonly #commitFile: CommitFile;
  readonly #events: Stream;
  readonly #metrics: Stream;
  readonly #entries: Stream;
  readonly #names: Stream;
  #index: IndexBuffer;
  readonly #payloads: PayloadFiles;
  #last: Commit;
  #pending = 0;
  #lastCommitAt = 0;
  #status: SessionStatus;
  #statusDirty = true;
  /** What setStatus() was given last. */
  #lastChange = '';
  #closed = false;

  constructor(workdir: string, options: SessionOptions, unlock: () => void) {
    const index = (name: string) => join(workdir, FILES.index, name);
    this.workdir = workdir;
    this.#encode = options.encode;
    this.#cap = options.capBytes ?? DEFAULT_CAP;
    this.#unlock = unlock;
    if (!existsSync(index(INDEX_FILES.commit))) writeFileSync(index(INDEX_FILES.commit), '', {mode: 0o600});
    const last = readCommit(index(INDEX_FILES.commit)) ?? {...NOTHING};
    this.#last = last;
    this.#commitFile = new CommitFile(index(INDEX_FILES.commit));
    this.#events = new Stream(join(workdir, FILES.events), last.events);
    this.#metrics = new Stream(join(workdir, FILES.metrics), last.metrics);
    this.#entries = new Stream(index(INDEX_FILES.events), last.count * ENTRY);
    this.#names = new Stream(index(INDEX_FILES.names), last.names);
    this.#index = this.#numbered();
    this.#payloads = new PayloadFiles(
      join(workdir, FILES.payloads),
      index(INDEX_FILES.payloads),
      last.payloads,
    );
    const before = readStatus(workdir);
    Object.assign(this.lost, before?.lost);
    this.#status = {...before, state: 'running', pid: process.pid, updated: Date.now()};
    this.#saveStatus();
  }

  get position(): number {
    return this.#last.position;
  }

  get events(): number {
    return this.#last.count + this.#index.entries;
  }

  append(records: readonly RelayRecord[]): void {
    try {
      for (const record of records) this.#add(record);
    } catch (cause) {
      this.#recover(cause);
    }
  }

  appendLines(span: Readonly<LineSpan>, process: Process): void {
    try {
      this.#addLines(span, process.pid);
    } catch (cause) {
      this.#recover(cause);
    }
  }

  commit(position = this.#last.position): void {
    try {
      this.#flush();
    } catch (cause) {
      this.#recover(cause);
    }
    const next: Commit = {
      events: this.#events.size,
      metrics: this.#metrics.size,
      count: this.#entries.size / ENTRY,
      names: this.#names.size,
      payloads: this.#payloads.journalSize,
      position,
      asOf: this.behind ? this.#last.asOf : this.#lastCommitAt,
    };
    this.#commitFile.write(next);
    this.#lastCommitAt = Date.now();
    this.#last = next;
    this.#pending = 0;
    if (this.#statusDirty) this.#saveStatus();
  }

  setStatus(change: Partial<Omit<SessionStatus, 'pid' | 'updated'>>): void {
    const {lost, ...rest} = change;
    // Asked for at every commit, and a rename makes the file system write the file out.
    const text = JSON.stringify(change);
    if (text === this.#lastChange) return;
    this.#lastChange = text;
    Object.assign(this.#status, rest);
    if (lost) Object.assign(this.lost, lost);
    this.#statusDirty = true;
    if (change.state !== undefined) this.#saveStatus();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.commit();
      this.#saveStatus();
    } finally {
      for (const stream of [this.#events, this.#metrics, this.#entries, this.#names]) stream.close();
      this.#commitFile.close();
      this.#unlock();
    }
  }

  #add(record: RelayRecord): void {
    if (record.kind === 'span') return;
    if (!this.#fits(record.kind)) {
      this.#lose('size_cap', 1);
      return;
    }
    this.#pending += 1;
    switch (record.kind) {
      case 'event':
        this.#addEvent(record);
        break;
      case 'start':
        this.#put(this.#events, record);
        break;
      case 'metric':
        this.#put(this.#metrics, record);
        break;
      case 'payload':
        this.#payloads.append(record);
    }
  }

  #addEvent(event: Event): void {
    const offset = this.#events.size;
    if (!this.#put(this.#events, event) || this.#events.size === offset) return;
    this.#index.add(offset, event.sourcetype, event.source, event.process.pid);
  }

  #addLines({bytes, ends, opens, from, to}: Readonly<LineSpan>, pid: number): void {
    const begin = from === 0 ? 0 : ends[from - 1]!;
    const fits = this.#fits('event');
    const offset = this.#events.size - begin;
    const index = this.#index;
    const open = index.number('fs.open');
    const close = index.number('fs.close');
    let count = 0;
    for (let i = from, at = begin; i < to; at = ends[i]!, i++) {
      if (ends[i] === at) continue;
      count += 1;
      if (fits) index.addNumbered(offset + at, FS, opens[i] === 1 ? open : close, pid);
    }
    if (!fits) this.#lose('size_cap', count);
    if (!fits || count === 0) return;
    this.#pending += count;
    this.#events.put(bytes, begin, ends[to - 1]!);
  }

  #put(stream: Stream, record: RelayRecord): boolean {
    if (stream.append(record, this.#encode)) return true;
    this.#lose('too_large', 1);
    return false;
  }

  #fits(kind: RelayRecord['kind']): boolean {
    const size = this.#events.size + this.#metrics.size + this.#payloads.bytes;
    if (size < this.#cap) return true;
    this.#status.capBytes = this.#cap;
    return (kind === 'metric' || kind === 'start') && size < this.#cap + METRICS_GRACE;
  }

  /** An empty buffer that knows the sources of the file. */
  #numbered(): IndexBuffer {
    const path = join(this.workdir, FILES.index, INDEX_FILES.names);
    return new IndexBuffer(parseNames(readFileSync(path, 'utf8')));
  }

  #flush(): void {
    this.#events.flush();
    this.#metrics.flush();
    this.#payloads.flush();
    const {entries, names} = this.#index.take();
    this.#entries.write(entries);
    if (names !== '') this.#names.write(Buffer.from(names));
  }

  /** A full disk: back to the last commit, what came since is counted as lost, and the relay goes on. */
  #recover(cause: unknown): void {
    if (!isFull(cause))
      throw new ScopeError('SCOPE_IO', `${this.workdir}: ${(cause as Error).message}`, {cause});
    this.#events.cut(this.#last.events);
    this.#metrics.cut(this.#last.metrics);
    this.#entries.cut(this.#last.count * ENTRY);
    this.#names.cut(this.#last.names);
    // Sources are numbered by their place in the file: what is not in it has no number.
    this.#index = this.#numbered();
    this.#lose('no_space', this.#pending);
    this.#pending = 0;
  }

  #lose(cause: string, count: number): void {
    this.lost[cause] = (this.lost[cause] ?? 0) + count;
    this.#statusDirty = true;
  }

  #saveStatus(): void {
    this.#statusDirty = false;
    const status: SessionStatus = {...this.#status, pid: process.pid, updated: Date.now(), lost: this.lost};
    try {
      writeStatus(this.workdir, status);
    } catch (cause) {
      if (!isFull(cause)) throw cause;
      this.#statusDirty = true;
    }
  }
}

export type {LineEncoder, RelayState, SessionStatus};
