// SPDX-License-Identifier: Apache-2.0
// Static programs, launched and as children of scoped ones: they behave as bare, and every call is seen.
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {canBuild, cleanup, hasCommand, type Libc, launcher, makeDir, program, root, run} from './support.js';
import {countCalls, endRelays, hookedCalls, traceBare} from './truth.js';

const homes: string[] = [];
afterAll(async () => {
  await endRelays(homes);
  cleanup();
});

function home(): string {
  const dir = makeDir();
  homes.push(dir);
  return dir;
}

/** The channel folder of the only session of a home. */
function channels(dir: string): string {
  return join(dir, 'history', readdirSync(join(dir, 'history'))[0]!, 'channels');
}

for (const libc of ['static', 'musl-static'] as Libc[]) {
  describe.skipIf(!canBuild(libc))(libc, () => {
    for (const [name, args] of [
      ['calls', []],
      ['sockets', []],
      ['forks', []],
      ['threads', []],
      ['signals', []],
      ['cancel', []],
      ['own_write', []],
      ['limits', ['close']],
      ['limits', ['filter']],
      ['limits', ['strict']],
      ['limits', ['setuid']],
    ] as [string, string[]][]) {
      test(`${[name, ...args].join(' ')} behaves as it does bare`, async () => {
        const argv = [program(name, libc), ...args];
        const bare = await run(argv);
        expect(await run([launcher, ...argv], {SCOPE_HOME: home(), SCOPE_NODE: '/bin/true'})).toEqual(bare);
      });
    }

    test('as a child of a scoped shell it behaves as it does bare', async () => {
      const argv = [
        'bash',
        '-c',
        `${program('calls', libc)} < /etc/passwd; echo $?; env -i ${program('own_write', libc)} | wc -c`,
      ];
      const bare = await run(argv);
      expect(await run([launcher, ...argv], {SCOPE_HOME: home(), SCOPE_NODE: '/bin/true'})).toEqual(bare);
    });

    test('every call of it is seen', async () => {
      const argv = [program('calls', libc)];
      const truth = await traceBare(argv);
      const dir = home();
      await run([launcher, ...argv], {SCOPE_HOME: dir, SCOPE_NODE: '/bin/true'});
      const ours = countCalls(channels(dir));
      expect(ours).toEqual(truth);
    });
  });
}

test.skipIf(!hasCommand('valgrind'))(
  'Valgrind and what it simulates are left alone, and the notes say so',
  async () => {
    const argv = ['valgrind', '-q', '--error-exitcode=9', 'cat', '/etc/hostname'];
    const bare = await run(argv);
    const dir = home();
    expect(await run([launcher, ...argv], {SCOPE_HOME: dir, SCOPE_NODE: '/bin/true'})).toEqual(bare);
    expect(readFileSync(join(channels(dir), 'notes'), 'utf8')).toContain(
      'Valgrind runs a program on a simulated',
    );
  },
);

test('the table of hooked calls is read', () => {
  expect(hookedCalls.size).toBeGreaterThan(80);
  expect(readFileSync(join(root, 'native/base/calls.h'), 'utf8')).toContain('SC_CALL_LIST');
});
