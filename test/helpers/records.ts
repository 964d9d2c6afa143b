// SPDX-License-Identifier: Apache-2.0
/** Records for tests that need some, and the plainest line encoder. */
import type {Event, Metric, Process, RelayRecord} from '../../src/records/types.js';

export function makeProcess(change: Partial<Process> = {}): Process {
  return {
    key: 1,
    pid: 4242,
    ppid: 1,
    proc: 'echo',
    cmd: '/bin/echo hello',
    args: ['/bin/echo', 'hello'],
    exe: '/bin/echo',
    cwd: '/',
    host: 'vm',
    uid: 0,
    gid: 0,
    username: 'root',
    groupname: 'root',
    cgroup: '0::/',
    containerId: '',
    machineId: '',
    uuid: '',
    id: 'vm-echo-/bin/echo hello',
    libc: '',
    runtime: '',
    startTime: 1_795_375_578,
    tags: {},
    env: {},
    ...change,
  };
}

export function makeEvent(change: Partial<Event> = {}): Event {
  return {
    kind: 'event',
    sourcetype: 'console',
    source: 'stdout',
    time: 1_795_375_578.25,
    channel: '77',
    data: {message: 'hello\n'},
    process: makeProcess(),
    ...change,
  };
}

export function makeMetric(change: Partial<Metric> = {}): Metric {
  return {
    kind: 'metric',
    name: 'fs.open',
    type: 'counter',
    unit: 'operation',
    value: 2,
    attributes: {},
    summary: true,
    time: 1_795_375_578.5,
    process: makeProcess(),
    ...change,
  };
}

function object(r: RelayRecord): unknown {
  const p = r.process;
  if (r.kind === 'event') {
    const body = {
      sourcetype: r.sourcetype,
      _time: r.time,
      source: r.source,
      host: p.host,
      proc: p.proc,
      cmd: p.cmd,
      pid: p.pid,
    };
    return {type: 'evt', id: p.id, _channel: r.channel, body: {...body, data: r.data}};
  }
  if (r.kind === 'metric') {
    const fields = {
      ...r.attributes,
      proc: p.proc,
      pid: p.pid,
      host: p.host,
      unit: r.unit,
      ...(r.summary && {summary: 'true'}),
    };
    return {
      type: 'metric',
      body: {_metric: r.name, _metric_type: r.type, _value: r.value, ...fields, _time: r.time},
    };
  }
  if (r.kind === 'start') return {format: 'ndjson', info: {process: {pid: p.pid}}};
  return {kind: r.kind};
}

/** The wire form by JSON.stringify. */
export function encodeJson(record: RelayRecord, out: Buffer, at: number): number {
  const line = `${JSON.stringify(object(record))}\n`;
  const length = Buffer.byteLength(line);
  if (at + length > out.length) return -1;
  return at + out.write(line, at);
}
