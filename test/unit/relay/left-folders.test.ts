// SPDX-License-Identifier: Apache-2.0
import {existsSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, it} from 'vitest';
import {removeLeftFolders} from '../../../src/relay/left-folders.js';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'scope-left-'));
});
afterEach(() => {
  rmSync(base, {recursive: true, force: true});
});

const MOUNTS = readlinkSync('/proc/self/ns/mnt');
const PIDS = readlinkSync('/proc/self/ns/pid');

/** A folder with a channel of that process; `session`: where its link leads. */
function folder(name: string, pid: number, session: string | undefined, mounts = MOUNTS): string {
  const path = join(base, name);
  mkdirSync(path);
  writeFileSync(join(path, `${pid}.1a2b.chan`), '');
  if (session !== undefined) symlinkSync(`${mounts} ${PIDS} ${session}`, join(path, 'session'));
  return path;
}

/** Above any pid of Linux. */
const NOBODY = 4_194_999;

it('removes folders of deleted sessions, unless one of their processes lives or nobody says whose they are', () => {
  const gone = folder('gone', NOBODY, '/nowhere');
  const alive = folder('alive', process.pid, '/nowhere');
  const kept = folder('kept', NOBODY, tmpdir());
  const unknown = folder('unknown', NOBODY, undefined);
  const elsewhere = folder('elsewhere', NOBODY, '/nowhere', 'mnt:[1]');
  removeLeftFolders(base);
  expect(existsSync(elsewhere)).toBe(true);
  expect([gone, alive, kept, unknown].map((path) => existsSync(path))).toEqual([false, true, true, true]);
  removeLeftFolders('/nowhere');
});
