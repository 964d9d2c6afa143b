// SPDX-License-Identifier: Apache-2.0
import {mkdtempSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import {describe, expect, it} from 'vitest';
import {ancestors, describe as describeProcess} from '../../../src/relay/process-info.js';
import {memoryChannel} from '../../helpers/channel-records.js';

/** The process of a channel with these strings. */
function processOf(info: object, key = 1) {
  const channel = memoryChannel(key);
  return describeProcess({...channel, info: {...channel.info, ...info}});
}

describe('a process', () => {
  it('is named after its executable', () => {
    expect(processOf({}).proc).toBe('curl');
    expect(processOf({exe: '/usr/sbin/nginx', name: 'nginx', argv: ['nginx: worker process']}).proc).toBe(
      'nginx',
    );
  });

  it('is named as it was called when that is a link', () => {
    const dir = mkdtempSync(join(tmpdir(), 'scope-links-'));
    try {
      const exe = join(dir, 'python3.11');
      writeFileSync(exe, '');
      symlinkSync(exe, join(dir, 'python3'));
      writeFileSync(join(dir, 'other'), '');
      const called = (argv0: string, cwd = '/') =>
        processOf({exe, name: 'python3.11', argv: [argv0, 'x.py'], cwd}).proc;
      expect(called('python3')).toBe('python3');
      expect(called('./python3', dir)).toBe('python3');
      expect(called('-python3')).toBe('python3');
      expect(called('other')).toBe('python3.11');
      expect(called('worker process')).toBe('python3.11');
    } finally {
      rmSync(dir, {recursive: true, force: true});
    }
    expect(processOf({exe: '/bin/busybox', name: 'busybox', argv: ['/bin/ls']}).proc).toBe('ls');
    expect(processOf({exe: '/bin/bash', name: 'bash', argv: ['-bash']}).proc).toBe('bash');
  });

  it('has an id of host, name and the end of its command line', () => {
    expect(processOf({argv: ['curl', 'x'.repeat(40)]}).id).toBe(`vm-curl-${'x'.repeat(32)}`);
  });

  it('has the uuid of its image, in the form of version 4', () => {
    const {uuid} = processOf({});
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(processOf({}).uuid).toBe(uuid);
    expect(processOf({}, 2).uuid).not.toBe(uuid);
  });

  it('has user, group and container by name', () => {
    const id = 'a1'.repeat(32);
    expect(processOf({cgroup: `/system.slice/docker-${id}.scope`})).toMatchObject({
      username: 'root',
      groupname: 'root',
      cgroup: `0::/system.slice/docker-${id}.scope`,
      containerId: id,
    });
    expect(processOf({cgroup: '/user.slice'}).containerId).toBe('');
  });
});

describe('what a process in a container does not know', () => {
  it('is seen from outside: its executable and its cgroup', () => {
    const channel = memoryChannel(1);
    const info = {...channel.info, exe: 'sh', name: '', cgroup: '', argv: ['sh']};
    const seen = describeProcess({...channel, hostPid: process.pid, info});
    expect(seen).toMatchObject({exe: readlinkSync('/proc/self/exe'), hostPid: process.pid});
    expect(seen.cgroup).toMatch(/^0::\//);
  });

  it('has no names of ours when its root is not seen, but root', () => {
    const channel = memoryChannel(1);
    const elsewhere = (uid: number) => ({...channel, header: {...channel.header, pidNs: 7, uid, gid: 0}});
    expect(describeProcess(elsewhere(1))).toMatchObject({username: '', groupname: 'root'});
    expect(describeProcess(elsewhere(0)).username).toBe('root');
  });
});

describe('ancestors', () => {
  const channelOf = (hostPid: number, ppid: number, pidNs: number) => {
    const channel = memoryChannel(1);
    return {...channel, hostPid, header: {...channel.header, ppid, pidNs}};
  };
  const pidNs = statSync('/proc/self/ns/pid').ino;

  it('of a living process are the executables above it, without process 1', () => {
    const names = ancestors(channelOf(process.pid, 1, 0));
    expect(names.length).toBeGreaterThan(0);
    expect(names).toContain(basename(readlinkSync('/proc/self/exe')));
  });

  it('of a process that has ended begin at its parent', () => {
    expect(ancestors(channelOf(0, process.pid, pidNs))[0]).toBe(basename(process.execPath));
  });

  it('that have ended too are remembered', () => {
    const known = (pid: number) => (pid === 4_194_400 ? {exe: '/usr/sbin/sshd', ppid: 1} : undefined);
    expect(ancestors(channelOf(0, 4_194_400, pidNs), known)).toEqual(['sshd']);
    expect(ancestors(channelOf(0, 4_194_400, 7), known)).toEqual(['sshd']);
    expect(ancestors(channelOf(0, process.pid, 7), known)).toEqual([]);
  });
});
