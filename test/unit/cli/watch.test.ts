// SPDX-License-Identifier: Apache-2.0
import {type ChildProcess, spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import {NATIVE} from '../../../src/base/root.js';
import {listSessions} from '../../../src/session/history.js';

let home: string;
let child: ChildProcess | undefined;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'scope-watch-'));
});
afterEach(async () => {
  if (child?.pid !== undefined) {
    const gone = once(child, 'exit');
    // The whole group: what the loop has just started too.
    process.kill(-child.pid, 'SIGKILL');
    await gone;
    child = undefined;
  }
  const shm = `/dev/shm/scope-${process.getuid!()}`;
  for (const s of listSessions(home)) remove(join(shm, basename(s.workdir)));
  remove(home);
});

function remove(path: string): void {
  rmSync(path, {recursive: true, force: true, maxRetries: 20, retryDelay: 50});
}

// /bin/true stands in for Node: these tests are about the launcher's loop, not about the relay.
const env = () => ({PATH: process.env.PATH, SCOPE_HOME: home, SCOPE_NODE: '/bin/true'});
const fail = (...words: string[]) =>
  spawnSync(NATIVE.launcher, ['watch', ...words], {env: env(), encoding: 'utf8', timeout: 30_000});

describe('scope watch', () => {
  it('runs the command again and again in one session, hidden from the terminal', async () => {
    const log = join(home, 'log');
    child = spawn(
      NATIVE.launcher,
      ['watch', '-i', '10ms', '--', '/bin/sh', '-c', `echo hidden; echo x >> ${log}`],
      {env: env(), stdio: ['ignore', 'pipe', 'pipe'], detached: true},
    );
    let out = '';
    child.stdout!.on('data', (d) => {
      out += d;
    });
    const until = Date.now() + 30_000;
    const runs = () => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').length - 1 : 0);
    while (runs() < 3 && Date.now() < until) await new Promise((r) => setTimeout(r, 20));
    expect(runs()).toBeGreaterThanOrEqual(3);
    expect(out).toBe('');
    const sessions = listSessions(home);
    expect(sessions).toHaveLength(1);
    expect(sessions[0]).toMatchObject({id: 1, cmd: 'sh', pid: child.pid});
  });

  it('says what is missing or wrong, and makes no session', () => {
    expect(fail()).toMatchObject({status: 1, stderr: expect.stringContaining('a command is missing')});
    expect(fail('--', 'true')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('an interval is missing'),
    });
    for (const bad of ['x', '5', '0s', '1y', '-1s', '']) {
      const {status, stderr} = fail('-i', bad, '--', 'true');
      expect(status).toBe(2);
      expect(stderr).toContain(`error parsing time duration string "${bad}"`);
    }
    expect(fail('-i', '1s', '--', '/no/such/command')).toMatchObject({status: 127});
    expect(listSessions(home)).toEqual([]);
  });
});
