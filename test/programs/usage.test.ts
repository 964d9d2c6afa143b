// SPDX-License-Identifier: Apache-2.0
// Processor time is that of the program alone: not the launcher's, not that of images before it, not what was used before
// an attach. The truth is the kernel's clock of the process, read by the program itself.
import {copyFileSync} from 'node:fs';
import {basename, join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {NATIVE} from '../../src/base/root.js';
import type {Scope} from '../helpers/scope.js';
import {newScope, start} from './scene.js';
import {canBuild, makeDir, program} from './support.js';
import type {Told} from './told.js';

const MS = 1000;
interface Metric {
  proc: string;
  _value: number;
}

const values = (scope: Scope, name: string, proc: string) =>
  scope
    .run(['metrics', '-m', name, '-j'])
    .stdout.split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Metric)
    .filter((metric) => metric.proc === proc)
    .map((metric) => metric._value);
const sum = (all: number[]) => all.reduce((a, b) => a + b, 0);
const used = async (told: Told, line: string) => Number((await told.ask(line))!.replace('used ', ''));

describe.each(['glibc', 'static'] as const)('processor time of a %s program', (libc) => {
  test.skipIf(!canBuild(libc))('is counted once for each image of a process', async () => {
    const scope = newScope();
    const burner = program('burner', libc);
    const next = join(makeDir(), 'next');
    copyFileSync(program('burner'), next);
    const told = await start([NATIVE.launcher, 'run', '--', burner], {env: scope.env});
    await used(told, 'burn 150');
    const first = await used(told, `exec ${next}`);
    expect(await told.next()).toBe('ready');
    const whole = await used(told, 'burn 50');
    expect(await told.end()).toBe(0);
    for (const [path, truth] of [
      [burner, first],
      [next, whole - first],
    ] as const) {
      expect(Math.abs(sum(values(scope, 'proc.cpu', basename(path))) - truth)).toBeLessThan(30 * MS);
      for (const value of values(scope, 'proc.cpu_perc', basename(path)))
        expect(value).toBeLessThanOrEqual(101);
    }
  });

  test.skipIf(!canBuild(libc))('from before an attach is not counted', async () => {
    const scope = newScope();
    const told = await start([program('burner', libc)]);
    const before = await used(told, 'burn 300');
    expect(scope.run(['attach', String(told.pid)]).status).toBe(0);
    const whole = await used(told, 'burn 60');
    expect(await told.end()).toBe(0);
    const proc = basename(program('burner', libc));
    expect(Math.abs(sum(values(scope, 'proc.cpu', proc)) - (whole - before))).toBeLessThan(40 * MS);
    for (const value of values(scope, 'proc.cpu_perc', proc)) expect(value).toBeLessThanOrEqual(101);
  });
});
