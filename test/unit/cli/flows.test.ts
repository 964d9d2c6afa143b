// SPDX-License-Identifier: Apache-2.0
import {mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {base62, inNetwork} from '../../../src/session/flows.js';
import {makeEvent} from '../../helpers/records.js';
import {cli, makeSession} from '../../helpers/session.js';

let home: string;
const ends = (peer: string, port: number) => ({
  net_transport: 'IP.TCP',
  net_peer_ip: peer,
  net_peer_port: port,
  net_host_ip: '10.0.0.1',
  net_host_port: 5000 + port,
});
const net = (source: string, data: Record<string, unknown>, time: number) =>
  makeEvent({sourcetype: 'net', source, data, time});

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'scope-flows-'));
  const now = Math.floor(Date.now() / 1000);
  const dir = makeSession(home, 1, [
    net('net.open', ends('1.2.3.4', 80), now - 20),
    net(
      'net.close',
      {
        ...ends('1.2.3.4', 80),
        duration: 1500,
        net_bytes_sent: 100,
        net_bytes_recv: 2_000_000,
        net_close_reason: 'remote',
        net_protocol: 'http',
      },
      now - 18,
    ),
    makeEvent({
      sourcetype: 'net',
      source: 'net.open',
      data: ends('192.168.7.7', 443),
      time: now - 10,
      channel: '8',
    }),
    makeEvent({
      sourcetype: 'net',
      source: 'net.app',
      data: {fd: 5, protocol: 'HTTP'},
      time: now - 9,
      channel: '8',
    }),
    net('net.open', {...ends('fe80::1', 22)}, now - 5),
    net('net.open', {net_transport: 'Unix.TCP', unix_peer_inode: 1}, now),
  ]);
  mkdirSync(join(dir, 'payloads'));
  writeFileSync(join(dir, 'payloads', '4242_1.2.3.4:80_10.0.0.1:5080.in'), 'received bytes');
  utimesSync(join(dir, 'payloads', '4242_1.2.3.4:80_10.0.0.1:5080.in'), now - 18, now - 18);
  writeFileSync(join(dir, 'payloads', '4242.na'), 'x');
  makeSession(home, 2, []);
});
afterAll(() => {
  rmSync(home, {recursive: true, force: true});
});

const one = (words: string[], width = 0) => cli(home, ['flows', '-i', '1', ...words], width);

describe('scope flows', () => {
  it('lists IP connections, the last used one last', async () => {
    const {out} = await one([], 200);
    const lines = out.trim().split('\n');
    expect(lines[0]).toMatch(
      /^ID +HOST IP +HOST PORT +PEER IP +PEER PORT +LAST SENT +DURATION +BYTES RECV +BYTES SENT +PROTOCOL$/,
    );
    expect(lines).toHaveLength(4);
    expect(out).toMatch(/10\.0\.0\.1 +5080 +1\.2\.3\.4 +80 +\S+ +1\.50s +2\.0 MB +100 B +http/);
    expect(out).toMatch(/192\.168\.7\.7 +443 +1\ds +open +0 B +0 B +http/);
    expect(out).toMatch(/fe80::1 +22 .* IP\.TCP/);
    expect((await one([], 80)).out.split('\n')[0]).not.toContain('BYTES');
  });

  it('shows one in full, merged from its events and its payload file', async () => {
    const flow = JSON.parse((await one(['-j', '-p', '1.2.3.0/24'])).out);
    expect(flow).toMatchObject({
      net_close_reason: 'remote',
      duration: 1.5e9,
      proc: 'echo',
      in_file: '4242_1.2.3.4:80_10.0.0.1:5080.in',
      out_file: '',
    });
    expect((await one([flow.id])).out).toMatch(/^Peer IP: +1\.2\.3\.4$/m);
    expect(JSON.parse((await one([flow.id, '-j'])).out)).toEqual(flow);
    expect(await one([flow.id, '--out'])).toMatchObject({
      status: 1,
      err: expect.stringContaining('did you enable payloads'),
    });
    expect(await one(['zzz'])).toMatchObject({
      status: 1,
      err: expect.stringContaining('could not find flow for id zzz'),
    });
  });

  it('sorts by a field', async () => {
    const ports = (out: string) =>
      out
        .trim()
        .split('\n')
        .map((l) => JSON.parse(l).net_peer_port);
    expect(ports((await one(['-j', '-s', 'net_peer_port'])).out)).toEqual([443, 80, 22]);
    expect(ports((await one(['-j', '-s', 'net_peer_port', '-r'])).out)).toEqual([22, 80, 443]);
    expect(ports((await one(['-j', '-n', '1'])).out)).toEqual([22]);
    expect(await one(['-s', 'nope'])).toMatchObject({status: 1, err: expect.stringContaining('nope')});
  });

  it('refuses flags that exclude each other and bad networks', async () => {
    expect(await one(['x', '--in', '--out'])).toMatchObject({status: 1});
    expect(await one(['x', '--in', '-j'])).toMatchObject({status: 1});
    expect(await one(['-p', 'nonsense'])).toMatchObject({
      status: 2,
      err: expect.stringContaining('nonsense'),
    });
    expect(await one(['--in'])).toMatchObject({status: 1});
    expect(await cli(home, ['flows'])).toMatchObject({status: 0, err: 'No flows.\n'});
  });
});

describe('flow helpers', () => {
  it('writes base 62 with the least digit first', () => {
    expect([0, 61, 62, 3844].map(base62)).toEqual(['0', 'Z', '01', '001']);
  });

  it.each([
    ['10.0.0.0/8', '10.9.8.7', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['1.2.3.4', '1.2.3.4', true],
    ['0.0.0.0/0', '9.9.9.9', true],
    ['0.0.0.0/0', 'fe80::1', false],
    ['fe80::/10', 'fe80::1', true],
    ['2001:db8::/32', '2001:db8:1:2:3:4:5:6', true],
    ['::1', '::2', false],
  ])('%s has %s: %s', (cidr, ip, expected) => {
    expect(inNetwork(cidr)!(ip)).toBe(expected);
  });

  it.each(['', 'x', '1.2.3', '1.2.3.4/33', '1.2.3.4/x', '1::2::3', '1.2.3.256', '1.2.3.4/8/8'])(
    '%s is no network',
    (cidr) => {
      expect(inNetwork(cidr)).toBeUndefined();
    },
  );
});
