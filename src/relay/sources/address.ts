// SPDX-License-Identifier: Apache-2.0
/** Addresses of a connection as text and as fields of events and metrics. */
import {type ConnInfo, FD_FLAG, PROTOCOL} from '../../channel/index.js';
import type {Attributes} from '../../records/types.js';

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
/** By SOCK_*. */
const TYPES: readonly string[] = ['OTHER', 'TCP', 'UDP', 'RAW', 'RDM', 'SEQPACKET'];
const HTTP_PORTS = new Set([80, 443]);

/** A connection as the net source remembers it. */
export interface Connection {
  family: number;
  type: number;
  localIp: string;
  localPort: number;
  remoteIp: string;
  remotePort: number;
  /** AF_UNIX: inodes of the two ends; 0: unknown. */
  localInode: number;
  remoteInode: number;
  /** Bits of FD_FLAG. */
  flags: number;
}

/** Copies what a record says. */
export function connectionOf(info: ConnInfo): Connection {
  const {bytes, local, remote} = info;
  const unix = info.family === AF_UNIX;
  return {
    family: info.family,
    type: info.type,
    localIp: unix ? '' : formatIp(info.family, bytes, local),
    localPort: info.localPort,
    remoteIp: unix ? '' : formatIp(info.family, bytes, remote),
    remotePort: info.remotePort,
    localInode: unix ? readU64(bytes, local) : 0,
    remoteInode: unix ? readU64(bytes, remote) || readU64(bytes, local + 8) : 0,
    flags: info.flags,
  };
}

function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + 4) * 2 ** 32 + bytes.readUInt32LE(at);
}

/** Texts of IPv4 addresses: most come again and again. */
const dotted = new Map<number, string>();
const DOTTED_KEPT = 65_536;

function formatIp4(bytes: Uint8Array, at: number): string {
  const a = bytes[at]!;
  const b = bytes[at + 1]!;
  const c = bytes[at + 2]!;
  const d = bytes[at + 3]!;
  const key = (a << 24) | (b << 16) | (c << 8) | d;
  let text = dotted.get(key);
  if (text === undefined) {
    text = `${a}.${b}.${c}.${d}`;
    if (dotted.size >= DOTTED_KEPT) dotted.clear();
    dotted.set(key, text);
  }
  return text;
}

/** Dotted or RFC 5952 text of the 4 or 16 bytes from `at` on; dotted where IPv6 only carries IPv4. */
export function formatIp(family: number, bytes: Uint8Array, at = 0): string {
  if (family !== AF_INET6) return formatIp4(bytes, at);
  const groups: number[] = [];
  for (let i = at; i < at + 16; i += 2) groups.push((bytes[i]! << 8) | bytes[i + 1]!);
  // IPv4 on a socket of both families: its user knows the peer by the IPv4 address.
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff)
    return formatIp4(bytes, at + 12);
  const gap = longestZeros(groups);
  const hex = groups.map((group) => group.toString(16));
  if (gap.length < 2) return hex.join(':');
  return `${hex.slice(0, gap.start).join(':')}::${hex.slice(gap.start + gap.length).join(':')}`;
}

function longestZeros(groups: readonly number[]): {start: number; length: number} {
  let best = {start: 0, length: 0};
  let start = 0;
  for (let i = 0; i <= groups.length; i++) {
    if (groups[i] === 0) continue;
    if (i - start > best.length) best = {start, length: i - start};
    start = i + 1;
  }
  return best;
}

export function isStream(connection: Connection): boolean {
  return connection.type === SOCK_STREAM;
}

export function isInet(connection: Connection): boolean {
  return connection.family === AF_INET || connection.family === AF_INET6;
}

const IP_TRANSPORTS = TYPES.map((kind) => `IP.${kind}`);
const UNIX_TRANSPORTS = TYPES.map((kind) => `Unix.${kind}`);

/** `IP.TCP`, `Unix.UDP`, … */
export function transportName(connection: Connection): string {
  const names = connection.family === AF_UNIX ? UNIX_TRANSPORTS : IP_TRANSPORTS;
  return names[connection.type] ?? names[0]!;
}

/** `TCP`, `UDP`, …, `NETLINK` */
export function protoName(connection: Connection): string {
  if (!isInet(connection) && connection.family !== AF_UNIX)
    return connection.family === 16 ? 'NETLINK' : 'OTHER';
  return TYPES[connection.type] ?? 'OTHER';
}

/** Members of `data` that net and http events share. */
export function addressFields(connection: Connection): Record<string, unknown> {
  if (connection.family !== AF_UNIX) {
    return {
      net_transport: transportName(connection),
      net_peer_ip: connection.remoteIp,
      net_peer_port: connection.remotePort,
      net_host_ip: connection.localIp,
      net_host_port: connection.localPort,
    };
  }
  const data: Record<string, unknown> = {net_transport: transportName(connection)};
  if (connection.remoteInode !== 0) data.unix_peer_inode = connection.remoteInode;
  if (connection.localInode !== 0) data.unix_local_inode = connection.localInode;
  return data;
}

const APP_NAMES: ReadonlyMap<number, string> = new Map([
  [PROTOCOL.HTTP1, 'http'],
  [PROTOCOL.HTTP2, 'http'],
  [PROTOCOL.DNS, 'dns'],
  [PROTOCOL.STATSD, 'statsd'],
  [PROTOCOL.TLS, 'tls'],
  [PROTOCOL.WEBSOCKET, 'websocket'],
]);

/** Name of what the library found on a connection (one of PROTOCOL). */
export function appName(app: number): string | undefined {
  return APP_NAMES.get(app);
}

/** `http` when a port says so. */
export function portProtocol(connection: Connection): string | undefined {
  if (!isInet(connection)) return undefined;
  return HTTP_PORTS.has(connection.localPort) || HTTP_PORTS.has(connection.remotePort) ? 'http' : undefined;
}

/** Fields of a single net.rx or net.tx. */
export function transferFields(connection: Connection): Attributes {
  const proto = protoName(connection);
  if (connection.family === AF_UNIX)
    return {
      domain: 'UNIX',
      proto,
      localn: connection.localInode,
      remoten: connection.remoteInode,
      data: 'clear',
    };
  const tls = connection.localPort === 443 || connection.remotePort === 443 || connection.flags & FD_FLAG.TLS;
  return {
    domain: 'AF_INET',
    proto,
    localip: connection.localIp,
    localp: connection.localPort,
    remoteip: connection.remoteIp,
    remotep: connection.remotePort,
    data: tls ? 'ssl' : 'clear',
  };
}
