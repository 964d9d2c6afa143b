// SPDX-License-Identifier: Apache-2.0
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {displayWidth} from '../../../src/view/text.js';
import {makeEvent, makeMetric} from '../../helpers/records.js';
import {cli, makeSession} from '../../helpers/session.js';

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'scope-dash-'));
  makeSession(home, 1, [
    ...Array.from({length: 40}, (_, i) => makeEvent({data: {message: `line ${i}\n`}})),
    makeMetric({name: 'net.rx', unit: 'byte', value: 50_000}),
    makeMetric({name: 'proc.mem', type: 'gauge', unit: 'kibibyte', value: 2000}),
  ]);
});
afterAll(() => {
  rmSync(home, {recursive: true, force: true});
});

describe('scope dash', () => {
  it('prints one picture of a finished session without a terminal', async () => {
    const {status, out} = await cli(home, ['dash']);
    expect(status).toBe(0);
    expect(out).toContain('session 1 · /bin/echo hello · ended');
    expect(out).toMatch(/Rcvd +5\.0 kB\/s/);
    expect(out).toMatch(/Memory +2\.0 MB/);
    expect(out).toContain('Events: 40');
    expect(out).toContain('line 39');
    for (const line of out.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(100);
  });

  it('says when there is no such session', async () => {
    expect(await cli(home, ['dash', '-i', '3'])).toMatchObject({
      status: 1,
      err: expect.stringContaining('session id 3 not found'),
    });
  });
});
