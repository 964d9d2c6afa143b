// SPDX-License-Identifier: Apache-2.0
/** Protocols of connections by their first bytes: the user's definitions, then our own. Gives net.app. */
import {RE2JS} from 're2js';
import {REC, type RecordCursor} from '../../channel/index.js';
import type {ProtocolDefinition} from '../settings.js';
import type {Image, Source, SourceKind} from './source.js';

/** Connections that are remembered. */
const CONNECTIONS = 100_000;
/** Bytes looked at, at most. */
const LOOK = 256;
/** Definitions of our own, after the user's; one of the user's with the same name replaces it. */
const OWN: readonly ProtocolDefinition[] = [
  {
    name: 'HTTP',
    regex: '(?:HTTP\\/1\\.[0-2]|PRI \\* HTTP\\/2\\.0\\r\\n\\r\\nSM\\r\\n\\r\\n)',
    binary: false,
    len: 0,
    detect: true,
    payload: false,
  },
  {
    name: 'STATSD',
    regex: '^([^:]+):([\\d.]+)\\|(c|g|ms|s|h)',
    binary: false,
    len: 0,
    detect: true,
    payload: false,
  },
];

/** Says once for each connection what it speaks; net.app unless the definition of that name has `detect: false`. */
export function detected(image: Image, record: RecordCursor, protocol: string): void {
  if (image.protocols.has(record.object)) return;
  image.protocols.set(record.object, protocol);
  const own = image.settings.protocols.find((entry) => entry.name.toUpperCase() === protocol.toUpperCase());
  if (own?.detect === false || !image.wantsEvent('net')) return;
  const {proc, pid, host} = image.process;
  image.event('net', 'net.app', image.time(record), record.object, {
    proc,
    pid,
    fd: record.fd,
    host,
    protocol,
  });
}

interface Compiled {
  definition: ProtocolDefinition;
  pattern: RE2JS;
}

function compile(definitions: readonly ProtocolDefinition[]): Compiled[] {
  const names = new Set(definitions.map((definition) => definition.name.toUpperCase()));
  return [...definitions, ...OWN.filter((own) => !names.has(own.name))].map((definition) => ({
    definition,
    pattern: RE2JS.compile(definition.regex),
  }));
}

/** The first definition that the bytes match. */
function match(compiled: readonly Compiled[], bytes: Buffer): ProtocolDefinition | undefined {
  for (const {definition, pattern} of compiled) {
    if (bytes.length < definition.len) continue;
    const look = bytes.subarray(0, Math.min(LOOK, definition.len || LOOK));
    const text = look.toString(definition.binary ? 'hex' : 'latin1');
    if (pattern.matcher(text).find()) return definition;
  }
  return undefined;
}

class DetectSource implements Source {
  readonly #image: Image;
  #definitions: readonly ProtocolDefinition[] | undefined;
  #compiled: Compiled[] = [];
  /** Connections whose first bytes were looked at. */
  readonly #seen = new Set<number>();

  constructor(image: Image) {
    this.#image = image;
  }

  /** Those of the settings, which a reload exchanges. */
  get #patterns(): readonly Compiled[] {
    const {protocols} = this.#image.settings;
    if (protocols !== this.#definitions) {
      this.#definitions = protocols;
      this.#compiled = compile(protocols);
    }
    return this.#compiled;
  }

  record(record: RecordCursor): void {
    if (record.type === REC.CONN_CLOSE) {
      this.#seen.delete(record.object);
      return;
    }
    if (this.#seen.has(record.object)) return;
    // Connections whose close was lost must not pile up.
    if (this.#seen.size >= CONNECTIONS) this.#seen.clear();
    this.#seen.add(record.object);
    const definition = match(this.#patterns, record.data());
    if (definition !== undefined) detected(this.#image, record, definition.name);
  }
}

export const detectSource: SourceKind = {
  name: 'detect',
  types: () => [REC.DETECT, REC.CONN_CLOSE],
  create: (image) => (image.settings.protocols.length > 0 ? new DetectSource(image) : undefined),
};
