// SPDX-License-Identifier: Apache-2.0
/** What the channel tests share: a compiled writer, a folder on tmpfs, bounded waits, a check of every record. */
import {type ChildProcess, execFileSync, type SpawnOptions, spawn} from 'node:child_process';
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {ROOT} from '../../../src/base/root.js';
import {type Batch, type Channel, type ChannelFolder, REC, RecordCursor} from '../../../src/channel/index.js';
import {buildProgram, layers} from '../../native/build.js';

/** Longest wait for anything; far beyond what it takes. */
export const LIMIT_MS = 30_000;

/** Compiles test/native/channel/writer.c once per test file. */
export function buildWriter(dir: string): string {
  const output = join(dir, 'writer');
  const source = join(ROOT, 'test/native/channel/writer.c');
  execFileSync('cc', [
    '-std=c11',
    '-O2',
    '-pthread',
    '-I',
    join(ROOT, 'native/include'),
    '-o',
    output,
    source,
  ]);
  return output;
}

/** Compiles test/native/channel/feeder.c with the library's own writer. */
export function buildFeeder(dir: string): string {
  return buildProgram(
    join(dir, 'feeder'),
    [join(ROOT, 'test/native/channel/feeder.c'), ...layers('channel', 'base', 'sys')],
    ['-pthread', '-O2'],
  );
}

export function tempFolder(): string {
  const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  return mkdtempSync(join(base, 'scope-test-'));
}

export function removeFolder(dir: string): void {
  rmSync(dir, {recursive: true, force: true});
}

/** Children that a test started; killed whatever happens. */
export class Children {
  readonly #all: ChildProcess[] = [];

  start(command: string, args: readonly string[], options: SpawnOptions = {}): Child {
    const child = spawn(command, args, {stdio: ['pipe', 'pipe', 'inherit'], ...options});
    this.#all.push(child);
    return new Child(child);
  }

  killAll(): void {
    for (const child of this.#all)
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    this.#all.length = 0;
  }
}

export class Child {
  readonly process: ChildProcess;
  readonly ended: Promise<void>;
  output = '';
  #pauses = 0;

  constructor(child: ChildProcess) {
    this.process = child;
    this.ended = new Promise((done) => child.once('exit', () => done()));
    child.stdout?.on('data', (data: Buffer) => {
      this.output += data.toString();
    });
  }

  /** Until the next `pause` of the program. */
  async paused(): Promise<void> {
    this.#pauses++;
    await until(() => this.output.split('paused\n').length > this.#pauses, 'the writer to pause');
  }

  goOn(): void {
    this.process.stdin?.write('\n');
  }
}

export async function until(condition: () => boolean, what: string | (() => string)): Promise<void> {
  const end = Date.now() + LIMIT_MS;
  while (!condition()) {
    if (Date.now() > end) {
      const missing = typeof what === 'string' ? what : what();
      throw new Error(`waited ${LIMIT_MS} ms in vain for ${missing}`);
    }
    await delay(2);
  }
}

/** Checks that every numbered record of writer.c comes whole, once and in order. */
export class Checker {
  records = 0;
  bytes = 0;
  batches = 0;
  /** First thing that was wrong. */
  wrong: string | undefined;
  /** By channel key and thread: the next number expected. */
  readonly next = new Map<string, number>();
  readonly #cursor = new RecordCursor();

  take(batch: Batch, gaps = false): void {
    this.batches++;
    let last = 0;
    this.#cursor.reset(batch.bytes);
    while (this.#cursor.next()) {
      const {type, tsc, tid, object} = this.#cursor;
      if (tsc < last) this.#fail(`tsc goes back in a batch`);
      last = tsc;
      if (type !== REC.TEXT) {
        this.#fail(`type ${type}`);
        continue;
      }
      const key = `${batch.channel.key}/${tid}`;
      const expected = this.next.get(key) ?? 0;
      if (gaps ? object < expected : object !== expected)
        this.#fail(`${key}: ${object} after ${expected - 1}`);
      this.next.set(key, object + 1);
      this.#payload(this.#cursor.data(), object, tid);
      this.records++;
    }
  }

  #payload(data: Buffer, sequence: number, thread: number): void {
    this.bytes += data.length;
    const start = (sequence * 31 + thread) & 255;
    for (let i = 0; i < data.length; i++) {
      if (data[i] !== ((start + i) & 255)) {
        this.#fail(`record ${sequence} of thread ${thread}: byte ${i}`);
        return;
      }
    }
  }

  #fail(why: string): void {
    this.wrong ??= why;
  }
}

export function drain(folder: ChannelFolder, checker: Checker, gaps = false): void {
  for (let batch = folder.next(); batch; batch = folder.next()) checker.take(batch, gaps);
}

/** Takes everything until the channels known now, `count` at least, are drained. */
export async function drainAll(
  folder: ChannelFolder,
  checker: Checker,
  count = 1,
  gaps = false,
): Promise<void> {
  await until(
    () => {
      drain(folder, checker, gaps);
      folder.commit();
      folder.scan();
      return folder.channels.size >= count && [...folder.channels.values()].every((c) => c.drained);
    },
    () => `${count} channels to drain (${describe(folder)})`,
  );
  drain(folder, checker, gaps);
}

function describe(folder: ChannelFolder): string {
  return `${[...folder.channels.values()].map((c) => `${c.header.pid}: ${c.state}, ended ${c.ended}`).join('; ')} ${JSON.stringify(folder.stats())}`;
}

export function only(folder: ChannelFolder): Channel {
  const [channel] = folder.channels.values();
  if (!channel) throw new Error('no channel');
  return channel;
}
