// SPDX-License-Identifier: Apache-2.0
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, it} from 'vitest';
import {ROOT} from '../../../src/base/root.js';
import {
  COUNTER,
  KIND,
  LOST,
  NOTE,
  OFFSETS,
  REC,
  REC_FLAG,
  RecordCursor,
  WANT,
} from '../../../src/channel/index.js';

const {record: R, open: O, close: C, conn: N, exit: X, note: T, message: M} = OFFSETS;
const {MAX_SAFE_INTEGER} = Number;

interface Fields {
  type: number;
  payload: Buffer;
  ret?: number;
  object?: bigint;
}

function record({type, payload, ret = 0, object = 5n}: Fields): Buffer {
  const bytes = Buffer.alloc((R.size + payload.length + 7) & ~7);
  bytes.writeUInt32LE(bytes.length, R.len);
  bytes.writeUInt16LE(type, R.type);
  bytes.writeUInt16LE(REC_FLAG.TX | REC_FLAG.CUT, R.flags);
  bytes.writeBigUInt64LE(BigInt(MAX_SAFE_INTEGER), R.tsc);
  bytes.writeUInt32LE(4_000_000_000, R.tid);
  bytes.writeInt32LE(-1, R.fd);
  bytes.writeBigUInt64LE(object, R.object);
  bytes.writeBigInt64LE(BigInt(ret), R.ret);
  bytes.writeUInt32LE(77, R.ticks);
  bytes.writeUInt16LE(257, R.nr);
  bytes.writeUInt16LE(payload.length, R.used);
  payload.copy(bytes, R.size);
  return bytes;
}

function at(bytes: Buffer): RecordCursor {
  const cursor = new RecordCursor().reset(bytes);
  expect(cursor.next()).toBe(true);
  return cursor;
}

describe('RecordCursor', () => {
  it('reads every header field and stops at the end', () => {
    const text = record({type: REC.TEXT, payload: Buffer.from('hällo'), ret: -13});
    const cursor = at(Buffer.concat([text, record({type: REC.STATSD, payload: Buffer.from('a:1|c')})]));
    expect(cursor).toMatchObject({
      type: REC.TEXT,
      flags: REC_FLAG.TX | REC_FLAG.CUT,
      tsc: MAX_SAFE_INTEGER,
      tid: 4_000_000_000,
      fd: -1,
      object: 5,
      ret: -13,
      ticks: 77,
      nr: 257,
      used: 6,
    });
    expect(cursor.text()).toBe('hällo');
    expect(cursor.next()).toBe(true);
    expect(cursor.data().toString()).toBe('a:1|c');
    expect(cursor.next()).toBe(false);
    expect(new RecordCursor().next()).toBe(false);
  });

  it('reads the struct and then the text of an open', () => {
    const payload = Buffer.concat([Buffer.alloc(O.size), Buffer.from('/tmp/x')]);
    payload.writeUInt32LE(0o100644, O.mode);
    payload.writeInt32LE(-100, O.dirfd);
    payload.writeUInt32LE(KIND.FILE, O.kind);
    const cursor = at(record({type: REC.OPEN, payload}));
    expect(cursor.open()).toMatchObject({mode: 0o100644, dirfd: -100, kind: KIND.FILE});
    expect(cursor.text()).toBe('/tmp/x');
  });

  it('knows the bytes behind a struct', () => {
    const M = OFFSETS.message.size!;
    for (const length of [0, 1, 3, 4, 7, 8, 31]) {
      const head = Uint8Array.from({length}, (_, i) => i + 1);
      const cursor = at(record({type: REC.HTTP1, payload: Buffer.concat([Buffer.alloc(M), head])}));
      expect(cursor.holds(new DataView(head.buffer))).toBe(true);
      expect(cursor.holds(new DataView(new ArrayBuffer(length + 1)))).toBe(false);
      for (let i = 0; i < length; i++) {
        const other = head.slice();
        other[i]! ^= 0x80;
        expect(cursor.holds(new DataView(other.buffer))).toBe(false);
      }
    }
  });

  it('finds the close behind the connection', () => {
    const payload = Buffer.alloc(N.size + C.size);
    payload.writeUInt16LE(8080, N.remote_port);
    payload.set([127, 0, 0, 1], N.local);
    payload.writeBigUInt64LE(12n, N.size + C.tx_bytes);
    const cursor = at(record({type: REC.CONN_CLOSE, payload}));
    expect(cursor.conn()).toMatchObject({remotePort: 8080});
    const {bytes, local} = cursor.conn();
    expect([...bytes.subarray(local, local + 4)]).toEqual([127, 0, 0, 1]);
    expect(cursor.close().txBytes).toBe(12);
    payload.writeBigUInt64LE(13n, C.tx_bytes);
    expect(at(record({type: REC.CLOSE, payload: payload.subarray(0, C.size)})).close().txBytes).toBe(13);
  });

  it('reads exits, notes and messages', () => {
    const exit = Buffer.alloc(X.size);
    exit.writeBigUInt64LE(5_000_000_000n, X.utime_us);
    exit.writeUInt32LE(3, X.threads);
    expect(at(record({type: REC.EXIT, payload: exit})).exit()).toMatchObject({utimeUs: 5e9, threads: 3});
    const note = Buffer.concat([Buffer.alloc(T.size), Buffer.from('why')]);
    note.writeUInt32LE(NOTE.SECCOMP, T.code);
    const noted = at(record({type: REC.NOTE, payload: note}));
    expect([noted.note().code, noted.text()]).toEqual([NOTE.SECCOMP, 'why']);
    const message = Buffer.concat([Buffer.alloc(M.size), Buffer.from('GET / HTTP/1.1\r\n\r\n')]);
    message.writeBigUInt64LE(99n, M.body);
    message.writeUInt32LE(7, M.skip);
    const head = at(record({type: REC.HTTP1, payload: message}));
    expect(head.message()).toMatchObject({body: 99, skip: 7});
    expect(head.text()).toMatch(/^GET/);
  });
});

describe('layout', () => {
  const source = readFileSync(join(ROOT, 'native/include/scope/channel.h'), 'utf8');
  const list = (name: string): string[] => {
    const text = source.match(new RegExp(`#define ${name}\\(X\\)((?:.*\\\\\\n)*.*)`))?.[1] ?? '';
    return [...text.replace(/\/\*.*?\*\//g, '').matchAll(/X\((\w+)/g)].map((match) => match[1]!);
  };
  it.each([
    ['SC_WANT_LIST', WANT],
    ['SC_LOST_LIST', LOST],
    ['SC_COUNTER_LIST', COUNTER],
    ['SC_KIND_LIST', KIND],
    ['SC_RECORD_LIST', REC],
    ['SC_NOTE_LIST', NOTE],
  ])('%s is there with every name', (name, table) => {
    expect(list(name).length).toBeGreaterThan(3);
    expect(Object.keys(table).sort()).toEqual(list(name).sort());
  });

  it('types what the addon has, name by name', () => {
    const typed = readFileSync(join(ROOT, 'src/channel/layout.ts'), 'utf8');
    for (const [type, table] of Object.entries({
      WantName: WANT,
      LostName: LOST,
      KindName: KIND,
      RecordName: REC,
    })) {
      const union = typed.match(new RegExp(`export type ${type} =([^;]*);`))?.[1] ?? '';
      expect([...union.matchAll(/'(\w+)'/g)].map((match) => match[1])).toEqual(Object.keys(table));
    }
  });
});
