// SPDX-License-Identifier: Apache-2.0
/** Transforms on fields: drop, keep, rename, add. */
import type {RelayRecord} from '../records/types.js';
import {fieldsOf, withFields} from './fields.js';
import {compilePattern} from './pattern.js';

/** One step: the record, changed or not; undefined drops it. */
export type Step = (record: RelayRecord) => RelayRecord | undefined;

function filter(wanted: (name: string) => boolean): Step {
  return (record) => {
    const fields = fieldsOf(record);
    if (!fields) return record;
    const names = Object.keys(fields);
    if (names.every(wanted)) return record;
    return withFields(record, Object.fromEntries(names.filter(wanted).map((name) => [name, fields[name]])));
  };
}

export function dropStep(names: readonly string[]): Step {
  const test = compilePattern(names);
  return filter((name) => !test(name));
}

export function keepStep(names: readonly string[]): Step {
  return filter(compilePattern(names));
}

/** A name that is taken is replaced: the renamed field keeps its place. */
export function renameStep(names: Readonly<Record<string, string>>): Step {
  const to = new Map(Object.entries(names));
  return (record) => {
    const fields = fieldsOf(record);
    if (!fields) return record;
    const old = Object.keys(fields);
    if (!old.some((name) => to.has(name))) return record;
    const taken = new Set(old.flatMap((name) => to.get(name) ?? []));
    const kept = old.filter((name) => to.has(name) || !taken.has(name));
    return withFields(record, Object.fromEntries(kept.map((name) => [to.get(name) ?? name, fields[name]])));
  };
}

export function addStep(values: Readonly<Record<string, string | number | boolean>>): Step {
  return (record) => {
    const fields = fieldsOf(record);
    return fields ? withFields(record, {...fields, ...values}) : record;
  };
}
