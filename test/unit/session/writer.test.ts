// SPDX-License-Identifier: Apache-2.0
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import type {Payload} from '../../../src/records/types.js';
import {readCommit} from '../../../src/session/commit.js';
import {openSession, tryOpenSession} from '../../../src/session/index.js';
import {ENTRY, entryOffset, parseNames} from '../../../src/session/index-file.js';
import {readStatus} from '../../../src/session/status.js';
import {encodeJson, makeEvent, makeMetric, makeProcess} from '../../helpers/records.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'scope-session-'));
});
afterEach(() => {
  rmSync(dir, {recursive: true, force: true});
});

const options = {encode: encodeJson};
const text = (name: string) => readFileSync(join(dir, name), 'utf8');
const lines = (name: string) => text(name).split('\n').filter(Boolean);

const payload = (bytes: string): Payload => ({
  kind: 'payload',
  time: 1,
  channel: '1',
  fd: 3,
  source: 'nettx',
  localIp: '127.0.0.1',
  localPort: 80,
  remoteIp: '127.0.0.1',
  remotePort: 4000,
  protocol: '',
  bytes: Buffer.from(bytes),
  process: makeProcess(),
});

describe('session writer', () => {
  it('writes events and metrics as lines and indexes the events', () => {
    const w = openSession(dir, options);
    w.append([
      {kind: 'start', time: 1, process: makeProcess(), configuration: {}},
      makeEvent(),
      makeMetric(),
      makeEvent({sourcetype: 'fs', source: 'fs.open', data: {file: '/x'}}),
    ]);
    w.close();
    expect(lines('events.json')).toHaveLength(3);
    expect(lines('metrics.json')).toHaveLength(1);
    const entries = readFileSync(join(dir, '.index/events'));
    expect(entries.length).toBe(2 * ENTRY);
    const at = entryOffset(entries, 1);
    expect(JSON.parse(text('events.json').slice(at)).body.source).toBe('fs.open');
    expect(parseNames(text('.index/names'))).toEqual(['stdout', 'fs.open']);
  });

  it('writes files that only the owner can read: they hold what programs said', () => {
    const w = openSession(dir, options);
    w.append([makeEvent(), makeMetric(), payload('abc')]);
    w.close();
    const payloads = readdirSync(join(dir, 'payloads')).map((name) => join('payloads', name));
    for (const name of ['events.json', 'metrics.json', ...payloads]) {
      expect(statSync(join(dir, name)).mode & 0o077, name).toBe(0);
    }
  });

  it('cuts what was not committed when it is opened again', () => {
    const first = openSession(dir, options);
    first.append([makeEvent(), makeMetric()]);
    first.commit(5);
    const release = statSync(join(dir, 'events.json')).size;
    first.close();
    appendFileSync(join(dir, 'events.json'), '{"half":');
    appendFileSync(join(dir, 'metrics.json'), 'x\n');
    appendFileSync(join(dir, '.index/events'), Buffer.alloc(7));
    const second = openSession(dir, options);
    expect(second.position).toBe(5);
    expect(second.events).toBe(1);
    expect(statSync(join(dir, 'events.json')).size).toBe(release);
    second.append([makeEvent({source: 'stderr'})]);
    second.close();
    expect(lines('events.json').map((l) => JSON.parse(l).body.source)).toEqual(['stdout', 'stderr']);
    expect(lines('metrics.json')).toHaveLength(1);
  });

  it('keeps the older commit when the newer slot is torn', () => {
    const w = openSession(dir, options);
    w.append([makeEvent()]);
    w.commit(1);
    w.append([makeEvent()]);
    w.commit(2);
    w.close();
    const path = join(dir, '.index/commit');
    const bytes = readFileSync(path);
    const last = readCommit(path)!;
    expect(last.count).toBe(2);
    // The last commit (sequence 3, by close) lies in slot 1.
    bytes[bytes.length / 2 + 20]! ^= 0xff;
    writeFileSync(path, bytes);
    expect(readCommit(path)!.position).toBe(2);
  });

  it('brings no deleted session back', () => {
    expect(() => tryOpenSession(join(dir, 'gone'), options)).toThrow(/no such session/);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('refuses a second writer while the first lives and takes over from a dead one', () => {
    const w = openSession(dir, options);
    expect(tryOpenSession(dir, options)).toBeUndefined();
    expect(() => openSession(dir, options)).toThrow(/another process writes/);
    w.close();
    writeFileSync(join(dir, '.index/lock'), '999999999 1');
    const next = tryOpenSession(dir, options);
    expect(next).toBeDefined();
    next!.close();
  });

  it('counts what does not fit below the size cap and says so', () => {
    const w = openSession(dir, {...options, capBytes: 400});
    w.append(Array.from({length: 10}, () => makeEvent()));
    w.append([makeMetric()]);
    w.close();
    expect(w.lost.size_cap).toBeGreaterThan(5);
    expect(lines('events.json').length + w.lost.size_cap!).toBe(10);
    expect(lines('metrics.json')).toHaveLength(1);
    expect(readStatus(dir)).toMatchObject({capBytes: 400, lost: {size_cap: w.lost.size_cap}});
  });

  it('takes lines larger than its buffer', () => {
    const w = openSession(dir, options);
    w.append([makeEvent(), makeEvent({data: {message: 'x'.repeat(3_000_000)}}), makeEvent()]);
    w.close();
    expect(lines('events.json').map((l) => l.length > 1_000_000)).toEqual([false, true, false]);
  });

  it('writes payload files once across a killed writer', () => {
    const first = openSession(dir, options);
    first.append([payload('abc')]);
    first.commit();
    first.close();
    const name = 'payloads/4242_127.0.0.1:4000_127.0.0.1:80.out';
    appendFileSync(join(dir, name), 'uncommitted');
    const second = openSession(dir, options);
    second.append([payload('def')]);
    second.close();
    expect(text(name)).toBe('abcdef');
  });

  it('says its state in status.json', () => {
    const w = openSession(dir, options);
    expect(readStatus(dir)).toMatchObject({state: 'running', pid: process.pid});
    for (const live of [1, 1, 2, 1]) {
      w.setStatus({processes: {seen: 3, live}});
      w.commit();
      expect(readStatus(dir)).toMatchObject({processes: {seen: 3, live}});
    }
    writeFileSync(join(dir, 'status.json'), '{}');
    w.setStatus({processes: {seen: 3, live: 1}});
    w.commit();
    // Nothing new: not written.
    expect(readStatus(dir)).toEqual({});
    w.setStatus({state: 'draining', notes: ['a note'], processes: {seen: 3, live: 0}});
    expect(readStatus(dir)).toMatchObject({state: 'draining', notes: ['a note']});
    w.setStatus({state: 'ended', lost: {full: 7}});
    w.close();
    expect(readStatus(dir)).toMatchObject({state: 'ended', lost: {full: 7}, processes: {seen: 3, live: 0}});
  });
});
