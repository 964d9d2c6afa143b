// SPDX-License-Identifier: Apache-2.0
// Processes that do what they are told and homes of `scope`, gone after each test of the file that imports this.
import type {SpawnOptions} from 'node:child_process';
import {afterEach} from 'vitest';
import {Scope} from '../helpers/scope.js';
import {cleanup} from './support.js';
import {Told} from './told.js';

const running: Told[] = [];
const scopes: Scope[] = [];

afterEach(async () => {
  for (const told of running.splice(0)) told.kill();
  for (const scope of scopes.splice(0)) await scope.close();
  cleanup();
});

export async function start(argv: string[], options: SpawnOptions = {}): Promise<Told> {
  const told = await Told.start(argv, options);
  running.push(told);
  return told;
}

export function newScope(): Scope {
  const scope = new Scope();
  scopes.push(scope);
  return scope;
}
