// SPDX-License-Identifier: Apache-2.0
import {copyFileSync, existsSync, lstatSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import {NATIVE} from '../../../src/base/root.js';
import {readStatus} from '../../../src/session/status.js';
import {Scope, waitFor} from '../../helpers/scope.js';

let scope: Scope;
beforeEach(() => {
  scope = new Scope();
});
afterEach(() => scope.close());

const json = (text: string) =>
  text
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
/** All lines that the last session recorded on the console. */
function consoleLines(): string[] {
  const {stdout} = scope.run(['events', '-s', 'stdout', '-j']);
  return json(stdout)
    .map((e) => e.data.message)
    .join('')
    .split('\n')
    .filter(Boolean);
}

describe('a session from launch to query', () => {
  it('shows what a command did that lived a millisecond', () => {
    expect(scope.run(['/bin/echo', 'something'])).toEqual({status: 0, stdout: 'something\n', stderr: ''});
    const events = json(scope.run(['events', '-t', 'console', '-j']).stdout);
    expect(events).toMatchObject([{source: 'stdout', proc: 'echo', data: {message: 'something\n'}}]);
    const detail = scope.run(['events', events[0].Id]).stdout;
    expect(detail).toMatch(/^Command: +\/bin\/echo something$/m);
    const metrics = scope.run(['metrics']).stdout;
    for (const name of ['proc.start', 'proc.cpu', 'proc.mem', 'proc.fd', 'proc.child'])
      expect(metrics).toContain(name);
    expect(scope.run(['hist']).stdout).toMatch(/ 1 +echo +\/bin\/echo something +\d+ /);
    const dir = scope.run(['hist', '-d']).stdout.trim();
    for (const name of ['args.json', 'events.json', 'metrics.json', 'scope.yml'])
      expect(existsSync(join(dir, name))).toBe(true);
    expect(lstatSync(join(dir, 'channels'), {throwIfNoEntry: false})).toBeUndefined();
  });

  it('shows the images of a process, and parents and children, in the order they began', () => {
    const script = '(exec cat /etc/hostname >/dev/null); exec 3</etc/group; exec cat /etc/passwd >/dev/null';
    expect(scope.run(['run', '--', 'sh', '-c', script]).status).toBe(0);
    const opened = json(scope.run(['events', '-a', '-j']).stdout)
      .filter((e) => e.source === 'fs.open')
      .map((e) => `${e.proc} ${e.data.file}`);
    const order = ['sh /etc/group', 'cat /etc/hostname', 'cat /etc/passwd'].map((name) =>
      opened.indexOf(name),
    );
    expect(order.every((at, i) => at >= 0 && (i === 0 || at > order[i - 1]!))).toBe(true);
  });

  it('says where no session can be made', () => {
    expect(scope.run(['run', '--', 'true'], {SCOPE_HOME: '/proc/none'})).toEqual({
      status: 1,
      stdout: '',
      stderr: 'scope: cannot make a session in /proc/none (SCOPE_HOME): No such file or directory\n',
    });
  });

  it('records as configured from the first call on', () => {
    expect(scope.run(['run', '-v', '9', '--', '/bin/cat', '/etc/hostname']).status).toBe(0);
    const opened = json(scope.run(['metrics', '-m', 'fs.open', '-j']).stdout);
    expect(opened.map((m) => m.file)).toContain('/etc/hostname');
  });

  it('takes another library, also for a child with an empty environment, and asks for no breaker', () => {
    const dir = mkdtempSync(join(tmpdir(), 'scope-lib-'));
    try {
      copyFileSync(NATIVE.libscope, join(dir, 'libscope.so'));
      const script =
        'grep -m1 -o "/.*libscope.so" /proc/self/maps; env -i grep -m1 -o "/.*libscope.so" /proc/self/maps';
      const run = scope.run(['run', '-n', '-l', dir, '--', '/bin/sh', '-c', script]);
      expect(run).toEqual({status: 0, stdout: `${join(dir, 'libscope.so')}\n`.repeat(2), stderr: ''});
      scope.run(['events']);
      const events = join(scope.run(['hist', '-d']).stdout.trim(), 'events.json');
      expect(json(readFileSync(events, 'utf8'))[0]).toMatchObject({breaker: 'Cribl - Do Not Break Ruleset'});
      expect(scope.run(['run', '--librarypath=/nowhere', '--', '/bin/echo', 'x'])).toMatchObject({
        status: 1,
        stdout: '',
        stderr: expect.stringContaining('Library Path does not exist: "/nowhere"'),
      });
    } finally {
      rmSync(dir, {recursive: true, force: true});
    }
  });

  it('runs nothing when a flag or a variable is wrong', () => {
    expect(scope.run(['run', '--nope', '--', '/bin/echo', 'x'])).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining('--nope'),
    });
    expect(scope.run(['/bin/echo', 'x'], {SCOPE_METRIC_VERBOSITY: '12'})).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining('SCOPE_METRIC_VERBOSITY'),
    });
    expect(scope.run(['hist'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('No prior sessions'),
    });
  });

  it('shows a running command what it did so far, and goes on after its relay was killed', async () => {
    // cat: what the test writes is what the command writes, so nothing here depends on time.
    const child = scope.start(['/bin/cat'], 'pipe');
    let shown = '';
    child.stdout!.on('data', (d) => {
      shown += d;
    });
    const say = async (line: string) => {
      child.stdin!.write(`${line}\n`);
      await waitFor(() => shown.includes(line), `cat to write ${line}`);
    };
    await say('first');
    expect(consoleLines()).toEqual(['first']);
    expect(scope.run(['hist', '-r', '-j']).stdout).toContain('"running":true');
    await say('second');
    const relay = scope.relay!;
    process.kill(relay, 'SIGKILL');
    await waitFor(() => scope.relay === undefined, 'the relay to be gone');
    await say('third');
    // The query finds no relay and starts one.
    expect(consoleLines()).toEqual(['first', 'second', 'third']);
    expect(scope.relay).not.toBe(relay);
    process.kill(scope.relay!, 'SIGKILL');
    await say('fourth');
    child.stdin!.end();
    await new Promise((resolve) => child.once('exit', resolve));
    // Command and relay are both gone: the channels are still there.
    expect(consoleLines()).toEqual(['first', 'second', 'third', 'fourth']);
    const state = () => JSON.parse(readFileSync(join(scope.workdir, 'status.json'), 'utf8')).state;
    await waitFor(() => state() === 'ended', 'the session to end');
  });

  it('is followed until it ends', async () => {
    const child = scope.start(['/bin/cat'], 'pipe');
    child.stdin!.write('one\n');
    // What cat wrote is the sign that the session is there.
    await new Promise((resolve) => child.stdout!.once('data', resolve));
    const follower = scope.start(['events', '-f', '-s', 'stdout']);
    let seen = '';
    follower.stdout!.on('data', (d) => {
      seen += d;
    });
    await waitFor(() => seen.includes('message:one'), 'one to be followed');
    child.stdin!.write('two\n');
    await waitFor(() => seen.includes('message:two'), 'two to be followed');
    const ended = new Promise((resolve) => follower.once('exit', resolve));
    child.stdin!.end();
    expect(await ended).toBe(0);
    expect(seen.match(/message:\w+/g)).toEqual(['message:one', 'message:two']);
  });

  it('keeps as many sessions as it is told', async () => {
    for (let i = 0; i < 3; i++) {
      expect(scope.run(['/bin/true'], {SCOPE_HISTORY_KEEP: '2'}).status).toBe(0);
      scope.run(['events']);
    }
    await waitFor(
      () => scope.run(['hist', '-a', '-d']).stdout.trim().split('\n').length === 2,
      'the oldest session to go',
    );
  });
});

describe('a session with destinations', () => {
  it('is read at once although a destination is dead, and says what was not delivered', async () => {
    const file = join(scope.home, 'two.yml');
    const out = join(scope.home, 'out.ndjson');
    writeFileSync(
      file,
      `exporters:
  archive: {type: file, path: ${out}}
  dead: {type: socket, protocol: unix, path: ${scope.home}/nobody.sock}
default: {to: [archive, dead]}
relay: {stop_timeout: 500ms}
`,
    );
    expect(scope.run(['run', '-u', file, '--', '/bin/echo', 'routed']).status).toBe(0);
    expect(consoleLines()).toEqual(['routed']);
    const workdir = scope.workdir;
    await waitFor(() => readStatus(workdir)?.state === 'ended', 'the relay to give up');
    expect(readFileSync(out, 'utf8')).toContain('routed');
    const {stdout} = scope.run(['hist', '-i', '1']);
    expect(stdout).toMatch(/^To archive: +\d+ sent$/m);
    expect(stdout).toMatch(/^To dead: +0 sent, \d+ dropped \(stopped\)/m);
    expect(scope.run(['prune', '-a', '-f']).stdout).toBe('Removed 1 sessions.\n');
  });
});
