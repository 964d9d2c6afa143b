// SPDX-License-Identifier: Apache-2.0
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {makeEvent, makeMetric, makeProcess} from '../../helpers/records.js';
import {cli, makeSession} from '../../helpers/session.js';

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'scope-cli-'));
  const events = Array.from({length: 50}, (_, i) =>
    makeEvent({
      sourcetype: 'fs',
      source: i % 2 ? 'fs.open' : 'fs.close',
      data: {file: `/tmp/f${i}`, op: 'open', n: i},
    }),
  );
  makeSession(home, 1, [makeEvent({data: {message: 'old\n'}})]);
  makeSession(home, 2, [
    {kind: 'start', time: 1, process: makeProcess(), configuration: {}},
    makeEvent({data: {message: 'two words\nand \u001b[31mred\u001b[0m\n'}}),
    ...events,
    makeEvent({
      sourcetype: 'net',
      source: 'net.open',
      data: {net_peer_ip: '1.2.3.4', net_peer_port: 80, op: 'x'},
    }),
    makeEvent({sourcetype: 'fs', source: 'notice', data: 'Truncated metrics.'}),
    makeMetric(),
  ]);
  makeSession(home, 3, []);
});
afterAll(() => {
  rmSync(home, {recursive: true, force: true});
});

const two = (...words: string[]) => cli(home, ['events', '-i', '2', ...words]);
const ids = (out: string) => [...out.matchAll(/^\[(\d+)\]/gm)].map((m) => Number(m[1]));

describe('scope events', () => {
  it('lists the last 20 by default and all with -a', async () => {
    expect(ids((await two()).out)).toEqual(Array.from({length: 20}, (_, i) => 33 + i));
    expect(ids((await two('-a')).out)).toHaveLength(53);
    expect(ids((await two('-n', '3')).out)).toEqual([50, 51, 52]);
  });

  it('numbers events from 0 and leaves the start message out', async () => {
    const {out} = await two('-n', '53');
    expect(out.split('\n')[0]).toMatch(
      /^\[0\] [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d echo console stdout message:"two words and red"$/,
    );
  });

  it('shows the default fields of a source, others with --allfields, chosen ones with --fields', async () => {
    expect((await two('-s', 'net.open')).out).toMatch(
      /net net\.open net_peer_ip:1\.2\.3\.4 net_peer_port:80\n$/,
    );
    expect((await two('-s', 'net.open', '--allfields')).out).toMatch(/net_peer_port:80 \[\[op:x\]\]\n$/);
    expect((await two('-s', 'net.open', '--fields', 'op')).out).toMatch(/net net\.open op:x\n$/);
    expect((await two('-s', 'notice')).out).toMatch(/fs notice Truncated metrics\.\n$/);
  });

  it('filters by prefix of source and sourcetype, by text and by expression', async () => {
    expect(ids((await two('-s', 'fs.o')).out)).toHaveLength(25);
    expect(ids((await two('-t', 'net,console')).out)).toEqual([0, 51]);
    expect(ids((await two('-t', 'fs', '-m', '/tmp/f4')).out)).toHaveLength(11);
    expect(ids((await two('-t', 'fs', '-m', '/tmp/f4', '-n', '2')).out)).toEqual([49, 50]);
    expect(ids((await two('-e', 'source == "fs.open" && data.n >= 47')).out)).toEqual([48, 50]);
    expect(ids((await two('-n', '1', '-e', 'data.n < 10')).out)).toEqual([10]);
  });

  it('shows one event in full', async () => {
    const {out, status} = await two('1');
    expect(status).toBe(0);
    expect(out).toMatch(/^ID: +1\nProc: +echo\nPid: +4242\nTime: +.*\nCommand: +\/bin\/echo hello\n/);
    expect(out).toContain('Data:\n  file: /tmp/f0\n  op:   open\n  n:    0\n');
    expect((await two('0')).out).toContain('message: two words\n           and red\n');
  });

  it('writes NDJSON with the id', async () => {
    const {out} = await two('-j', '-n', '2');
    const rows = out
      .trim()
      .split('\n')
      .map((l) => JSON.parse(l));
    expect(rows[0]).toMatchObject({
      Id: '51',
      _channel: '77',
      sourcetype: 'net',
      pid: 4242,
      data: {net_peer_port: 80},
    });
    expect(rows[1].data).toBe('Truncated metrics.');
    expect(JSON.parse((await two('-j', '0')).out).source).toBe('stdout');
  });

  it('sorts descending, and ascending with -r', async () => {
    expect(ids((await two('-a', '--sort', 'source')).out).at(0)).toBe(0);
    expect(ids((await two('-a', '--sort', 'id')).out).at(0)).toBe(52);
    expect(ids((await two('-a', '--sort', 'id', '-r')).out).at(0)).toBe(0);
  });

  it('shortens only the message to the terminal', async () => {
    const {out} = await cli(home, ['events', '-i', '2', '-s', 'stdout'], 60);
    expect(out).toContain('message:"two words and red"');
    for (const width of [80, 200]) {
      const {out: wide} = await cli(home, ['events', '-i', '2'], width);
      for (const line of wide.split('\n')) expect(line.length).toBeLessThanOrEqual(width);
    }
  });

  it('colours only when told so without a terminal', async () => {
    expect((await two()).out).not.toContain('\u001b');
    expect((await two('--color')).out).toContain('\u001b[34m33\u001b[0m');
  });

  it('refuses what it does not know, naming it', async () => {
    expect(await two('--nope')).toMatchObject({status: 2, err: expect.stringContaining('--nope')});
    expect(await two('-n', 'x')).toMatchObject({status: 2, err: expect.stringContaining("'x'")});
    expect(await two('-a', '-n', '3')).toMatchObject({
      status: 1,
      err: expect.stringContaining('--all and --last'),
    });
    expect(await two('-j', '--color')).toMatchObject({status: 1});
    expect(await two('-f', '--sort', 'x')).toMatchObject({status: 1});
    expect(await two('99')).toMatchObject({status: 1, err: expect.stringContaining('event 99 not found')});
    expect(await two('1x')).toMatchObject({status: 2, err: expect.stringContaining('1x')});
    expect(await two('1', '2')).toMatchObject({status: 1});
    expect(await two('-e', 'pid')).toMatchObject({status: 1, err: expect.stringContaining('not boolean')});
    expect(await two('-e', 'process.exit(1)')).toMatchObject({
      status: 1,
      err: expect.stringContaining('exit is not a method'),
    });
    expect(await cli(home, ['events', '-i', '9'])).toMatchObject({
      status: 1,
      err: expect.stringContaining('session id 9 not found'),
    });
  });

  it('takes the last session by default and says when it is empty', async () => {
    expect(await cli(home, ['events'])).toMatchObject({status: 0, err: 'Empty event file.\n'});
  });

  it('follows until the session has ended', async () => {
    expect(ids((await two('-f', '-n', '2')).out)).toEqual([51, 52]);
  });
});
