// SPDX-License-Identifier: Apache-2.0
/** Records for the tests of routing. */
import type {Event, Metric, Process, Span} from '../../../src/records/types.js';

let keys = 0;

export function process(over: Partial<Process> = {}): Process {
  return {
    key: ++keys,
    pid: 100,
    ppid: 1,
    proc: 'nginx',
    cmd: 'nginx -g daemon',
    args: ['nginx', '-g', 'daemon'],
    exe: '/usr/sbin/nginx',
    cwd: '/',
    host: 'h1',
    uid: 0,
    gid: 0,
    username: 'www',
    groupname: 'www',
    cgroup: '',
    containerId: 'abc',
    machineId: '',
    uuid: '',
    id: 'h1-nginx-nginx -g daemon',
    libc: '',
    runtime: '',
    startTime: 1,
    tags: {},
    env: {},
    ...over,
  };
}

export function metric(name: string, value = 1, over: Partial<Metric> = {}): Metric {
  return {
    kind: 'metric',
    name,
    type: 'counter',
    unit: 'operation',
    value,
    attributes: {},
    summary: false,
    time: 1,
    process: process(),
    ...over,
  };
}

export function event(
  sourcetype: Event['sourcetype'],
  source: string,
  data: Event['data'],
  over: Partial<Event> = {},
): Event {
  return {kind: 'event', sourcetype, source, time: 1, channel: 'none', data, process: process(), ...over};
}

export function span(over: Partial<Span> = {}): Span {
  return {
    kind: 'span',
    name: 'GET',
    role: 'server',
    traceId: '0'.repeat(32),
    spanId: '1'.repeat(16),
    startTime: 1,
    endTime: 2,
    attributes: {},
    error: false,
    process: process(),
    ...over,
  };
}
