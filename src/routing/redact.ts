// SPDX-License-Identifier: Apache-2.0
/** Masks secrets in records: in texts, in fields that are secrets by name, and in the command line of the process. */
import {RE2JS} from 're2js';
import type {RedactConfig} from '../config/index.js';
import {plainEvent} from '../records/plain.js';
import type {Event, Process, RelayRecord} from '../records/types.js';
import type {Step} from './edit.js';
import {fieldsOf, withFields} from './fields.js';
import {compilePattern} from './pattern.js';
import {isSecretField, maskSecrets} from './secrets.js';

/** Changes a text; the same text when nothing is found. */
type Replace = (text: string) => string;

interface Redactor {
  replace: Replace;
  /** Whether a field is looked at. */
  wants(field: string): boolean;
  /** What takes the place of a field that is a secret by its name; undefined: fields are never masked whole. */
  mask?: string;
  /** Records come as the sources made them: their fields are known. */
  own?: boolean;
}

function value(found: unknown, replace: Replace): unknown {
  if (typeof found === 'string') return replace(found);
  if (Array.isArray(found)) {
    const items = found.map((item) => value(item, replace));
    return items.every((item, i) => item === found[i]) ? found : items;
  }
  return found;
}

/** A copy of the process with a masked command line. It is brought up to date whenever a later pass uses it. */
class Processes {
  readonly #copies = new WeakMap<Process, {copy: Process | undefined; change: Partial<Process>}>();

  constructor(private readonly replace: Replace) {}

  of(process: Process): Process {
    let known = this.#copies.get(process);
    if (!known) {
      const change = this.#change(process);
      known = {copy: change && {...process, ...change}, change: change ?? {}};
      this.#copies.set(process, known);
    }
    if (!known.copy) return process;
    if (known.copy.endTime !== process.endTime || known.copy.exitCode !== process.exitCode) {
      Object.assign(known.copy, process, known.change);
    }
    return known.copy;
  }

  #change(process: Process): Partial<Process> | undefined {
    const cmd = this.replace(process.cmd);
    if (cmd === process.cmd) return undefined;
    const args = process.args.map((arg, i) => {
      const before = process.args[i - 1];
      const joined = before?.startsWith('-') ? `${before} ${arg}` : undefined;
      const masked = joined === undefined ? undefined : this.replace(joined);
      if (masked !== undefined && masked !== joined && masked.startsWith(`${before} `))
        return masked.slice(before!.length + 1);
      return this.replace(arg);
    });
    return {cmd, args, id: `${process.host}-${process.proc}-${cmd.slice(-32)}`};
  }
}

/** Fields of our own whose values cannot hold a secret, and need not be looked at. */
const PLAIN = new Set([
  'proc',
  'pid',
  'fd',
  'op',
  'host',
  'unit',
  'class',
  'domain',
  'protocol',
  'type',
  'local_ip',
  'remote_ip',
  'net.transport',
  'net.protocol',
  'net.host.ip',
  'net.peer.ip',
  'summary',
  'port',
]);
const SKIP = 0;
const SCAN = 1;
const MASK = 2;
const classes = new Map<string, number>();

/** What is to be done with a field, by its name. */
function classOf(name: string): number {
  let found = classes.get(name);
  if (found === undefined) {
    found = PLAIN.has(name) ? SKIP : isSecretField(name) ? MASK : SCAN;
    if (classes.size < 4096) classes.set(name, found);
  }
  return found;
}

/** The one field of events of ours that may hold a secret; null: none does. Other events are looked at field by field. */
const ONLY: Readonly<Record<string, string | null | undefined>> = {
  fs: 'file',
  net: null,
  console: 'message',
  file: 'message',
};

function redactOwn(record: Event, redactor: Redactor): RelayRecord | undefined {
  const only = ONLY[record.sourcetype];
  if (only === undefined) return undefined;
  if (only === null) return record;
  if (record.path !== undefined && redactor.replace(record.path) === record.path) return record;
  const {data} = record;
  if (typeof data === 'string') return undefined;
  const found = data[only];
  if (typeof found !== 'string') return undefined;
  const next = redactor.replace(found);
  return next === found ? record : plainEvent(record, {data: {...data, [only]: next}});
}

function redactFields(record: RelayRecord, redactor: Redactor): RelayRecord {
  if (redactor.own && record.kind === 'event') {
    const done = redactOwn(record, redactor);
    if (done) return done;
  }
  const fields = fieldsOf(record);
  if (!fields) return record;
  let changed: Record<string, unknown> | undefined;
  for (const name in fields) {
    const found = fields[name];
    if (typeof found === 'number' || found === undefined) continue;
    const next = redactField(name, found, redactor);
    if (next === found) continue;
    changed ??= {...fields};
    changed[name] = next;
  }
  return changed ? withFields(record, changed) : record;
}

function redactField(name: string, found: unknown, redactor: Redactor): unknown {
  if (redactor.mask === undefined) return redactor.wants(name) ? value(found, redactor.replace) : found;
  const what = classOf(name);
  if (what === SKIP || !redactor.wants(name)) return found;
  return what === MASK ? redactor.mask : value(found, redactor.replace);
}

function step(redactor: Redactor): Step {
  const processes = redactor.wants('cmd') ? new Processes(redactor.replace) : undefined;
  return (record) => {
    let out = redactFields(record, redactor);
    if (
      out.kind === 'event' &&
      out.writeLine === undefined &&
      typeof out.data === 'string' &&
      redactor.wants('message')
    ) {
      const data = redactor.replace(out.data);
      if (data !== out.data) out = plainEvent(out, {data});
    }
    if (out.kind === 'span' && redactor.wants('name')) {
      const name = redactor.replace(out.name);
      if (name !== out.name) out = {...out, name};
    }
    const process = processes?.of(record.process);
    if (!process || process === record.process) return out;
    return out.kind === 'event' ? plainEvent(out, {process}) : {...out, process};
  };
}

/** The built-in list over everything: what `relay.redact` does. */
export function redactSecrets(mask = '***'): Step {
  return step({replace: (text) => maskSecrets(text, mask), wants: () => true, mask, own: true});
}

/** One `redact:` transform. */
export function redactStep(config: RedactConfig): Step {
  const wants = config.fields ? compilePattern(config.fields) : () => true;
  if (config.pattern === undefined) {
    return step({replace: (text) => maskSecrets(text, config.with), wants, mask: config.with});
  }
  const compiled = RE2JS.compile(config.pattern);
  return step({
    replace: (text) => (compiled.test(text) ? compiled.matcher(text).replaceAll(config.with) : text),
    wants,
  });
}
