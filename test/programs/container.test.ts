// SPDX-License-Identifier: Apache-2.0
// Processes with mounts, a root, pids, users and a network of their own: attach from outside, launch, children.
import {spawnSync} from 'node:child_process';
import {chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {userInfo} from 'node:os';
import {dirname, join} from 'node:path';
import {afterEach, describe, expect, test} from 'vitest';
import {readStatus} from '../../src/session/index.js';
import {Scope, waitFor} from '../helpers/scope.js';
import {Container, type ContainerOptions, noContainers} from './container.js';
import {canBuild, cleanup, launcher, makeDir, program} from './support.js';

interface Event {
  proc: string;
  pid: number;
  source: string;
  sourcetype: string;
  data: Record<string, unknown>;
}

const reason = noContainers();
const NOBODY = 65534;
const asNobody = noContainers(NOBODY);
const running: Container[] = [];
const scopes: Scope[] = [];

afterEach(async () => {
  for (const container of running.splice(0)) container.kill();
  for (const scope of scopes.splice(0)) await scope.close();
  cleanup();
});

async function start(options: ContainerOptions = {}): Promise<Container> {
  const container = await Container.start(options);
  running.push(container);
  return container;
}

function newScope(): Scope {
  const scope = new Scope();
  scopes.push(scope);
  return scope;
}

function attach(container: Container, ...flags: string[]): Scope {
  const scope = newScope();
  const out = scope.run(['attach', ...flags, String(container.pid)]);
  expect([out.status, out.stderr]).toEqual([0, '']);
  return scope;
}

const lines = (text: string) => text.split('\n').filter(Boolean);

function events(scope: Scope): Event[] {
  const out = scope.run(['events', '-a', '-j']);
  expect(out.status, out.stderr).toBe(0);
  return lines(out.stdout).map((line) => JSON.parse(line) as Event);
}

const opened = (found: Event[], file: string) =>
  found.filter((e) => e.source === 'fs.open' && e.data.file === file);

/** Start messages of the session's processes. */
function starts(scope: Scope): Record<string, unknown>[] {
  return lines(readFileSync(join(scope.workdir, 'events.json'), 'utf8'))
    .map((line) => JSON.parse(line) as {info?: {process: Record<string, unknown>}})
    .flatMap((message) => (message.info ? [message.info.process] : []));
}

describe.skipIf(reason !== undefined)('a process with another /dev/shm', () => {
  test('is attached to: its calls and those of its children are seen, also after a detach', async () => {
    const container = await start({words: ['host']});
    const scope = attach(container);
    expect(await container.ask('open /etc/passwd')).toBe('open 64');
    expect(await container.ask('fork /etc/group')).toBe('fork 0');
    expect(await container.ask('run /bin/cat /etc/hostname')).toMatch(/./);
    expect(await container.next()).toBe('run 0');
    const found = events(scope);
    expect(opened(found, '/etc/passwd').map((e) => e.proc)).toEqual(['worker.glibc']);
    expect(opened(found, '/etc/group')).toHaveLength(1);
    expect(opened(found, '/etc/hostname').map((e) => e.proc)).toEqual(['cat']);
    expect(scope.run(['detach', String(container.pid)])).toMatchObject({status: 0, stderr: ''});
    await container.ask('open /etc/group');
    expect(opened(events(scope), '/etc/group')).toHaveLength(1);
    // The same library is used again.
    expect(scope.run(['attach', String(container.pid)])).toMatchObject({status: 0, stderr: ''});
    await container.ask('open /etc/group');
    expect(opened(events(scope), '/etc/group')).toHaveLength(1);
    expect(await container.end()).toBe(0);
  });
});

describe.skipIf(reason !== undefined)('a process in a container', () => {
  test('is attached to by the host’s pid, and shown by its own pid, names and host pid', async () => {
    const container = await start();
    const scope = attach(container);
    await container.ask('open /etc/hostname');
    expect(opened(events(scope), '/etc/hostname').map((e) => e.pid)).toEqual([1]);
    expect(starts(scope)[0]).toMatchObject({
      pid: 1,
      hostpid: container.pid,
      uid: 0,
      username: 'boxer',
      groupname: 'boxers',
    });
    const ps = lines(scope.run(['ps', '-j']).stdout).map((line) => JSON.parse(line) as {pid: number});
    expect(ps).toContainEqual(expect.objectContaining({pid: container.pid, user: userInfo().username}));
    const inspected = JSON.parse(scope.run(['inspect', String(container.pid)]).stdout);
    expect(inspected.process).toMatchObject({pid: 1, hostPid: container.pid, state: 'live'});
    expect(inspected.interfaces).toMatchObject([{name: 'session', connected: true}]);
  });

  test('takes another configuration by update, and is written down by snapshot', async () => {
    const container = await start();
    const scope = attach(container);
    await container.ask('open /etc/hostname');
    expect(opened(events(scope), '/etc/hostname')).toHaveLength(1);
    const file = join(scope.home, 'new.yml');
    writeFileSync(file, 'tags: {phase: two}\nevent: {watch: [{type: console}]}\n');
    const out = scope.run(['update', String(container.pid), '-c', file, '--inspect', '--json']);
    expect([out.status, out.stderr]).toEqual([
      0,
      expect.stringContaining('Update Scope configuration success'),
    ]);
    expect(JSON.parse(out.stdout).cfg.current.tags).toEqual({phase: 'two'});
    await container.ask('open /etc/hostname');
    expect(opened(events(scope), '/etc/hostname')).toHaveLength(1);
    const path = scope.run(['snapshot', String(container.pid)]).stdout.trim();
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({Pid: container.pid, NamespacePid: 1});
    rmSync(dirname(path), {recursive: true});
  });

  const kinds = (['glibc', 'static', 'musl-static'] as const).filter(canBuild);
  test.each(kinds)('has its %s children seen', async (libc) => {
    const child = program('worker', libc);
    const container = await start({copy: [child]});
    const scope = attach(container);
    const name = child.split('/').at(-1)!;
    expect(await container.ask(`run /own/${name}`)).toBe('ready');
    // The child reads the same stdin now.
    expect(await container.ask('open /etc/passwd')).toBe('open 23');
    expect(opened(events(scope), '/etc/passwd').map((e) => [e.proc, e.pid > 1])).toEqual([[name, true]]);
    expect(container.stderr).toBe('');
  });

  test('is seen without /proc inside', async () => {
    const container = await start({words: ['noproc']});
    const scope = attach(container);
    await container.ask('open /etc/hostname');
    await container.ask('fork /etc/group');
    await container.ask('run /bin/true /x');
    const found = events(scope);
    expect(opened(found, '/etc/hostname')).toHaveLength(1);
    expect(opened(found, '/etc/group')).toHaveLength(1);
    expect(found.some((e) => e.proc === 'true')).toBe(true);
    expect(starts(scope)[0]).toMatchObject({procname: 'worker.glibc', hostpid: container.pid});
    expect(scope.run(['detach', String(container.pid)])).toMatchObject({status: 0, stderr: ''});
    expect(await container.ask('open /etc/hostname')).toBe('open 4');
  });

  test('with a read-only root and no place for code has its forks seen, and its programs start as always', async () => {
    const container = await start({words: ['ro']});
    const scope = newScope();
    const out = scope.run(['attach', String(container.pid)]);
    expect([out.status, out.stderr]).toEqual([0, '']);
    expect(out.stdout).toContain('Programs that it starts are not seen');
    await container.ask('fork /etc/group');
    await container.ask('run /bin/cat /etc/hostname');
    expect(await container.next()).toBe('run 0');
    const found = events(scope);
    expect(opened(found, '/etc/group')).toHaveLength(1);
    expect(opened(found, '/etc/hostname')).toEqual([]);
    expect(container.stderr).toBe('');
    expect(scope.run(['detach', String(container.pid)])).toMatchObject({status: 0, stderr: ''});
    expect(scope.run(['attach', String(container.pid)]).status).toBe(0);
    expect(await container.end()).toBe(0);
  });

  test('without any place to write is refused with what to do, and goes on', async () => {
    const container = await start({words: ['ro', 'noshm']});
    const scope = newScope();
    expect(scope.run(['attach', String(container.pid)])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/no place where it may write .* a tmpfs on \/dev\/shm/),
    });
    expect(readdirSync(join(scope.home, 'history'))).toEqual([]);
    expect(await container.ask('open /etc/hostname')).toBe('open 4');
  });

  test('that has ended is still read through its child, by a relay that comes later', async () => {
    const worker = program('worker');
    const container = await start({
      words: ['host'],
      argv: ['sh', '-c', `${worker}; exec sleep 1000 </dev/null`],
    });
    const scope = attach(container);
    const folder = join('/proc', String(parent(container.pid)), 'root', place(scope));
    expect(existsSync(join(folder, 'hub'))).toBe(true);
    expect(await container.ask(`leave ${worker}`)).toBe('leave 0');
    expect(await container.next()).toBe('ready');
    await waitFor(() => !existsSync(`/proc/${container.pid}`), 'the end of the target');
    await waitFor(() => scope.relay !== undefined, 'the relay');
    process.kill(scope.relay!, 'SIGKILL');
    await container.ask('fork /etc/group');
    expect(opened(events(scope), '/etc/group')).toHaveLength(1);
    expect(await container.ask('open /etc/passwd')).toMatch(/^open/);
    expect(opened(events(scope), '/etc/passwd')).toHaveLength(1);
    expect(existsSync(join(place(scope), 'hub'))).toBe(false);
    container.closeInput();
    await waitFor(() => status(scope) === 'ended', 'the session’s end');
  });

  test('that is gone before all was read leaves what was, and a note', async () => {
    const container = await start();
    const scope = attach(container);
    await container.ask('open /etc/hostname');
    expect(opened(events(scope), '/etc/hostname')).toHaveLength(1);
    process.kill(scope.relay!, 'SIGKILL');
    container.kill();
    await waitFor(() => !existsSync(`/proc/${container.pid}`), 'the end of the container');
    expect(opened(events(scope), '/etc/hostname')).toHaveLength(1);
    expect(scope.run(['hist', '-i', '1']).stdout).toContain('the container ended while no relay was running');
  });

  test('leaves no channels behind in a namespace that lives on', async () => {
    const container = await start({words: ['host'], argv: ['sh', '-c', KEEPER]});
    const keeper = String(parent(container.pid));
    const scope = attach(container);
    const folder = join('/proc', keeper, 'root', place(scope));
    expect(existsSync(join(folder, 'hub'))).toBe(true);
    expect(await container.ask('go')).toBe('over');
    await waitFor(() => status(scope) === 'ended', 'the session’s end');
    expect(existsSync(`/proc/${keeper}`)).toBe(true);
    expect(existsSync(folder)).toBe(false);
    expect(existsSync(join(scope.workdir, 'channels'))).toBe(false);
  });
});

/** A shell that stays while the process it started ends. */
const KEEPER = 'sh -c "echo ready; read x; exit 0"; echo over; read y';

const parent = (pid: number) =>
  Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);

/** Where the channels are, as processes in there call it. */
const place = (scope: Scope) =>
  readFileSync(join(scope.workdir, 'far'), 'utf8').trim().split(' ').slice(4).join(' ');
const status = (scope: Scope) => readStatus(scope.workdir)?.state;

describe.skipIf(asNobody !== undefined)('a process in a user namespace of another user', () => {
  test('is attached to by root of the host; its files are its user’s', async () => {
    const container = await start({user: NOBODY, words: ['host']});
    const scope = attach(container);
    await container.ask('fork /etc/group');
    await container.ask('run /bin/true x');
    const found = events(scope);
    expect(opened(found, '/etc/group')).toHaveLength(1);
    expect(found.some((e) => e.proc === 'true')).toBe(true);
    expect(starts(scope)[0]).toMatchObject({uid: 0, username: 'root', hostpid: container.pid});
    const ps = lines(scope.run(['ps', '-j']).stdout).map((line) => JSON.parse(line) as {pid: number});
    expect(ps).toContainEqual(expect.objectContaining({pid: container.pid, user: 'nobody'}));
    expect(await container.end()).toBe(0);
  });

  test('is attached to by that user, without root', async () => {
    const container = await start({user: NOBODY});
    const home = makeDir();
    chmodSync(home, 0o777);
    const scope = newScope();
    const run = (...words: string[]) => {
      const ids = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
      const env = {...scope.env, HOME: home, SCOPE_HOME: join(home, 'scope')};
      return spawnSync('setpriv', [...ids, launcher, ...words], {env, encoding: 'utf8'});
    };
    expect(run('attach', String(container.pid))).toMatchObject({status: 0, stderr: ''});
    await container.ask('fork /etc/group');
    await container.ask('run /bin/true x');
    const found = lines(run('events', '-a', '-j').stdout).map((line) => JSON.parse(line) as Event);
    expect(opened(found, '/etc/group')).toHaveLength(1);
    expect(found.some((e) => e.proc === 'true')).toBe(true);
    expect(run('detach', String(container.pid))).toMatchObject({status: 0, stderr: ''});
    expect(await container.end()).toBe(0);
    await waitFor(() => run('hist').stdout !== '' && !relayRuns(join(home, 'scope')), 'the relay to end');
  });
});

function relayRuns(home: string): boolean {
  return readdirSync(join(home, 'history')).some((name) =>
    existsSync(join(home, 'history', name, 'relay.pid')),
  );
}
