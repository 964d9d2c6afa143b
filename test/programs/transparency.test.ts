// SPDX-License-Identifier: Apache-2.0
// Programs behave the same under the library as bare: stdout, stderr, exit status, files.
import {chmodSync, mkdirSync, readdirSync} from 'node:fs';
import {afterAll, describe, expect, test} from 'vitest';
import {AS_ROOT, noContainers} from './container.js';
import {
  canBuild,
  channelDir,
  cleanup,
  hasCommand,
  type Libc,
  library,
  makeDir,
  program,
  run,
  scopedEnv,
} from './support.js';

afterAll(cleanup);

const odd: [string, string[]][] = [
  ['calls', []],
  ['sockets', []],
  ['threads', []],
  ['forks', []],
  ['signals', []],
  ['cancel', []],
  ['own_write', []],
  ['fork_handler', ['150']],
  ...[
    'close',
    'filter',
    'strict',
    'nofile',
    'as',
    'core',
    'fsize',
    'chroot',
    'setuid',
    'highfd',
    'dumpable',
    'exec',
  ].map((what): [string, string[]] => ['limits', [what]]),
];

// It reports what is wrong in the program, and would what is in a library beside it.
const valgrind = [
  'valgrind',
  '-q',
  '--trace-children=yes',
  '--error-exitcode=9',
  'sh',
  '-c',
  'cat /etc/hostname; exit 3',
];

async function same(argv: string[], dir = channelDir()): Promise<void> {
  const bare = await run(argv);
  const scoped = await run(argv, scopedEnv(dir));
  expect(scoped).toEqual(bare);
}

for (const libc of ['glibc', 'musl'] as Libc[]) {
  describe.skipIf(!canBuild(libc))(`odd programs on ${libc}`, () => {
    for (const [name, args] of odd) {
      test(`${[name, ...args].join(' ')} behaves as it does bare`, () =>
        same([program(name, libc), ...args]));
    }
  });
}

const commands: [string, string[]][] = [
  ['echo', ['/bin/echo', 'something']],
  ['ls of a tree', ['ls', '-lR', '/etc/default']],
  ['a pipeline', ['bash', '-c', 'seq 1000 | sort -rn | head -3; exit 5']],
  ['a here-document and a subshell', ['bash', '-c', 'cat <<E\nhi\nE\n(cd /; pwd); kill -TERM $$']],
  [
    'python threads',
    [
      'python3',
      '-c',
      'import threading as t\nfor i in range(50): t.Thread(target=lambda: open("f%d" % 1, "w").write("x")).start()\nprint("ok")',
    ],
  ],
  [
    'python subprocess with a clean environment',
    [
      'python3',
      '-c',
      'import subprocess; print(subprocess.run(["/bin/echo", "x"], env={}, capture_output=True))',
    ],
  ],
  ['perl', ['perl', '-e', 'print "x" x 100000; print STDERR "err\n"; exit 3']],
  ['tar and gzip', ['sh', '-c', 'tar czf a.tgz -C /etc default && tar tzf a.tgz | wc -l && rm a.tgz']],
  ['git', ['sh', '-c', 'git init -q . && git status --short && rm -rf .git']],
  ['find', ['find', '/etc/default', '-type', 'f']],
  ['node', ['node', '-e', 'require("fs").writeFileSync("x", "y"); console.log(1); process.exitCode = 4']],
  [
    'gcc',
    ['sh', '-c', 'echo "int main(){return 2;}" > a.c && gcc a.c -o a.out && ./a.out; echo $?; rm a.out'],
  ],
  ['an explicit loader', ['/lib64/ld-linux-x86-64.so.2', '/bin/echo', 'through ld.so']],
  ...(hasCommand('valgrind') ? [['Valgrind', valgrind] as [string, string[]]] : []),
  ['a command that dies of a signal', ['sh', '-c', 'kill -SEGV $$']],
];

describe('real programs', () => {
  for (const [name, argv] of commands) test(`${name} behaves as it does bare`, () => same(argv));
});

describe('where the library cannot work, the program runs unscoped and silent', () => {
  const argv = () => [program('calls')];

  test('SCOPE_DIR does not exist', async () => {
    const bare = await run(argv());
    expect(await run(argv(), scopedEnv('/nonexistent/dir'))).toEqual(bare);
  });
  test('SCOPE_DIR is not set', async () => {
    const bare = await run(argv());
    expect(await run(argv(), {LD_PRELOAD: library})).toEqual(bare);
  });
  test('SCOPE_DIR is a file', async () => {
    const bare = await run(argv());
    expect(await run(argv(), scopedEnv('/etc/passwd'))).toEqual(bare);
  });
  test('no channel can be written by this user', async () => {
    const dir = makeDir();
    mkdirSync(`${dir}/c`);
    chmodSync(`${dir}/c`, 0o555);
    await same(['setpriv', '--reuid=65534', '--clear-groups', '/bin/echo', 'x'], `${dir}/c`);
  });
  test.skipIf(noContainers() !== undefined)('no room on the file system', async () => {
    const script =
      'mkdir m && mount -t tmpfs -o size=64k none m && exec env LD_PRELOAD=$1 SCOPE_DIR=$PWD/m sh -c "echo hi; ls /etc/passwd; exit 3"';
    const out = await run(['unshare', ...AS_ROOT, '-m', 'sh', '-c', script, 'sh', library]);
    expect([out.status, out.stdout, out.stderr]).toEqual([3, 'hi\n/etc/passwd\n', '']);
  });
  test.skipIf(noContainers() !== undefined)('no /proc', async () => {
    const script =
      '{ umount -l /proc 2>/dev/null || mount -t tmpfs none /proc; } && exec env LD_PRELOAD=$1 SCOPE_DIR=$2 sh -c "echo hi; ls /etc/passwd; exit 3"';
    const out = await run(['unshare', ...AS_ROOT, '-m', 'sh', '-c', script, 'sh', library, channelDir()]);
    expect([out.status, out.stdout, out.stderr]).toEqual([3, 'hi\n/etc/passwd\n', '']);
  });
});

test("the user's own LD_PRELOAD is kept", async () => {
  const out = await run(['sh', '-c', 'echo $LD_PRELOAD'], {
    LD_PRELOAD: `${library}:libm.so.6`,
    SCOPE_DIR: channelDir(),
  });
  expect(out.stdout).toBe(`${library}:libm.so.6\n`);
  expect(out.stderr).toBe('');
});

test('a program with the address sanitizer runs unscoped', async () => {
  const dir = makeDir();
  const build = await run([
    'sh',
    '-c',
    'echo "int main(void){return 3;}" | gcc -fsanitize=address -x c - -o $1',
    'sh',
    `${dir}/a`,
  ]);
  if (build.status !== 0) return; // No sanitizer here.
  const script = '$1; echo $?; exec $1';
  const out = await run(['sh', '-c', script, 'sh', `${dir}/a`], scopedEnv(channelDir()));
  expect([out.status, out.stdout, out.stderr]).toEqual([3, '3\n', '']);
});

test('a process under the library has no descriptor and no thread more than bare', async () => {
  // No pipe around the first: the shell would still hold its end for a moment.
  const argv = ['sh', '-c', 'ls /proc/$$/fd; ls /proc/$$/task | wc -l'];
  const bare = await run(argv);
  const dir = channelDir();
  expect((await run(argv, scopedEnv(dir))).stdout).toBe(bare.stdout);
  expect(readdirSync(dir).some((name) => name.endsWith('.chan'))).toBe(true);
});
