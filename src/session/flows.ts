// SPDX-License-Identifier: Apache-2.0
/** Connections of a session: from its net.open and net.close events and from its payload files. */
import {existsSync, readdirSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {EventLog} from './event-log.js';
import {FILES} from './layout.js';
import {findEvents} from './query.js';

/** One connection; names are those of the JSON that `scope flows -j` writes. */
export interface Flow {
  hash: number;
  id: string;
  net_host_ip: string;
  net_host_port: number;
  net_peer_ip: string;
  net_peer_port: number;
  pid: number;
  in_file: string;
  out_file: string;
  basedir: string;
  /** Seconds since the epoch. */
  start_time: number;
  /** Nanoseconds; 0: still open. */
  duration: number;
  /** Seconds since the epoch. */
  last_sent_time: number;
  net_bytes_recv: number;
  net_bytes_sent: number;
  proc: string;
  net_protocol: string;
  net_transport: string;
  net_close_reason: string;
}

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Least significant digit first. */
export function base62(n: number): string {
  let text = '';
  do {
    text += DIGITS[n % 62];
    n = Math.floor(n / 62);
  } while (n > 0);
  return text;
}

function fnv1a(text: string): number {
  let h = 0x811c9dc5;
  for (const byte of Buffer.from(text)) h = Math.imul(h ^ byte, 0x01000193);
  return h >>> 0;
}

function emptyFlow(pid: number, peer: [string, number], host: [string, number]): Flow {
  const hash = fnv1a(`${pid}_${peer[0]}:${peer[1]}_${host[0]}:${host[1]}`);
  return {
    hash,
    id: base62(hash),
    net_host_ip: host[0],
    net_host_port: host[1],
    net_peer_ip: peer[0],
    net_peer_port: peer[1],
    pid,
    in_file: '',
    out_file: '',
    basedir: '',
    start_time: 0,
    duration: 0,
    last_sent_time: 0,
    net_bytes_recv: 0,
    net_bytes_sent: 0,
    proc: '',
    net_protocol: '',
    net_transport: '',
    net_close_reason: '',
  };
}

/** All flows of the session, by the time of their last byte. */
export function readFlows(workdir: string): Flow[] {
  const flows = new Map<number, Flow>();
  addFiles(workdir, flows);
  if (existsSync(join(workdir, FILES.events))) addEvents(workdir, flows);
  return [...flows.values()].sort((a, b) => a.last_sent_time - b.last_sent_time || a.hash - b.hash);
}

const END = '([0-9.:a-fA-F]+|af_unix|netrx|nettx|tlsrx|tlstx)';
const FILE_NAME = new RegExp(`^(\\d+)_${END}:(\\d+)_${END}:(\\d+)\\.(in|out)$`);

/** Payload files; names that are none of a connection (`PID.na`) are passed over. */
function addFiles(workdir: string, flows: Map<number, Flow>): void {
  const dir = join(workdir, FILES.payloads);
  let names: string[];
  try {
    names = readdirSync(dir);
  } catch {
    return;
  }
  for (const name of names) {
    const m = FILE_NAME.exec(name);
    if (!m) continue;
    const fresh = emptyFlow(Number(m[1]), [m[2]!, Number(m[3])], [m[4]!, Number(m[5])]);
    const flow = flows.get(fresh.hash) ?? fresh;
    flows.set(flow.hash, flow);
    const {size, birthtimeMs, mtimeMs} = statSync(join(dir, name));
    flow.basedir = dir;
    if (m[6] === 'in') {
      flow.in_file = name;
      flow.net_bytes_recv = size;
    } else {
      flow.out_file = name;
      flow.net_bytes_sent = size;
    }
    const start = birthtimeMs / 1000;
    flow.start_time = flow.start_time === 0 ? start : Math.min(flow.start_time, start);
    flow.last_sent_time = Math.max(flow.last_sent_time, mtimeMs / 1000);
  }
}

function addEvents(workdir: string, flows: Map<number, Flow>): void {
  const log = new EventLog(workdir);
  try {
    /** Of what is open, by `_channel`: net.app has no addresses. */
    const open = new Map<string, Flow>();
    for (const batch of findEvents(log, {sources: ['net.open', 'net.close', 'net.app']})) {
      for (const {line} of batch) {
        const event = JSON.parse(line) as NetEvent;
        if (event.body.source === 'net.app') addProtocol(event, open);
        else addEvent(event, flows, open);
      }
    }
  } finally {
    log.close();
  }
}

interface NetEvent {
  _channel?: string;
  body: {source: string; _time: number; proc: string; pid: number; data: Record<string, unknown>};
}

const text = (value: unknown) => (typeof value === 'string' ? value : '');
const number = (value: unknown) => (typeof value === 'number' ? value : 0);

const channelOf = (event: NetEvent) => `${event.body.pid} ${event._channel}`;

function addProtocol(event: NetEvent, open: ReadonlyMap<string, Flow>): void {
  const flow = open.get(channelOf(event));
  if (flow) flow.net_protocol = text(event.body.data.protocol).toLowerCase();
}

function addEvent(event: NetEvent, flows: Map<number, Flow>, open: Map<string, Flow>): void {
  const {source, _time: time, proc, pid, data} = event.body;
  if (typeof data !== 'object' || !text(data.net_transport).startsWith('IP')) return;
  const fresh = emptyFlow(
    pid,
    [text(data.net_peer_ip), number(data.net_peer_port)],
    [text(data.net_host_ip), number(data.net_host_port)],
  );
  const known = flows.get(fresh.hash);
  const closed = source === 'net.close';
  // The same ports again, after a close, are a new connection in the old one's place.
  const flow = known && !(source === 'net.open' && known.net_close_reason !== '') ? known : fresh;
  flows.set(flow.hash, flow);
  flow.proc = proc;
  flow.net_transport = text(data.net_transport);
  flow.net_protocol = text(data.net_protocol) || flow.net_protocol;
  if (closed) {
    open.delete(channelOf(event));
    const ms = number(data.duration);
    flow.duration = Math.round(ms * 1e6);
    flow.start_time = time - ms / 1000;
    flow.net_bytes_recv = number(data.net_bytes_recv);
    flow.net_bytes_sent = number(data.net_bytes_sent);
    flow.net_close_reason = text(data.net_close_reason);
  } else {
    open.set(channelOf(event), flow);
    flow.start_time = time;
  }
  flow.last_sent_time = Math.max(flow.last_sent_time, time);
}

/** Whether the address lies in the network, e.g. `10.0.0.0/8`; undefined: the network is not one. */
export function inNetwork(cidr: string): ((ip: string) => boolean) | undefined {
  const [address, bits, more] = cidr.split('/');
  const net = parseIp(address ?? '');
  if (!net || more !== undefined) return undefined;
  const prefix = bits === undefined ? net.length * 8 : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
  if (prefix < 0 || prefix > net.length * 8) return undefined;
  return (ip) => {
    const other = parseIp(ip);
    if (other?.length !== net.length) return false;
    for (let i = 0; i < prefix; i++) {
      const mask = 0x80 >> (i & 7);
      if ((net[i >> 3]! & mask) !== (other[i >> 3]! & mask)) return false;
    }
    return true;
  };
}

function parseIp(ip: string): number[] | undefined {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(ip)) {
    const bytes = ip.split('.').map(Number);
    return bytes.every((b) => b < 256) ? bytes : undefined;
  }
  if (!/^[0-9a-f:]+$/i.test(ip) || !ip.includes(':')) return undefined;
  const [head = '', tail, more] = ip.split('::');
  if (more !== undefined) return undefined;
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = 8 - left.length - right.length;
  if (tail === undefined ? missing !== 0 : missing < 0) return undefined;
  const words = [...left, ...Array.from({length: missing}, () => '0'), ...right];
  if (words.some((w) => w.length === 0 || w.length > 4)) return undefined;
  return words.flatMap((w) => {
    const n = Number.parseInt(w, 16);
    return [n >> 8, n & 0xff];
  });
}
