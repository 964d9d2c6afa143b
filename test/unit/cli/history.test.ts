// SPDX-License-Identifier: Apache-2.0
import {existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import {retain} from '../../../src/session/retention.js';
import {displayWidth} from '../../../src/view/text.js';
import {makeEvent} from '../../helpers/records.js';
import {cli, makeSession} from '../../helpers/session.js';

let home: string;
const dirs: string[] = [];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'scope-cli-'));
  dirs.length = 0;
  for (let id = 1; id <= 25; id++) {
    const argv = ['/usr/bin/my_tool', '-c', `a long command line with blanks ${id}`];
    dirs.push(makeSession(home, id, [makeEvent({time: Date.now() / 1000})], argv));
  }
});
afterEach(() => {
  rmSync(home, {recursive: true, force: true});
});

const left = () => readdirSync(join(home, 'history')).length;

describe('scope history', () => {
  it('lists the last 20 with their number of events', async () => {
    const {out} = await cli(home, ['hist']);
    const lines = out.trim().split('\n');
    expect(lines[0]).toBe('Displaying last 20 sessions');
    expect(lines[1]).toMatch(/ID +COMMAND +CMDLINE +PID +AGE +DURATION +TOTAL EVENTS$/);
    expect(lines).toHaveLength(22);
    expect(lines[21]).toMatch(
      /^25 +my_tool +\/usr\/bin\/my_tool -c 'a lo… +4194999 +(?:1m\ds|59s) +(?:1m\ds|59s) +1$/,
    );
  });

  it('fits the terminal', async () => {
    for (const width of [80, 200]) {
      for (const line of (await cli(home, ['history'], width)).out.split('\n')) {
        expect(displayWidth(line)).toBeLessThanOrEqual(width);
      }
    }
  });

  it('lists all, the running ones, or one in detail', async () => {
    expect((await cli(home, ['hist', '-a'])).out.trim().split('\n')).toHaveLength(27);
    expect((await cli(home, ['hist', '-r'])).out.trim().split('\n')).toHaveLength(2);
    const {out} = await cli(home, ['hist', '--id', '2']);
    expect(out).toMatch(/^ID: +2$/m);
    expect(out).toMatch(/^Cmdline: +\/usr\/bin\/my_tool -c 'a long command line with blanks 2'$/m);
    expect(out).toContain(`WorkDir:       ${dirs[1]}`);
    expect(await cli(home, ['hist', '-i', '77'])).toMatchObject({
      status: 1,
      err: expect.stringContaining('session id 77 not found'),
    });
  });

  it('prints folders with -d: the last one, one by id, or the last N', async () => {
    expect((await cli(home, ['hist', '-d'])).out).toBe(`${dirs[24]}\n`);
    expect((await cli(home, ['hist', '-d', '-i', '3'])).out).toBe(`${dirs[2]}\n`);
    expect((await cli(home, ['hist', '-d', '-n', '2'])).out).toBe(`${dirs[23]}\n${dirs[24]}\n`);
  });

  it('writes JSON', async () => {
    const rows = (await cli(home, ['hist', '-j', '-n', '1'])).out
      .trim()
      .split('\n')
      .map((l) => JSON.parse(l));
    expect(rows).toMatchObject([{id: 25, command: 'my_tool', events: 1, running: false, workdir: dirs[24]}]);
  });

  it('passes over folders that are no sessions and says when there are none', async () => {
    mkdirSync(join(home, 'history', 'stray'));
    expect((await cli(home, ['hist', '-a'])).status).toBe(0);
    expect(await cli(join(home, 'none'), ['hist'])).toMatchObject({
      status: 1,
      err: expect.stringContaining('No prior sessions found'),
    });
  });

  it('refuses flags that exclude each other', async () => {
    expect(await cli(home, ['hist', '-a', '-r'])).toMatchObject({
      status: 1,
      err: expect.stringContaining('--all and --running'),
    });
    expect(await cli(home, ['hist', '-n', '1', '-i', '1'])).toMatchObject({status: 1});
  });
});

describe('scope prune', () => {
  it('keeps the last N, also when there are fewer', async () => {
    expect((await cli(home, ['prune', '-k', '100', '-f'])).out).toBe('Removed 0 sessions.\n');
    expect((await cli(home, ['prune', '-k', '5', '-f'])).out).toBe('Removed 20 sessions.\n');
    expect(existsSync(dirs[24]!)).toBe(true);
    expect(left()).toBe(5);
  });

  it('deletes the last N or all, and asks first', async () => {
    expect((await cli(home, ['prune', '-d', '2'], 0, 'no')).out).toBe('Removed 0 sessions.\n');
    expect((await cli(home, ['prune', '-d', '2'], 0, 'y')).out).toBe('Removed 2 sessions.\n');
    expect(existsSync(dirs[24]!)).toBe(false);
    expect((await cli(home, ['prune', '-a', '-f'])).out).toBe('Removed 23 sessions.\n');
    expect(left()).toBe(0);
  });

  it('removes the channel folder that the session points to, and no other folder', async () => {
    const mine = join(home, 'shm', basename(dirs[0]!));
    mkdirSync(mine, {recursive: true});
    symlinkSync(mine, join(dirs[0]!, 'channels'));
    symlinkSync(join(home, 'shm'), join(dirs[1]!, 'channels'));
    await cli(home, ['prune', '-a', '-f']);
    expect(existsSync(mine)).toBe(false);
    expect(existsSync(join(home, 'shm'))).toBe(true);
  });

  it('needs exactly one of its flags and a positive number', async () => {
    expect(await cli(home, ['prune'])).toMatchObject({
      status: 1,
      err: expect.stringContaining('Must specify keep, delete, or all'),
    });
    expect(await cli(home, ['prune', '-k', '1', '-a'])).toMatchObject({status: 1});
    expect(await cli(home, ['prune', '-k', '0'])).toMatchObject({
      status: 2,
      err: expect.stringContaining('positive number'),
    });
    expect(left()).toBe(25);
  });
});

describe('retention', () => {
  it('deletes the oldest beyond what is kept; 0 keeps all', () => {
    expect(retain(home, 0)).toBe(0);
    expect(retain(home, 24)).toBe(1);
    expect(existsSync(dirs[0]!)).toBe(false);
  });
});
