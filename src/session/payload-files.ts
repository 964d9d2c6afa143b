// SPDX-License-Identifier: Apache-2.0
/**
 * Captured bytes of connections: `payloads/PID_REMOTE:PORT_LOCAL:PORT.in|.out`, as the original names them. Which sizes
 * are committed is kept in a journal, so that bytes written twice by a killed relay and its successor are cut.
 */
import {appendFileSync, existsSync, mkdirSync, readFileSync, statSync, truncateSync} from 'node:fs';
import {join} from 'node:path';
import type {Payload} from '../records/types.js';

/** Name of the file that a payload goes to. */
export function payloadFile(p: Payload): string {
  const way = p.source.endsWith('tx') ? 'out' : p.source.endsWith('rx') ? 'in' : 'na';
  if (way === 'na') return `${p.process.pid}.na`;
  const end = (ip: string, port: number) => `${ip === '' ? p.source : ip}:${port}`;
  return `${p.process.pid}_${end(p.remoteIp, p.remotePort)}_${end(p.localIp, p.localPort)}.${way}`;
}

export class PayloadFiles {
  readonly #dir: string;
  readonly #journal: string;
  readonly #sizes = new Map<string, number>();
  readonly #touched = new Set<string>();
  #journalSize: number;
  #bytes = 0;

  /** Cuts every file to what the journal's first `journalSize` bytes say. */
  constructor(dir: string, journal: string, journalSize: number) {
    this.#dir = dir;
    this.#journal = journal;
    this.#journalSize = journalSize;
    if (!existsSync(journal)) return;
    const text = readFileSync(journal, 'utf8');
    for (const line of text.split('\n'))
      if (line !== '') this.#sizes.set((JSON.parse(line) as [string])[0], 0);
    for (const line of text.slice(0, journalSize).split('\n')) {
      if (line === '') continue;
      const [name, size] = JSON.parse(line) as [string, number];
      this.#sizes.set(name, size);
    }
    truncateSync(journal, Math.min(journalSize, text.length));
    for (const [name, size] of this.#sizes) this.#cut(name, size);
  }

  get journalSize(): number {
    return this.#journalSize;
  }

  /** Bytes captured in all. */
  get bytes(): number {
    return this.#bytes;
  }

  append(p: Payload): void {
    const name = payloadFile(p).replaceAll('/', '_');
    if (!this.#sizes.has(name)) this.#open(name);
    appendFileSync(join(this.#dir, name), p.bytes, {mode: 0o600});
    this.#sizes.set(name, this.#sizes.get(name)! + p.bytes.length);
    this.#bytes += p.bytes.length;
    this.#touched.add(name);
  }

  /** Journals the sizes of what changed; to be called before the session's commit. */
  flush(): void {
    if (this.#touched.size === 0) return;
    const lines = [...this.#touched].map((n) => `${JSON.stringify([n, this.#sizes.get(n)])}\n`).join('');
    appendFileSync(this.#journal, lines);
    this.#journalSize += Buffer.byteLength(lines);
    this.#touched.clear();
  }

  /** The name enters the journal before its first byte, so that a file never committed is known and cut. */
  #open(name: string): void {
    mkdirSync(this.#dir, {recursive: true, mode: 0o700});
    const line = `${JSON.stringify([name, 0])}\n`;
    appendFileSync(this.#journal, line);
    this.#journalSize += Buffer.byteLength(line);
    this.#sizes.set(name, 0);
  }

  #cut(name: string, size: number): void {
    const path = join(this.#dir, name);
    try {
      const have = statSync(path).size;
      if (have > size) truncateSync(path, size);
      this.#bytes += Math.min(have, size);
    } catch {
      this.#sizes.delete(name);
    }
  }
}
