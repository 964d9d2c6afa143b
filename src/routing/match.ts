// SPDX-License-Identifier: Apache-2.0
/** Conditions of routes as functions over records. */
import type {MatchConfig} from '../config/index.js';
import type {Process, RelayRecord} from '../records/types.js';
import {compilePattern, type Test} from './pattern.js';

export type Condition = (record: RelayRecord) => boolean;

const PROCESS_TEXT: Record<string, (process: Process) => string> = {
  proc: (process) => process.proc,
  cmd: (process) => process.cmd,
  exe: (process) => process.exe,
  host: (process) => process.host,
  user: (process) => process.username,
  container: (process) => process.containerId,
  pid: (process) => String(process.pid),
};

/** Conditions on the process are asked once for each process. */
function onProcess(test: (process: Process) => boolean): Condition {
  const known = new WeakMap<Process, boolean>();
  return ({process}) => {
    let answer = known.get(process);
    if (answer === undefined) {
      answer = test(process);
      known.set(process, answer);
    }
    return answer;
  };
}

/** A field of the record as text; undefined when it has none of this name. */
export function fieldText(record: RelayRecord, name: string): string | undefined {
  let value: unknown;
  if (record.kind === 'metric' || record.kind === 'span') value = own(record.attributes, name);
  else if (record.kind === 'event') {
    if (typeof record.data === 'string') value = name === 'message' ? record.data : undefined;
    else value = own(record.data, name);
  } else if (record.kind === 'payload') value = name === 'protocol' ? record.protocol : undefined;
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : Array.isArray(value) ? value.join(',') : String(value);
}

function own(fields: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

function onName(test: Test): Condition {
  return (record) => {
    if (record.kind === 'metric' || record.kind === 'span') return test(record.name);
    return record.kind === 'event' && test(record.source);
  };
}

function onField(name: string, test: Test): Condition {
  return (record) => {
    const text = fieldText(record, name);
    return text !== undefined && test(text);
  };
}

/** Cheap conditions first. */
function conditions(match: MatchConfig): Condition[] {
  const found: Condition[] = [];
  if (match.kind !== undefined) {
    const kinds = new Set<string>([match.kind].flat());
    const only = kinds.size === 1 ? [...kinds][0] : undefined;
    found.push(only === undefined ? (record) => kinds.has(record.kind) : (record) => record.kind === only);
  }
  if (match.sourcetype !== undefined) {
    const test = compilePattern(match.sourcetype);
    found.push((record) => record.kind === 'event' && test(record.sourcetype));
  }
  for (const [key, text] of Object.entries(PROCESS_TEXT)) {
    const pattern = match[key as 'proc'];
    if (pattern === undefined) continue;
    const test = compilePattern(pattern);
    found.push(onProcess((process) => test(text(process))));
  }
  if (match.name !== undefined) found.push(onName(compilePattern(match.name)));
  if (match.source !== undefined) {
    const test = compilePattern(match.source);
    found.push((record) => record.kind === 'event' && test(record.source));
  }
  for (const [name, pattern] of Object.entries(match.tag ?? {})) {
    const test = compilePattern(pattern);
    found.push(({process}) => Object.hasOwn(process.tags, name) && test(process.tags[name]!));
  }
  for (const [name, pattern] of Object.entries(match.attributes ?? {}))
    found.push(onField(name, compilePattern(pattern)));
  return found;
}

/** The condition that a `match:` stands for; undefined: everything matches. */
export function compileMatch(match: MatchConfig): Condition | undefined {
  const every = conditions(match);
  for (const inner of match.all ?? []) {
    const condition = compileMatch(inner);
    if (condition) every.push(condition);
  }
  if (match.any) {
    const some = match.any.map(compileMatch);
    if (some.every((condition) => condition !== undefined)) {
      every.push((record) => some.some((condition) => condition(record)));
    }
  }
  if (match.not) {
    const inner = compileMatch(match.not);
    every.push(inner ? (record) => !inner(record) : () => false);
  }
  if (every.length === 0) return undefined;
  if (every.length === 1) return every[0];
  return (record) => {
    for (const condition of every) if (!condition(record)) return false;
    return true;
  };
}

/** Whether the answer is the same for all records of one kind, source type and process. */
export function isFixed(match: MatchConfig): boolean {
  if (match.name !== undefined || match.source !== undefined) return false;
  if (Object.keys(match.attributes ?? {}).length > 0) return false;
  const inner = [...(match.all ?? []), ...(match.any ?? []), ...(match.not ? [match.not] : [])];
  return inner.every(isFixed);
}
