// SPDX-License-Identifier: Apache-2.0
// A process of root that gives up its rights cannot write to what root's other processes believe. The truth is the kernel's
// list of its mappings. Needs root.
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {Scope} from '../helpers/scope.js';
import {cleanup, hasCommand} from './support.js';

const scope = new Scope();
afterAll(async () => {
  await scope.close();
  cleanup();
});

const PYTHON = `
import os, sys
if sys.argv[1] == 'chroot':
    os.chroot(sys.argv[2])
maps = open('/proc/self/maps') if sys.argv[1] != 'chroot' else None
os.setgid(64001)
os.setuid(64001)
pid = os.fork()
if pid == 0:
    os._exit(3)
os.waitpid(pid, 0)
for line in maps or []:
    if line.rstrip().endswith('/hub'): print(line.split()[1])
try:
    open('/etc/scope-none')
except OSError:
    print('goes on')
`;

const usable = process.getuid!() === 0 && hasCommand('python3');

describe.skipIf(!usable)('a process that gives up root', () => {
  test('has the hub to read only, and is seen as before', () => {
    const ran = scope.run(['run', '-v', '9', '--', 'python3', '-c', PYTHON, 'plain']);
    expect(ran).toEqual({status: 0, stdout: 'r--s\ngoes on\n', stderr: ''});
    const errors = scope.run(['metrics', '-m', 'fs.error', '-j']).stdout;
    expect(errors).toContain('"file":"/etc/scope-none"');
    // The folder of the session is root's: what it forks now has no channel, and that is said.
    const dir = scope.run(['hist', '-d']).stdout.trim();
    const {notes} = JSON.parse(readFileSync(join(dir, 'status.json'), 'utf8'));
    expect(notes).toEqual([
      expect.stringMatching(/^python3\S*: a program that it became or started does not reach/),
    ]);
  });

  test('after a chroot, too: it goes on and is seen', () => {
    const ran = scope.run(['run', '--', 'python3', '-c', PYTHON, 'chroot', scope.home]);
    expect(ran).toEqual({status: 0, stdout: 'goes on\n', stderr: ''});
  });
});
