// SPDX-License-Identifier: Apache-2.0
import type {ChildProcess} from 'node:child_process';
import {readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import {Scope, waitFor} from '../../helpers/scope.js';

let scope: Scope;
let child: ChildProcess;
let shown = '';
let pid: string;

const json = (text: string) =>
  text
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

async function say(line: string): Promise<void> {
  child.stdin!.write(`${line}\n`);
  await waitFor(() => shown.includes(line), `cat to write ${line}`);
}

beforeAll(async () => {
  scope = new Scope();
  child = scope.start(['/bin/cat'], 'pipe');
  child.stdout!.on('data', (d) => {
    shown += d;
  });
  pid = String(child.pid);
  await say('begin');
});
afterAll(() => scope.close());

describe('scoped processes', () => {
  it('are listed by ps', () => {
    expect(json(scope.run(['ps', '-j']).stdout)).toContainEqual(
      expect.objectContaining({pid: Number(pid), command: '/bin/cat'}),
    );
    expect(scope.run(['ps']).stdout).toMatch(new RegExp(`^ *\\d+ +${pid} +\\S+ +/bin/cat$`, 'm'));
  });

  it('show configuration, destinations and identity by inspect', () => {
    scope.run(['events']);
    const {stdout} = scope.run(['inspect', pid]);
    const object = JSON.parse(stdout);
    expect(stdout).toContain('\n   "cfg"');
    expect(object.cfg.current.metric.format.verbosity).toBe(4);
    expect(object.interfaces).toMatchObject([
      {name: 'session', connected: true, config: `dir://${scope.workdir}`},
    ]);
    expect(object.process).toMatchObject({pid: Number(pid), state: 'live', muted: false});
    expect(json(scope.run(['inspect', pid, '-j']).stdout)).toEqual([object]);
    expect(scope.run(['inspect', '1'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('not scoped'),
    });
    expect(scope.run(['inspect', pid, '--all'])).toMatchObject({status: 1});
  });

  it('take another configuration by update, with nothing lost', async () => {
    const file = join(scope.home, 'new.yml');
    writeFileSync(
      file,
      'metric: {format: {verbosity: 7}}\ntags: {phase: two}\nevent: {watch: [{type: console}]}\n',
    );
    await say('before');
    expect(scope.run(['update', pid, '-c', file])).toMatchObject({
      status: 0,
      stderr: 'Update Scope configuration success.\n',
    });
    await say('after');
    const events = json(scope.run(['events', '-s', 'stdout', '-j']).stdout);
    expect(events.map((e) => e.data.message).join('')).toBe('begin\nbefore\nafter\n');
    expect(JSON.parse(scope.run(['inspect', pid]).stdout).cfg.current).toMatchObject({
      tags: {phase: 'two'},
      metric: {format: {verbosity: 7}},
    });
  });

  it('keep their configuration when the new one is wrong', () => {
    const before = readFileSync(join(scope.workdir, 'scope.yml'), 'utf8');
    const file = join(scope.home, 'wrong.yml');
    writeFileSync(file, 'metric:\n  verbosty: 7\n');
    expect(scope.run(['update', pid, '-c', file])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/wrong\.yml:2:3: .*verbosty/),
    });
    expect(scope.run(['update', pid, '-c', '/no/such/file'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('/no/such/file does not exist'),
    });
    expect(scope.run(['update', 'x', '-c', file])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('error parsing PID'),
    });
    expect(scope.run(['update', '1', '-c', file])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('not scoped'),
    });
    expect(readFileSync(join(scope.workdir, 'scope.yml'), 'utf8')).toBe(before);
  });

  it('are written down by snapshot, for the owner only', () => {
    const path = scope.run(['snapshot', pid]).stdout.trim();
    try {
      const facts = JSON.parse(readFileSync(path, 'utf8'));
      expect(facts).toMatchObject({ProcessName: 'cat', ProcessArgs: '/bin/cat', Pid: Number(pid)});
      expect(facts.Environment).toContainEqual(expect.stringMatching(/^SCOPE_DIR=/));
      expect(statSync(path).mode & 0o777).toBe(0o600);
    } finally {
      rmSync(dirname(path), {recursive: true, force: true});
    }
    expect(scope.run(['snapshot', '999999999'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('no process'),
    });
  });
});
