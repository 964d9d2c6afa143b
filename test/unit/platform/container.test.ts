// SPDX-License-Identifier: Apache-2.0
import {describe, expect, test} from 'vitest';
import {containerId} from '../../../src/platform/container.js';

const id = '7a'.repeat(32);
const outer = '0b'.repeat(32);

describe('the container of a cgroup', () => {
  test.each([
    ['docker, cgroupfs', `/docker/${id}`],
    ['docker, systemd', `/system.slice/docker-${id}.scope`],
    ['docker with systemd inside', `/docker/${id}/init.scope`],
    ['containerd, cgroupfs', `/kubepods/burstable/pod2c48913c-b29f-11e7-9350-020968147796/${id}`],
    ['containerd, systemd', `/kubepods.slice/kubepods-pod12.slice/cri-containerd-${id}.scope`],
    [
      'containerd, its own colons',
      `/system.slice/containerd.service/kubepods-pod12.slice:cri-containerd:${id}`,
    ],
    ['CRI-O', `/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/crio-${id}.scope`],
    [
      'Podman, rootless',
      `/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${id}.scope/container`,
    ],
    ['a container in a container', `/docker/${outer}/kubelet/kubepods/pod1/${id}`],
    ['seen from another cgroup namespace', `/../../docker-${id}.scope`],
    ['lines of version 1', `4:memory:/docker/${id}\n3:cpuset:/docker/${id}\n0::/`],
  ])('%s', (_, text) => {
    expect(containerId(text)).toBe(id);
  });

  test.each([
    [
      'Fargate',
      '/ecs/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-1234567890',
      '0123456789abcdef0123456789abcdef-1234567890',
    ],
    ['systemd-nspawn', '/machine.slice/machine-web\\x2d1.scope/payload', 'web-1'],
    ['a service of systemd-nspawn', '/machine.slice/systemd-nspawn@web.service/payload', 'web'],
    ['LXC', '/lxc.payload.web/init.scope', 'web'],
    ['LXC, version 1', '2:cpu:/lxc/web', 'web'],
  ])('%s', (_, text, name) => {
    expect(containerId(text)).toBe(name);
  });

  test.each([
    ['none', '/user.slice/user-0.slice/session-1.scope'],
    ['the root', '0::/'],
    ['the monitor of a container', `/machine.slice/libpod-conmon-${id}.scope`],
    ['a longer number', `/x/${id}00`],
  ])('%s: no container', (_, text) => {
    expect(containerId(text)).toBe('');
  });
});
