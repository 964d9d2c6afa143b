// SPDX-License-Identifier: Apache-2.0
/** The relay as a process of its own: who it is, and the metrics it makes about itself. */
import {readFileSync} from 'node:fs';
import {hostname, userInfo} from 'node:os';
import type {AttributeValue, Metric, Process} from '../../records/types.js';
import {RELEASE} from '../../records/version.js';
import type {ServiceStatus} from './status.js';

function line(path: string): string {
  try {
    return readFileSync(path, 'utf8').split('\n')[0]!.trim();
  } catch {
    return '';
  }
}

/** A name when the user has one: containers run with any uid. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 0);
  }
}

/** This process as the records know one. `key` must be no channel's. */
export function selfProcess(key: number, startTime: number): Process {
  const host = hostname();
  const cmd = 'scope relay';
  return {
    key,
    pid: process.pid,
    ppid: process.ppid,
    proc: 'scope',
    cmd,
    args: ['scope', 'relay'],
    exe: process.execPath,
    cwd: process.cwd(),
    host,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    username: userName(),
    groupname: '',
    cgroup: line('/proc/self/cgroup').replace(/^0::/, ''),
    containerId: '',
    machineId: line('/etc/machine-id'),
    uuid: '',
    id: `${host}-scope-${cmd}`,
    libc: '',
    runtime: `node${process.version} scope ${RELEASE}`,
    startTime,
    tags: {},
    env: {},
  };
}

/** A figure about the relay. Counters are totals since it began. */
export interface SelfFigure {
  name: string;
  type: 'counter' | 'gauge';
  unit: string;
  help: string;
  attributes: Record<string, AttributeValue>;
  value: number;
}

/** All figures that `/metrics` shows and `relay.self_metrics` routes. */
export function figures(status: ServiceStatus): SelfFigure[] {
  const out: SelfFigure[] = [];
  const add = (
    type: SelfFigure['type'],
    name: string,
    unit: string,
    help: string,
    value: number,
    attributes = {},
  ): void => {
    out.push({type, name: `appscope.relay.${name}`, unit, help, attributes, value});
  };
  for (const one of status.exporters) {
    const attributes = {exporter: one.name, exporter_type: one.type};
    add('counter', 'accepted', 'record', 'Records given to the exporter', one.accepted, attributes);
    add('counter', 'sent', 'record', 'Records that the destination took', one.sent, attributes);
    add('gauge', 'queued', 'record', 'Records that wait', one.queued, attributes);
    add('gauge', 'queue_bytes', 'byte', 'Bytes that wait', one.queueBytes, attributes);
    add('counter', 'retried', 'batch', 'Repeated attempts', one.retried, attributes);
    add('gauge', 'lag', 'millisecond', 'Age of the oldest record that waits', one.lagMs, attributes);
    add('gauge', 'up', 'process', '1 unless the last attempt failed', one.state === 'ok' ? 1 : 0, attributes);
    for (const [reason, count] of Object.entries(one.dropped)) {
      if (count > 0)
        add('counter', 'dropped', 'record', 'Records dropped, by reason', count, {...attributes, reason});
    }
  }
  add('counter', 'records', 'record', 'Records made from channels', status.records);
  add('counter', 'unrouted', 'record', 'Records that no route took', status.unrouted);
  add('gauge', 'processes', 'process', 'Processes observed now', status.processes.live);
  add('counter', 'processes_seen', 'process', 'Processes observed since the start', status.processes.seen);
  for (const [cause, count] of Object.entries(status.lost)) {
    if (count > 0)
      add('counter', 'lost', 'record', 'Records lost before the relay, by cause', count, {cause});
  }
  add('gauge', 'spool_bytes', 'byte', 'Bytes taken from rings that wait for routing', status.spool.bytes);
  add('gauge', 'memory', 'byte', 'Resident memory of the relay', status.memory);
  return out;
}

/** Figures as records; counters as what was added since the last call. */
export function createSelfMetrics(self: Process): (status: ServiceStatus, time: number) => Metric[] {
  const before = new Map<string, number>();
  let last: number | undefined;
  return (status, time) => {
    const out: Metric[] = [];
    for (const {name, type, unit, attributes, value} of figures(status)) {
      const key = `${name} ${Object.values(attributes).join(' ')}`;
      const amount = type === 'counter' ? value - (before.get(key) ?? 0) : value;
      before.set(key, value);
      if (type === 'counter' && amount <= 0) continue;
      out.push({
        kind: 'metric',
        name,
        type,
        unit,
        value: amount,
        attributes,
        summary: true,
        time,
        ...(last === undefined ? {} : {startTime: last}),
        process: self,
      });
    }
    last = time;
    return out;
  };
}
