// SPDX-License-Identifier: Apache-2.0
/** Destinations as one text, as flags and SCOPE_*_DEST have them: `tcp://host:port`, `file:///path`, `edge` … */
import {isAbsolute, join} from 'node:path';

/** A transport as it stands in a file. */
export interface TransportInput {
  type: 'udp' | 'tcp' | 'unix' | 'file' | 'edge';
  host?: string;
  port?: number | string;
  path?: string;
  tls?: {enable?: boolean; validateserver?: boolean; cacertpath?: string};
}

function hostPort(rest: string): {host: string; port: string} | undefined {
  const found = /^(\[[0-9a-fA-F:.]+\]|[^:]+):([0-9A-Za-z-]+)$/.exec(rest);
  return found ? {host: found[1]!.replace(/^\[|\]$/g, ''), port: found[2]!} : undefined;
}

function withPort(address: {host: string; port: string}): {host: string; port: number | string} {
  return {host: address.host, port: /^\d+$/.test(address.port) ? Number(address.port) : address.port};
}

/**
 * The transport that the text names. `undefined`: not a destination. Relative paths are taken from `cwd`; a bare
 * `host:port` means TLS over TCP, a bare word a file.
 */
export function parseDestination(text: string, cwd: string): TransportInput | undefined {
  if (/^edge(:\/\/.*)?$/i.test(text)) return {type: 'edge'};
  const [, scheme = '', rest = ''] = /^(?:([a-z]+):\/\/)?(.*)$/is.exec(text) ?? [];
  if (rest === '') return undefined;
  const file = (path: string): string =>
    path === 'stdout' || path === 'stderr' || isAbsolute(path) ? path : join(cwd, path);
  const address = hostPort(rest);
  switch (scheme.toLowerCase()) {
    case 'udp':
    case 'tcp':
      return address && {type: scheme.toLowerCase() as 'udp' | 'tcp', ...withPort(address)};
    case 'tls':
      return address && {type: 'tcp', ...withPort(address), tls: {enable: true, validateserver: true}};
    case 'unix':
      return {type: 'unix', path: rest.startsWith('@') ? rest : file(rest)};
    case 'file':
      return {type: 'file', path: file(rest)};
    case '':
      if (address && !rest.includes('/'))
        return {type: 'tcp', ...withPort(address), tls: {enable: true, validateserver: true}};
      return rest.includes(':') ? undefined : {type: 'file', path: file(rest)};
    default:
      return undefined;
  }
}
