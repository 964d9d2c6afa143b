// SPDX-License-Identifier: Apache-2.0
import {spawnSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, describe, expect, it} from 'vitest';
import {EventLog} from '../../../src/session/event-log.js';
import {openSession} from '../../../src/session/index.js';
import {encodeJson, makeEvent, makeMetric} from '../../helpers/records.js';

const dir = mkdtempSync(join(tmpdir(), 'scope-full-'));
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'scope-test', dir]).status === 0;
if (!mounted) rmdirSync(dir);

afterEach(() => {
  spawnSync('umount', [dir]);
  rmdirSync(dir);
});

// A file system of half a megabyte needs the right to mount one.
describe.skipIf(!mounted)('a session on a full disk', () => {
  it('keeps whole lines, counts the rest, and goes on when there is room again', () => {
    const workdir = join(dir, 'session');
    mkdirSync(workdir);
    const filler = join(dir, 'filler');
    writeFileSync(filler, Buffer.alloc(256 * 1024));
    const writer = openSession(workdir, {encode: encodeJson});
    let appended = 0;
    const add = (rounds: number) => {
      for (let i = 0; i < rounds; i++) {
        const event = {source: `/log/${appended}`, data: {message: 'x'.repeat(200)}};
        writer.append(Array.from({length: 20}, () => makeEvent(event)));
        appended += 20;
        writer.commit(appended);
      }
    };
    add(60);
    expect(writer.lost.no_space).toBeGreaterThan(0);
    const before = writer.events;
    rmSync(filler);
    writer.append([makeMetric()]);
    add(5);
    expect(writer.events).toBe(before + 100);
    writer.close();
    const log = new EventLog(workdir);
    expect(log.count).toBe(before + 100);
    expect(log.count + writer.lost.no_space!).toBe(appended);
    for (let i = 0; i < log.count; i += 10) {
      const number = log.entries(i, 1).bytes.readUInt32LE(8);
      // Sources that came while it was full have no number.
      expect(JSON.parse(log.line(i)).body.source).toBe(log.sources[number - 1]);
    }
    log.close();
    const lines = readFileSync(join(workdir, 'events.json'), 'utf8').trim().split('\n');
    expect(lines).toHaveLength(before + 100);
    for (const line of lines) JSON.parse(line);
    expect(JSON.parse(readFileSync(join(workdir, 'status.json'), 'utf8')).lost.no_space).toBe(
      writer.lost.no_space,
    );
  });
});
