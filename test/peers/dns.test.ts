// SPDX-License-Identifier: Apache-2.0
/**
 * Lookups through libc and through c-ares against a real name server, files and nscd: each is counted once, however many
 * packets it takes, and what is seen equals the server's own log.
 */
import {type ChildProcess, spawn} from 'node:child_process';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, afterEach, beforeAll, describe, expect, it} from 'vitest';
import type {Event} from '../../src/records/types.js';
import {type Observed, observe} from '../helpers/observe.js';
import {Dnsmasq} from './dnsmasq.js';
import {installed} from './support.js';
import {has, Web} from './web.js';

const CONFIG = 'event: {watch: [{type: dns}, {type: net}]}';

let web: Web;
let base: string;
let server: Dnsmasq;
const children: ChildProcess[] = [];
beforeAll(async () => {
  web = new Web();
  base = web.folder('dns');
  if (runnable) server = await Dnsmasq.start(base);
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(async () => {
  await server?.stop();
  web.end();
});

/** Files of /etc and a /run of its own for a command; what it mounts ends with it. */
function resolving(resolv: string, command: readonly string[], before = ''): string[] {
  const files = {
    'resolv.conf': resolv,
    'nsswitch.conf': 'passwd: files\nhosts: files dns\n',
    hosts: '127.0.0.1 localhost\n192.0.2.77 filed.test\n',
  };
  const mounts = Object.entries(files).map(([name, text]) => {
    writeFileSync(join(base, name), text);
    return `mount --bind ${join(base, name)} /etc/${name}`;
  });
  const script = `set -e; ${mounts.join('; ')}; mount -t tmpfs none /run; ${before}
exec "$@"`;
  return ['unshare', '-m', '--propagation', 'private', 'sh', '-c', script, 'sh', ...command];
}

/** `data` of a program's dns events. */
function lookups(seen: Observed, source: string, proc: string): Record<string, unknown>[] {
  return seen.records
    .filter((record): record is Event => record.kind === 'event' && record.source === source)
    .filter((event) => event.process.proc === proc)
    .map((event) => event.data as Record<string, unknown>);
}

const count = (seen: Observed, proc: string) =>
  seen
    .metrics('dns.req')
    .filter((metric) => metric.process.proc === proc)
    .reduce((sum, metric) => sum + metric.value, 0);

const ask = (...names: string[]) => [
  '/usr/bin/python3',
  '-c',
  `
import socket, sys
for name in sys.argv[1:]:
    try:
        print(name, *sorted({a[4][0] for a in socket.getaddrinfo(name, 80)}))
    except socket.gaierror:
        print(name)`,
  ...names,
];

/** What the program itself was told, in the same words as the events. */
const answered = (seen: Observed) =>
  seen.stdout
    .trim()
    .split('\n')
    .filter((line) => line.includes(' '));
const resolved = (seen: Observed, proc: string) =>
  lookups(seen, 'dns.resp', proc).map(({domain, addrs}) =>
    [domain, ...[...(addrs as string[])].sort()].join(' '),
  );

const runnable = has('dnsmasq', 'unshare') && process.getuid?.() === 0;

describe.skipIf(!runnable)('libc', () => {
  const resolv = () => `nameserver ${server.address}\noptions timeout:1 attempts:2\n`;

  it('asks for A and AAAA, over aliases, and in vain: one lookup each, as the program and the server say', async () => {
    const before = server.queries().length;
    const names = ['both.test', 'host7.test', 'alias.test', 'none.test'];
    const seen = await observe(resolving(resolv(), ask(...names)), {config: CONFIG});
    expect(seen.stderr).toBe('');
    expect(lookups(seen, 'dns.req', 'python3').map((data) => data.domain)).toEqual(names);
    expect(count(seen, 'python3')).toBe(4);
    expect(answered(seen)).toHaveLength(3);
    expect(resolved(seen, 'python3')).toEqual(answered(seen));
    const queries = server.queries().slice(before);
    expect(queries).toHaveLength(8);
    expect([...new Set(queries.map(({name}) => name))]).toEqual(names);
  });

  it('tries search domains: one lookup, of the name that was asked for', async () => {
    const before = server.queries().length;
    const seen = await observe(resolving(`search nowhere.test test\n${resolv()}`, ask('host9')), {
      config: CONFIG,
    });
    expect(answered(seen)).toEqual(['host9 192.0.2.10']);
    expect(lookups(seen, 'dns.req', 'python3')).toEqual([{domain: 'host9'}]);
    expect(resolved(seen, 'python3')).toEqual(answered(seen));
    expect(
      new Set(
        server
          .queries()
          .slice(before)
          .map(({name}) => name),
      ),
    ).toEqual(new Set(['host9.nowhere.test', 'host9.test']));
  });

  it('asks another server when the first is silent', async () => {
    const silent = `127.77.${process.pid % 250}.99`;
    const hole = spawn(process.execPath, [
      '-e',
      `const s = require('dgram').createSocket('udp4'); s.bind(53, '${silent}', () => console.log('ready'))`,
    ]);
    children.push(hole);
    await new Promise((done) => hole.stdout!.once('data', done));
    const seen = await observe(resolving(`nameserver ${silent}\n${resolv()}`, ask('host8.test')), {
      config: CONFIG,
    });
    expect(answered(seen)).toEqual(['host8.test 192.0.2.9']);
    expect(lookups(seen, 'dns.req', 'python3')).toEqual([{domain: 'host8.test'}]);
    expect(resolved(seen, 'python3')).toEqual(answered(seen));
    expect(lookups(seen, 'dns.resp', 'python3')[0]!.duration).toBeGreaterThan(900);
  });

  it('asks again by TCP when the answer is too long for a packet', async () => {
    const seen = await observe(resolving(resolv(), ask('big.test')), {config: CONFIG});
    expect(answered(seen)[0]!.split(' ')).toHaveLength(61);
    expect(lookups(seen, 'dns.req', 'python3')).toEqual([{domain: 'big.test'}]);
    expect(lookups(seen, 'dns.resp', 'python3')).toHaveLength(1);
    expect(resolved(seen, 'python3')).toEqual(answered(seen));
    const tcp = seen
      .events('net.close')
      .filter((data) => data.net_peer_port === 53 && data.net_transport === 'IP.TCP');
    // glibc does it all again, with more room for the answer.
    expect(new Set(tcp.map((data) => data.net_protocol))).toEqual(new Set(['dns']));
  });

  it.each([
    ['python', ask('filed.test'), 'python3'],
    ['getent', ['getent', 'ahostsv4', 'filed.test'], 'getent'],
    ['perl', ['perl', '-e', 'print join ".", unpack("C4", (gethostbyname "filed.test")[4])'], 'perl'],
  ])('reads files without a packet: one lookup (%s)', async (_, argv, proc) => {
    const before = server.queries().length;
    const seen = await observe(resolving(resolv(), argv), {config: CONFIG});
    expect(seen.stdout).toContain('192.0.2.77');
    expect(lookups(seen, 'dns.req', proc)).toEqual([{domain: 'filed.test'}]);
    expect(lookups(seen, 'dns.resp', proc)).toHaveLength(1);
    expect(count(seen, proc)).toBe(1);
    expect(server.queries()).toHaveLength(before);
  });

  const nscd = installed('nscd/usr/sbin/nscd');
  it.skipIf(nscd === undefined)(
    'asks nscd through its socket: one lookup, and no packet of the program',
    async () => {
      const conf = join(base, 'nscd.conf');
      writeFileSync(
        conf,
        'enable-cache hosts yes\nenable-cache passwd no\nenable-cache group no\nserver-user root\n',
      );
      const start = `mkdir -p /run/nscd; ${nscd} -f ${conf}; for i in 1 2 3 4 5 6 7 8 9; do [ -S /run/nscd/socket ] || sleep 0.1; done`;
      const finish = 'python3=$!; wait $python3; kill $(cat /run/nscd/nscd.pid)';
      const program = ['sh', '-c', `"$@" & ${finish}`, 'sh', ...ask('host5.test', 'none.test')];
      const seen = await observe(resolving(resolv(), program, start), {config: CONFIG});
      expect(answered(seen)).toEqual(['host5.test 192.0.2.6']);
      expect(lookups(seen, 'dns.req', 'python3')).toEqual([{domain: 'host5.test'}, {domain: 'none.test'}]);
      expect(lookups(seen, 'dns.resp', 'python3').map((data) => data.domain)).toEqual(['host5.test']);
      expect(count(seen, 'python3')).toBe(2);
      const packets = seen.records.filter(
        (record) =>
          record.kind === 'event' &&
          record.process.proc === 'python3' &&
          (record.data as Record<string, unknown>).net_peer_port === 53,
      );
      expect(packets).toEqual([]);
    },
  );
});

describe.skipIf(!runnable)('c-ares', () => {
  it.each([
    [true, ['host3.test', 'six.test']],
    [false, []],
  ])('asks port 5353, with mdns: %s', async (mdns, names) => {
    const other = await Dnsmasq.start(web.folder('mdns'), 5353);
    try {
      const script = `
        const resolver = new (require('dns').promises.Resolver)();
        resolver.setServers(['${other.address}:5353']);
        resolver.resolve4('host3.test').then(() => resolver.resolve6('six.test'));`;
      const config = `event: {watch: [{type: dns, mdns: ${mdns}}]}`;
      const seen = await observe([process.execPath, '-e', script], {config});
      expect(other.queries().map(({name}) => name)).toEqual(['host3.test', 'six.test']);
      expect(seen.events('dns.req').map((data) => data.domain)).toEqual(names);
      expect(seen.events('dns.resp').map((data) => data.domain)).toEqual(names);
    } finally {
      await other.stop();
    }
  });

  it('asks for records of all types: one lookup each, as the server says', async () => {
    const before = server.queries().length;
    const script = `
      const {Resolver} = require('dns').promises;
      const resolver = new Resolver({timeout: 5000});
      resolver.setServers(process.argv.slice(1));
      (async () => {
        await resolver.resolveSrv('_web._tcp.test');
        await resolver.reverse('192.0.2.4');
        await resolver.resolve('alias.test', 'CNAME');
        await resolver.resolve4('alias.test');
        await resolver.resolve4('big.test');
        await resolver.resolveMx('host1.test').catch(() => 0);
      })();`;
    const seen = await observe([process.execPath, '-e', script, server.address], {config: CONFIG});
    expect(seen.stderr).toBe('');
    const names = [
      '_web._tcp.test',
      '4.2.0.192.in-addr.arpa',
      'alias.test',
      'alias.test',
      'big.test',
      'host1.test',
    ];
    expect(seen.events('dns.req').map((data) => data.domain)).toEqual(names);
    const asked = server.queries().slice(before);
    expect(asked.map(({type}) => type)).toEqual(expect.arrayContaining(['SRV', 'PTR', 'CNAME', 'A', 'MX']));
    expect([...new Set(asked.map(({name}) => name))]).toEqual([...new Set(names)]);
    const answers = seen
      .events('dns.resp')
      .map(({domain, addrs}) => [domain, (addrs as string[] | undefined)?.length]);
    expect(answers).toEqual([
      ['_web._tcp.test', undefined],
      ['4.2.0.192.in-addr.arpa', undefined],
      ['alias.test', undefined],
      ['alias.test', 1],
      ['big.test', 60],
    ]);
  });
});
