// SPDX-License-Identifier: Apache-2.0
// One folder of channels for programs and a relay of several users, in whatever order they start: who may share it is said by
// the folder's mode. Needs root, to be other users.
import {type ChildProcess, spawn, spawnSync} from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {NATIVE} from '../../src/base/root.js';

const GROUP = 64_000;
const [FIRST, SECOND, RELAY] = [64_001, 64_002, 64_003];
const canSwitch = process.getuid!() === 0 && spawnSync('setpriv', ['--reuid=64001', 'true']).status === 0;

let dir: string;
let relays: ChildProcess[];
const folder = () => join(dir, 'channels');

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'scope-shared-'));
  chmodSync(dir, 0o755);
  relays = [];
  for (const name of ['channels', 'state', 'out']) {
    mkdirSync(join(dir, name));
    chmodSync(join(dir, name), 0o777);
  }
  writeFileSync(
    join(dir, 'relay.yml'),
    `exporters: {out: {type: file, path: ${dir}/out/records.ndjson}}
default: {to: [out]}
relay: {dir: ${dir}/channels, state_dir: ${dir}/state}
`,
    {mode: 0o644},
  );
});

afterEach(async () => {
  for (const relay of relays) await stop(relay);
  rmSync(dir, {recursive: true, force: true});
});

/** Pids, host name and network of its own, as a container has them. */
const POD = ['unshare', '--pid', '--fork', '--mount-proc', '--uts', '--net'];

const as = (user: number, argv: string[]) =>
  user === 0 ? argv : ['setpriv', `--reuid=${user}`, `--regid=${user}`, `--groups=${GROUP}`, ...argv];

function relay(user: number, inside: string[] = []): ChildProcess {
  const [file, ...args] = [...inside, ...as(user, [NATIVE.launcher, 'relay', '-u', join(dir, 'relay.yml')])];
  const env = {...process.env, HOME: dir, SCOPE_NODE: process.execPath};
  const child = spawn(file!, args, {env, stdio: ['ignore', 'ignore', 'pipe'], detached: true});
  relays.push(child);
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  // The group: unshare hands no signal on.
  process.kill(-child.pid!);
  await new Promise((resolve) => child.once('exit', resolve));
}

/** `cat` of a file of its own, by which its events are known: what it must print is what it prints bare. */
function run(user: number, name: string, inside: string[] = []): void {
  const path = join(dir, name);
  writeFileSync(path, `${name}\n`, {mode: 0o644});
  // Not before it is that user: setpriv would be scoped, too.
  const preload = `LD_PRELOAD=${NATIVE.libscope}`;
  const script = `umask 077; exec cat ${path}`;
  const command = as(user, ['env', preload, `SCOPE_DIR=${folder()}`, 'sh', '-c', script]);
  const [file, ...args] = [...inside, ...command];
  const {status, stdout, stderr} = spawnSync(file!, args, {encoding: 'utf8'});
  expect([status, stdout, stderr]).toEqual([0, `${name}\n`, '']);
}

const opened = (name: string) =>
  existsSync(join(dir, 'out/records.ndjson')) &&
  readFileSync(join(dir, 'out/records.ndjson'), 'utf8').includes(`"file":"${join(dir, name)}"`);

async function seen(...names: string[]): Promise<void> {
  for (const name of names) await expect.poll(() => opened(name), {timeout: 20_000}).toBe(true);
}

describe.skipIf(!canSwitch)('a folder of channels', () => {
  test('that all may write: a relay of root, programs of any user, before it and after', async () => {
    run(FIRST, 'before');
    expect(statSync(join(folder(), 'hub')).uid).toBe(FIRST);
    relay(0);
    await seen('before');
    // Nobody need believe what another user made: it is root's now, and only root's to write.
    expect(statSync(join(folder(), 'hub'))).toMatchObject({uid: 0, mode: 0o100644});
    run(FIRST, 'same');
    run(SECOND, 'other');
    run(0, 'root');
    await seen('same', 'other', 'root');
  });

  test("that all may write, with root's program before everybody", async () => {
    run(0, 'root');
    run(FIRST, 'user');
    relay(0);
    await seen('root', 'user');
  });

  test('with the setgid bit: a relay of another user in its group', async () => {
    chownSync(folder(), 0, GROUP);
    chmodSync(folder(), 0o2770);
    run(FIRST, 'before');
    relay(RELAY);
    await seen('before');
    run(SECOND, 'after');
    run(0, 'root');
    await seen('after', 'root');
    expect(statSync(join(folder(), 'hub'))).toMatchObject({gid: GROUP, mode: 0o100660});
  });

  test.skipIf(spawnSync(POD[0]!, [...POD.slice(1), 'true']).status !== 0)(
    'of a pod: program and relay share nothing else, neither pids nor users',
    async () => {
      chownSync(folder(), 0, GROUP);
      chmodSync(folder(), 0o2777);
      run(FIRST, 'before', POD);
      relay(RELAY, ['unshare', '--pid', '--fork', '--mount-proc']);
      await seen('before');
      run(SECOND, 'after', POD);
      await seen('after');
    },
  );

  test('that is not shared: the relay of another user says whose it is', async () => {
    run(FIRST, 'before');
    const child = relay(RELAY);
    let said = '';
    child.stderr!.on('data', (text) => {
      said += String(text);
    });
    expect(await new Promise((resolve) => child.once('exit', resolve))).not.toBe(0);
    expect(said).toContain(`${folder()}/hub: belongs to user ${FIRST}: run as that user or as root`);
  });

  test('keeps the plans of each user, whoever made the hub: no program is looked through twice', async () => {
    relay(0);
    await expect.poll(() => existsSync(join(folder(), 'hub')), {timeout: 20_000}).toBe(true);
    run(FIRST, 'a');
    const plans = join(folder(), `plans.${FIRST}`);
    expect(statSync(plans)).toMatchObject({uid: FIRST, mode: 0o40700});
    const before = statSync(plans).mtimeMs;
    run(FIRST, 'b');
    expect(statSync(plans).mtimeMs).toBe(before);
  });
});
