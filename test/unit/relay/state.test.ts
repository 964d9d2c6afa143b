// SPDX-License-Identifier: Apache-2.0
import {mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, it} from 'vitest';
import {NEW_STATE, StateFiles} from '../../../src/relay/state.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'scope-state-'));
});
afterEach(() => rmSync(dir, {recursive: true, force: true}));

it('keeps the state of the last commit only', () => {
  const files = new StateFiles(dir);
  expect(files.read(0)).toBeUndefined();
  files.write(1, {position: 10, state: NEW_STATE});
  files.write(2, {position: 20, state: {...NEW_STATE, seen: 3}});
  files.keepOnly(2);
  expect(readdirSync(dir)).toEqual(['relay-2.json']);
  expect(files.read(2)).toEqual({position: 20, state: {...NEW_STATE, seen: 3}});
});

it('says which file is damaged', () => {
  const files = new StateFiles(dir);
  writeFileSync(join(dir, 'relay-7.json'), '{"position":');
  expect(() => files.read(7)).toThrow(/relay-7\.json/);
});
