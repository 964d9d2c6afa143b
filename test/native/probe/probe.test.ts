// SPDX-License-Identifier: Apache-2.0
/** What the library records of programs whose every call is known (cases.c), read straight from the channel. */
import {spawnSync} from 'node:child_process';
import {existsSync, mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {ROOT} from '../../../src/base/root.js';
import {openFolder, WANT} from '../../../src/channel/index.js';
import {buildProgram, hasCommand} from '../build.js';

const here = import.meta.dirname;
const library = join(ROOT, 'build/lib/libscope.so');
let dir: string;
let dump: string;
const programs: Record<string, string> = {};

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'scope-probe-'));
  dump = buildProgram(join(dir, 'dump'), [
    join(here, '../channel/dump.c'),
    join(ROOT, 'native/base/calls.c'),
  ]);
  programs.glibc = buildProgram(join(dir, 'cases'), [join(here, 'cases.c')], ['-pthread']);
  if (hasCommand('musl-gcc'))
    programs.musl = buildProgram(
      join(dir, 'cases.musl'),
      [join(here, 'cases.c')],
      ['-pthread', '-w', '-idirafter', '/usr/include', '-idirafter', '/usr/include/x86_64-linux-gnu'],
      'musl-gcc',
    );
});
afterAll(() => rmSync(dir, {recursive: true, force: true}));

interface Seen {
  pid: number;
  header: string;
  calls: Record<string, number>;
  counters: Record<string, number>;
  /** Lines "TYPE fd=… object=… ret=… nr=… …" without the thread's id. */
  records: string[];
}

function parse(text: string): Seen {
  const seen: Seen = {pid: 0, header: '', calls: {}, counters: {}, records: []};
  for (const line of text.split('\n')) {
    const [kind, name, value] = line.split(' ');
    if (kind === 'channel') {
      seen.header = line;
      seen.pid = Number(/pid=(\d+)/.exec(line)?.[1]);
    } else if (kind === 'calls') seen.calls[name ?? ''] = Number(value);
    else if (kind === 'counter') seen.counters[name ?? ''] = Number(value);
    else if (kind === 'record') seen.records.push(line.slice(7).replace(/tid=\d+ /, ''));
    else if (kind) throw new Error(line);
  }
  for (const name of ['FS_READ_TICKS', 'FS_WRITE_TICKS', 'NET_TICKS']) delete seen.counters[name];
  return seen;
}

/** Runs a case; the channels it left, the main program's first. */
function observe(libc: string, name: string, input = '', want?: number): Seen[] {
  const folder = mkdtempSync('/dev/shm/scope-probe-');
  if (want !== undefined) openFolder(folder, {create: true, control: {want}}).close();
  const cwd = mkdtempSync(join(dir, 'cwd-'));
  try {
    const program = programs[libc] ?? '';
    const out = spawnSync(program, [name], {
      cwd,
      input,
      env: {LD_PRELOAD: library, SCOPE_DIR: folder},
      encoding: 'utf8',
      timeout: 40_000,
    });
    expect([out.status, out.signal]).toEqual([0, null]);
    const channels = readdirSync(folder)
      .filter((file) => file.endsWith('.chan'))
      .map((file) => parse(spawnSync(dump, [join(folder, file)], {encoding: 'utf8'}).stdout));
    return channels.sort((a, b) => Number(b.pid === out.pid) - Number(a.pid === out.pid));
  } finally {
    rmSync(folder, {recursive: true, force: true});
  }
}

const of = (seen: Seen | undefined, type: string): string[] =>
  seen?.records.filter((line) => line.startsWith(`${type} `)) ?? [];

const gnu = existsSync(library);
for (const libc of ['glibc', 'musl'])
  describe.skipIf(!gnu || (libc === 'musl' && !hasCommand('musl-gcc')))(`calls on ${libc}`, () => {
    it('files: open to delete, one object for both descriptors, errors by class', () => {
      const [p] = observe(libc, 'file');
      expect(p?.counters).toEqual({
        FS_OPEN: 1,
        FS_CLOSE: 2,
        FS_READ_OPS: 2,
        FS_READ_BYTES: 14,
        FS_WRITE_OPS: 2,
        FS_WRITE_BYTES: 11,
        FS_SEEK: 1,
        FS_DELETE: 1,
        FS_ERR_OPEN_CLOSE: 2,
        FS_ERR_STAT: 1,
      });
      expect(of(p, 'OPEN')).toHaveLength(1);
      expect(of(p, 'OPEN')[0]).toMatch(/nr=open(at)? .* x\.log$/);
      expect(of(p, 'TEXT').map((line) => line.split(' ').at(-1))).toEqual(['hello\\n', 'abcde']);
      expect(of(p, 'CLOSE')).toEqual([expect.stringMatching(/^CLOSE fd=4 object=1 .*rx=14\/2 tx=11\/2 $/)]);
      expect(of(p, 'DELETE')[0]).toMatch(/ x\.log$/);
      expect(of(p, 'EXIT')).toHaveLength(1);
      expect(p?.header).toMatch(/state=2 flags=0/);
    });

    it('mode and owner of each open are those of its time, whatever the program did since the last', () => {
      const [p] = observe(libc, 'owners', '', WANT.OPEN | WANT.OPEN_MODE);
      const modes = of(p, 'OPEN')
        .map((line) => /mode=100(\d+) uid=(\d+) (.*)/.exec(line))
        .map((m) => [m?.[3]?.split('/').at(-1), m?.[1], Number(m?.[2])]);
      const me = process.getuid?.();
      expect(modes.slice(0, 14)).toEqual(
        [
          ['some.file', '601'], // made
          ['some.file', '601'],
          ['some.file', '601'],
          ['some.file', '602'],
          ['some.file', '602'],
          ['some.file', '603'],
          ['some.file', '604'],
          ['other', '605'], // made
          ['some.file', '604'],
          ['some.file', '605'],
          ['other', '606'], // made
          ['some.file', '605'],
          ['some.file', '606'],
          ['passwd', '607'], // made
        ].map(([name, mode]) => [name, mode, me]),
      );
      expect(modes[14]).toEqual(['passwd', '644', 0]);
      if (me === 0) expect(modes[15]).toEqual(['passwd', '607', 0]);
      expect(modes).toHaveLength(me === 0 ? 16 : 15);
    });

    it('console: text of 1 and 2 wherever it is written, nothing else', () => {
      const [p] = observe(libc, 'console');
      expect(of(p, 'TEXT').map((line) => [line.split(' ')[1], line.replace(/.*used=\d+ /, '')])).toEqual([
        ['fd=1', 'to stdout\\n'],
        ['fd=2', 'to stderr'],
        ['fd=1', 'again\\n'],
      ]);
      expect(p?.counters).toMatchObject({CONSOLE_OPS: 3, CONSOLE_BYTES: 25, FS_WRITE_BYTES: 4});
    });

    it('a long write comes whole, in pieces', () => {
      const [p] = observe(libc, 'big');
      const used = of(p, 'TEXT').map((line) => Number(/used=(\d+)/.exec(line)?.[1]));
      expect(used.reduce((a, b) => a + b, 0)).toBe(100_000);
      expect(Math.max(...used)).toBe(16_384);
      expect(p?.counters.CONSOLE_BYTES).toBe(100_000);
    });

    it('transfers inside the kernel count on both sides', () => {
      const [p] = observe(libc, 'transfer');
      expect(p?.counters).toMatchObject({
        FS_READ_OPS: 6,
        FS_READ_BYTES: 38,
        FS_WRITE_OPS: 4,
        FS_WRITE_BYTES: 32,
        CONSOLE_OPS: 2,
        CONSOLE_BYTES: 11,
      });
      // Text that never was in the program's memory.
      expect(of(p, 'TEXT').map((line) => line.split(' ').at(-1))).toEqual(['23456', '456789']);
      expect(of(p, 'CLOSE').map((line) => line.replace(/.*used=40 /, ''))).toEqual([
        'rx=33/5 tx=10/1 ',
        'rx=0/0 tx=17/2 ',
      ]);
    });

    it('tcp: addresses and roles of both ends, MSG_PEEK not counted, half close no close', () => {
      const [p] = observe(libc, 'tcp');
      expect(p?.counters).toEqual({
        NET_OPEN: 2,
        NET_CLOSE: 2,
        NET_RX_INET_TCP: 14,
        NET_TX_INET_TCP: 14,
        NET_RX_OPS: 3,
        NET_TX_OPS: 2,
      });
      const [client, server] = of(p, 'CONN_OPEN');
      const ends = (line = ''): string[] => [...line.matchAll(/127\.0\.0\.1:\d+/g)].map((m) => m[0]);
      expect(client).toMatch(/nr=connect flags=32/);
      expect(server).toMatch(/nr=accept4 flags=16/);
      expect(ends(client)).toHaveLength(2);
      expect(ends(client)).toEqual(ends(server).reverse());
      const closed = of(p, 'CONN_CLOSE');
      expect(closed.map((line) => line.replace(/.* rx/, 'rx'))).toEqual(['rx=7 tx=7', 'rx=7 tx=7']);
      expect(ends(closed[1])).toEqual(ends(server));
    });

    it('a connect that does not wait is an open when it is through, an error when it failed', () => {
      const [p] = observe(libc, 'nonblocking');
      expect(p?.counters).toMatchObject({NET_OPEN: 1, NET_CLOSE: 1, NET_ERR_CONNECTION: 1});
      expect(p?.counters.NET_TCP).toBeUndefined();
      expect(p?.counters.NET_PORT).toBeUndefined();
      expect(of(p, 'CONN_OPEN')).toHaveLength(1);
    });

    it('udp: each message of sendmmsg and recvmmsg', () => {
      const [p] = observe(libc, 'udp');
      expect(p?.counters).toMatchObject({NET_TX_INET_UDP: 9, NET_TX_OPS: 2, NET_OPEN: 2});
      expect(of(p, 'CONN_OPEN')[0]).toMatch(/type=2 .*127\.0\.0\.1:\d+$/);
    });

    it('a descriptor that comes with a message is known by its name', () => {
      const [p] = observe(libc, 'rights');
      expect(of(p, 'OPEN').map((line) => line.replace(/ object.*nr=(\S+).* /, ' $1 '))).toEqual([
        expect.stringMatching(/^OPEN fd=3 open(at)? \/etc\/passwd$/),
        'OPEN fd=3 recvmsg /etc/passwd',
      ]);
      expect(p?.counters).toMatchObject({FS_OPEN: 2, FS_CLOSE: 2, FS_READ_BYTES: 1});
    });

    it('descriptors above 1023, close_range', () => {
      const [p] = observe(libc, 'high');
      expect(of(p, 'CLOSE')).toEqual([
        expect.stringMatching(/^CLOSE fd=4000 object=1 .*nr=close_range .*rx=4\/1 tx=0\/0 $/),
      ]);
      expect(p?.counters).toMatchObject({FS_ERR_READ_WRITE: 1, FS_CLOSE: 2});
    });

    it('threads are counted, their calls too, and one exit is recorded', () => {
      const [p] = observe(libc, 'threads');
      expect(p?.counters).toEqual({FS_STAT: 2000, PROC_THREAD: 20});
      expect(of(p, 'EXIT')).toHaveLength(1);
      expect(p?.calls.exit).toBe(20);
    });

    it('fork, vfork, spawn with a clean environment, an exec that fails', () => {
      const [p, ...children] = observe(libc, 'children');
      expect(of(p, 'FORK')).toHaveLength(3);
      expect(of(p, 'EXEC').map((line) => Number(/ret=(-?\d+)/.exec(line)?.[1]))).toEqual([0, -2]);
      expect(of(p, 'CLOSE')[0]).toMatch(/fd=3 object=1 .*rx=2\/1/);
      expect(p?.header).toMatch(/state=2/);
      expect(children).toHaveLength(2);
      const forked = children.find((c) => c.header.includes('origin=1'));
      expect(forked?.counters.FS_READ_BYTES).toBe(2);
      expect(of(forked, 'EXIT')[0]).toMatch(/ret=3/);
      expect(children.some((c) => c.header.includes('/true'))).toBe(true);
    });

    it('a handler that forks: the child goes on in the interrupted loop', () => {
      const [p, child] = observe(libc, 'handler');
      expect(p?.counters.FS_WRITE_OPS).toBe(2000);
      expect(child?.counters.FS_WRITE_OPS).toBe(1000);
    });

    it('standard input is read like any file', () => {
      const [p] = observe(libc, 'stdin', 'twelve bytes');
      expect(p?.counters.FS_READ_BYTES).toBe(12);
    });
  });
