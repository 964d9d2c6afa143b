// SPDX-License-Identifier: Apache-2.0
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {displayWidth} from '../../../src/view/text.js';
import {makeMetric} from '../../helpers/records.js';
import {cli, makeSession} from '../../helpers/session.js';

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'scope-cli-'));
  const file = {op: 'open', file: `/very/long/${'path/'.repeat(30)}x`};
  makeSession(home, 1, [
    makeMetric({name: 'proc.start', value: 1, unit: 'process', attributes: {args: '/bin/echo hello'}}),
    makeMetric({name: 'proc.cpu_perc', type: 'gauge', value: 0.6586, unit: 'percent'}),
    makeMetric({attributes: file}),
    ...Array.from({length: 300}, (_, i) =>
      makeMetric({name: 'net.rx', unit: 'byte', value: 1000 + Math.round(900 * Math.sin(i / 20))}),
    ),
  ]);
  makeSession(home, 2, []);
});
afterAll(() => {
  rmSync(home, {recursive: true, force: true});
});

const one = (words: string[], width = 0) => cli(home, ['metrics', '-i', '1', ...words], width);

describe('scope metrics', () => {
  it('shows name, value, type, unit, pid and sorted tags', async () => {
    const {out} = await one(['-u']);
    expect(out.split('\n')[0]).toMatch(/^NAME +VALUE +TYPE +UNIT +PID +TAGS$/);
    expect(out).toMatch(
      /^proc\.start +1 +Count +process +4242 +args: \/bin\/echo hello,host: vm,proc: echo,summary: true$/m,
    );
    expect(out).toMatch(/^proc\.cpu_perc +0\.66 +Gauge +percent /m);
    expect(out.trim().split('\n')).toHaveLength(5);
  });

  it('fits the terminal', async () => {
    for (const width of [80, 200]) {
      const {out} = await one(['-u'], width);
      for (const line of out.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(width);
      expect(out).toContain('…');
    }
  });

  it('chooses by name and by group', async () => {
    expect((await one(['-m', 'fs.open,proc.start'])).out.trim().split('\n')).toHaveLength(3);
    expect((await one(['-m', 'proc.*'])).out.trim().split('\n')).toHaveLength(3);
    expect((await one(['-m', 'no.such'])).out).toBe('No metrics available named no.such\n');
  });

  it('draws a graph that fits', async () => {
    for (const width of [80, 200]) {
      const {out} = await one(['-m', 'net.rx', '-g'], width);
      expect(out).toMatch(/^net\.rx \(byte\)\n/);
      expect(out.trim().split('\n').length).toBeGreaterThanOrEqual(20);
      for (const line of out.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(width);
    }
    expect((await one(['-m', 'fs.open', '-g'], 80)).status).toBe(0);
  });

  it('shows columns and NDJSON', async () => {
    const {out} = await one(['-m', 'net.rx,fs.open', '-c']);
    expect(out.split('\n')[0]).toMatch(/FS\.OPEN +NET\.RX/);
    expect(out.trim().split('\n')).toHaveLength(301);
    const rows = (await one(['-m', 'fs.open', '-j'])).out
      .trim()
      .split('\n')
      .map((l) => JSON.parse(l));
    expect(rows).toMatchObject([{_metric: 'fs.open', _value: 2, pid: 4242}]);
  });

  it('refuses a graph without a name and with columns', async () => {
    expect(await one(['-g'])).toMatchObject({
      status: 1,
      err: expect.stringContaining('--graph needs --metric'),
    });
    expect(await one(['-g', '-c', '-m', 'x'])).toMatchObject({
      status: 1,
      err: expect.stringContaining('--graph and --cols'),
    });
    expect(await one(['stray'])).toMatchObject({status: 1});
  });

  it('says when there are none', async () => {
    expect(await cli(home, ['metrics'])).toMatchObject({status: 0, out: 'No metrics available\n'});
  });
});
