// SPDX-License-Identifier: Apache-2.0
import {mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir, userInfo} from 'node:os';
import {join} from 'node:path';
import {afterEach, beforeEach, expect, it} from 'vitest';
import {Accounts} from '../../../src/relay/accounts.js';
import {memoryChannel} from '../../helpers/channel-records.js';

/** A procfs: processes with roots of their own. */
let proc: string;
let now: number;
let accounts: Accounts;
beforeEach(() => {
  proc = mkdtempSync(join(tmpdir(), 'scope-proc-'));
  now = 0;
  accounts = new Accounts(proc, () => now);
});
afterEach(() => rmSync(proc, {recursive: true, force: true}));

/** Process `pid` that started at this tick, in a root whose user 1000 and group 1000 have these names. */
function live(pid: number, start: number, user: string, group: string): void {
  const etc = join(proc, `${pid}/root/etc`);
  mkdirSync(etc, {recursive: true});
  writeFileSync(join(proc, `${pid}/stat`), `${pid} (a) b) S ${'0 '.repeat(18)}${start} 0 0\n`);
  writeFileSync(join(etc, 'passwd'), `root:x:0:0::/:\n${user}:x:1000:1000::/:\n`);
  writeFileSync(join(etc, 'group'), `root:x:0:\n${group}:x:1000:\n`);
}

const die = (pid: number) => rmSync(join(proc, String(pid)), {recursive: true});

function names(hostPid: number, pidNs: number, ended = false): string {
  const channel = memoryChannel(1);
  const one = {...channel, hostPid, ended, header: {...channel.header, pidNs}};
  const {username, groupname} = accounts.namesOf(one, 1000, 1000);
  return `${username}/${groupname}`;
}

it('names users as the root of the process does, and reads them again after a minute', () => {
  live(50, 7, 'ann', 'staff');
  expect(names(50, 3)).toBe('ann/staff');
  live(50, 7, 'eve', 'crew');
  now = 59_000;
  expect(names(50, 3)).toBe('ann/staff');
  now = 61_000;
  expect(names(50, 3)).toBe('eve/crew');
});

it('names those of processes that ended before they were seen after others of their namespace', () => {
  live(50, 7, 'ann', 'staff');
  expect(names(50, 3)).toBe('ann/staff');
  expect(names(0, 3, true)).toBe('ann/staff');
  expect(names(0, 4, true)).toBe('/');
});

it('takes no names from a later process with the same pid', () => {
  live(50, 7, 'ann', 'staff');
  expect(names(50, 3)).toBe('ann/staff');
  die(50);
  live(50, 9, 'mallory', 'other');
  expect(names(0, 3, true)).toBe('ann/staff');
  now = 120_000;
  expect(names(0, 3, true)).toBe('ann/staff');
  // The later one itself has its own.
  expect(names(50, 4)).toBe('mallory/other');
  expect(names(0, 3, true)).toBe('ann/staff');
});

it('knows no name of a process that ended before its names were read', () => {
  live(50, 7, 'ann', 'staff');
  rmSync(join(proc, '50/root/etc/passwd'));
  expect(names(50, 3)).toBe('/staff');
  die(50);
  now = 120_000;
  expect(names(0, 3, true)).toBe('/staff');
  expect(names(50, 5)).toBe('/');
});

it('has no names for a root without accounts, and ours for our own', () => {
  live(50, 7, 'ann', 'staff');
  rmSync(join(proc, '50/root/etc'), {recursive: true});
  expect(names(50, 3)).toBe('/');
  live(51, 8, 'ann', 'staff');
  rmSync(join(proc, '51/root'), {recursive: true});
  symlinkSync('/', join(proc, '51/root'));
  const channel = memoryChannel(1);
  const {uid, username} = userInfo();
  expect(accounts.namesOf({...channel, hostPid: 51}, uid, 0)).toMatchObject({username, groupname: 'root'});
  mkdirSync(join(proc, 'self/ns'), {recursive: true});
  writeFileSync(join(proc, 'self/ns/pid'), '');
  const own = {...channel.header, pidNs: statSync(join(proc, 'self/ns/pid')).ino};
  expect(new Accounts(proc).namesOf({...channel, header: own}, uid, 0).username).toBe(username);
});
