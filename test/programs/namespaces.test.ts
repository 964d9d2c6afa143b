// SPDX-License-Identifier: Apache-2.0
// `scope` on what makes namespaces of its own, and `scope` that runs in a container itself (--rootdir).
import {spawnSync} from 'node:child_process';
import {mkdirSync, readFileSync, rmSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {type Ran, type Scope, waitFor} from '../helpers/scope.js';
import {AS_ROOT, noContainers} from './container.js';
import {newScope, start} from './scene.js';
import {launcher, makeDir, program} from './support.js';

const root = process.getuid!() === 0;
interface Event {
  proc: string;
  pid: number;
  source: string;
  data: Record<string, unknown>;
}
const lines = (text: string) => text.split('\n').filter(Boolean);
const opened = (scope: Scope, file: string) =>
  lines(scope.run(['events', '-a', '-j']).stdout)
    .map((line) => JSON.parse(line) as Event)
    .filter((e) => e.source === 'fs.open' && e.data.file === file);

describe.skipIf(noContainers() !== undefined)('a command that makes namespaces', () => {
  const kinds: [string, string[]][] = [
    ['pids', ['--pid', '--fork']],
    ['pids with a /proc', ['--pid', '--fork', '--mount-proc']],
    ['network', ['--net']],
    ['mounts', ['--mount']],
    ['users', ['--user', '--map-root-user']],
    ['all of them', ['--user', '--map-root-user', '--mount', '--pid', '--net', '--uts', '--ipc', '--fork']],
  ];
  test.each(kinds)('of its own: %s; what runs there is seen', (_, flags) => {
    const scope = newScope();
    const sh = `${program('opener')} /etc/group; ${program('opener', 'static')} /etc/group; exec ${program('opener')} /etc/group`;
    const own = flags.includes('--user') ? [] : AS_ROOT;
    const ran = scope.run(['unshare', ...own, ...flags, 'sh', '-c', sh]);
    expect(ran).toMatchObject({status: 0, stderr: ''});
    const seen = opened(scope, '/etc/group');
    expect(seen.map((e) => e.proc).sort()).toEqual(['opener.glibc', 'opener.glibc', 'opener.static']);
    if (flags.includes('--pid')) expect(seen.every((e) => e.pid < 20)).toBe(true);
  });

  test('with another /dev/shm runs as always, and the session says that it is not seen', () => {
    const scope = newScope();
    const sh = `mount -t tmpfs none /dev/shm && exec ${program('opener')} /etc/group`;
    expect(scope.run(['unshare', ...AS_ROOT, '--mount', 'sh', '-c', sh])).toMatchObject({
      status: 0,
      stderr: '',
    });
    expect(opened(scope, '/etc/group')).toEqual([]);
    expect(scope.run(['hist', '-i', '1']).stdout).toContain('does not reach the channels');
  });

  test('with another root runs as always, and the session says that it is not seen', () => {
    const scope = newScope();
    const script = join(import.meta.dirname, 'container.sh');
    const words = [
      ...AS_ROOT,
      '--mount',
      '--pid',
      '--fork',
      'sh',
      script,
      makeDir(),
      '-',
      program('opener'),
      '/etc/group',
    ];
    expect(scope.run(['unshare', ...words])).toMatchObject({status: 0, stderr: ''});
    expect(opened(scope, '/etc/group')).toEqual([]);
    expect(scope.run(['hist', '-i', '1']).stdout).toContain('has another root, where libscope.so is not');
  });
});

/** Runs scope in a container that has the host's root at DIR/hostfs: [in another pid namespace] with its own /dev/shm. */
function inContainer(scope: Scope, words: string[], ownPids: boolean): Ran {
  const dir = makeDir();
  const hostfs = join(dir, 'hostfs');
  mkdirSync(hostfs);
  const sh = [
    `mount --rbind / ${hostfs}`,
    ownPids ? 'mount -t proc proc /proc' : ':',
    'mount -t tmpfs none /dev/shm',
    'exec "$@"',
  ].join(' && ');
  const own = ownPids ? ['--pid', '--fork'] : [];
  const all = words.map((word) => (word === 'HOSTFS' ? hostfs : word));
  const {status, stdout, stderr} = spawnSync(
    'unshare',
    ['--mount', ...own, 'sh', '-c', sh, 'sh', launcher, ...all],
    {env: scope.env, encoding: 'utf8', timeout: 60_000},
  );
  return {status, stdout, stderr: stderr.replaceAll(hostfs, 'HOSTFS')};
}

describe.skipIf(!root || noContainers() !== undefined)('scope in a container, with --rootdir', () => {
  test('and the host’s pids attaches to, lists, shows, updates and lets go of the host’s processes', async () => {
    const told = await start([program('worker')]);
    const scope = newScope();
    const inside = (...words: string[]) => inContainer(scope, [...words, '--rootdir', 'HOSTFS'], false);
    expect(inside('attach', String(told.pid))).toMatchObject({status: 0, stderr: ''});
    await told.ask('open /etc/group');
    await waitFor(() => opened(scope, '/etc/group').length === 1, 'the event');
    const ps = lines(inside('ps', '--json').stdout).map(
      (line) => JSON.parse(line) as {pid: number; user: string},
    );
    expect(ps).toContainEqual(expect.objectContaining({pid: told.pid, user: 'root'}));
    expect(JSON.parse(inside('inspect', String(told.pid)).stdout).process).toMatchObject({pid: told.pid});
    expect(inside('detach', String(told.pid))).toMatchObject({status: 0, stderr: ''});
    expect(await told.ask('open /etc/group')).toMatch(/^open \d/);
  });

  test('and pids of its own lists and shows them, and says why it cannot attach', async () => {
    const told = await start([program('worker')]);
    const scope = newScope();
    expect(scope.run(['attach', String(told.pid)]).status).toBe(0);
    const inside = (...words: string[]) => inContainer(scope, [...words, '--rootdir', 'HOSTFS'], true);
    const ps = lines(inside('ps', '--json').stdout).map((line) => JSON.parse(line) as {pid: number});
    expect(ps).toContainEqual(expect.objectContaining({pid: told.pid}));
    expect(JSON.parse(inside('inspect', String(told.pid)).stdout).process).toMatchObject({
      pid: told.pid,
      state: 'live',
    });
    const snapshot = inside('snapshot', String(told.pid));
    expect(JSON.parse(readFileSync(snapshot.stdout.trim(), 'utf8'))).toMatchObject({
      Pid: told.pid,
      Username: 'root',
    });
    rmSync(dirname(snapshot.stdout.trim()), {recursive: true});
    for (const verb of ['attach', 'detach', 'update']) {
      const out = inside(verb, String(told.pid));
      expect([out.status, out.stderr]).toEqual([
        1,
        expect.stringMatching(/another pid namespace.*--pid=host/s),
      ]);
    }
    // The session's relay is not disturbed by who cannot see it.
    await told.ask('open /etc/group');
    expect(opened(scope, '/etc/group')).toHaveLength(1);
  });

  test.each(['attach', 'detach', 'ps', 'inspect', 'update', 'snapshot'])(
    '%s says when there is no host',
    (verb) => {
      const words = verb === 'ps' ? [verb] : [verb, '1'];
      const out = newScope().run([...words, '--rootdir', '/no/such/folder']);
      expect([out.status, out.stderr]).toEqual([1, expect.stringContaining('no root of a host')]);
    },
  );
});
