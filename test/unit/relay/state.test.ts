// SPDX-License-Identifier: Apache-2.0
import {mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, it} from 'vitest';
import {ByteWriter} from '../../../src/records/byte-writer.js';
import {type ImageState, NEW_STATE, StateFiles, writeSaved} from '../../../src/relay/state.js';

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

it('writes what JSON.stringify writes', () => {
  const image = (at: number): ImageState => ({
    open: {files: [[4, {path: '/a"b', kind: 1, perms: 0, owner: 0, group: 0}]], connections: []},
    process: {cpuUs: 1, reportedAt: at},
    counters: [1, 2],
    lost: [],
    singles: [['fs.open/', 2]],
    reportedAt: at,
  });
  const images = {'/c/1"x.chan': image(1), '/c/2.chan': image(2)};
  const state = {...NEW_STATE, images, over: ['/c/0'], seen: 2, lost: {full: 1}, notes: ['a: b']};
  for (const saved of [
    {position: 7, state},
    {position: 8, state},
    {position: 0, state: NEW_STATE},
  ])
    for (const first of [{}, {number: 3, hub: 'ü'}]) {
      const out = new ByteWriter(16);
      writeSaved(out, saved, first);
      expect(out.view().toString()).toBe(JSON.stringify({...first, ...saved}));
    }
});

it('says which file is damaged', () => {
  const files = new StateFiles(dir);
  writeFileSync(join(dir, 'relay-7.json'), '{"position":');
  expect(() => files.read(7)).toThrow(/relay-7\.json/);
});
