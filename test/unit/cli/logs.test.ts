// SPDX-License-Identifier: Apache-2.0
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import {readStatus, writeStatus} from '../../../src/session/status.js';
import {cli, makeSession} from '../../helpers/session.js';

let home: string;
let workdir: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'scope-logs-'));
  workdir = makeSession(home, 1, []);
});
afterEach(() => {
  rmSync(home, {recursive: true, force: true});
});

describe('scope logs', () => {
  it('shows the last lines of the relay and its notes', async () => {
    writeFileSync(join(workdir, 'relay.log'), Array.from({length: 30}, (_, i) => `line ${i}\n`).join(''));
    writeStatus(workdir, {...readStatus(workdir)!, notes: ['nothing is seen of x']});
    expect((await cli(home, ['logs', '-n', '3'])).out).toBe('line 28\nline 29\nnote: nothing is seen of x\n');
    expect((await cli(home, ['logs'])).out.split('\n')).toHaveLength(21);
  });

  it('says when there is nothing or no file', async () => {
    expect(await cli(home, ['logs'])).toMatchObject({
      status: 1,
      err: expect.stringContaining('No log file present'),
    });
    writeFileSync(join(workdir, 'relay.log'), '');
    expect(await cli(home, ['logs'])).toMatchObject({status: 0, out: 'No logs generated\n'});
    expect(await cli(home, ['logs', '-i', '5'])).toMatchObject({
      status: 1,
      err: expect.stringContaining('session id 5 not found'),
    });
  });
});
