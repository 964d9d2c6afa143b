// SPDX-License-Identifier: Apache-2.0
/** Names made of a record's fields: `scope.{kind}`, `{host}-{pid}`. */
import type {RelayRecord} from './types.js';

export const TEMPLATE_FIELDS = [
  'kind',
  'host',
  'pid',
  'proc',
  'user',
  'container',
  'name',
  'source',
  'sourcetype',
] as const;
type Field = (typeof TEMPLATE_FIELDS)[number];

function field(record: RelayRecord, name: Field): string {
  const {process} = record;
  switch (name) {
    case 'kind':
      return record.kind;
    case 'host':
      return process.host;
    case 'pid':
      return String(process.pid);
    case 'proc':
      return process.proc;
    case 'user':
      return process.username;
    case 'container':
      return process.containerId;
    case 'name':
      if (record.kind === 'event') return record.source;
      return record.kind === 'metric' || record.kind === 'span' ? record.name : record.kind;
    case 'source':
      if (record.kind === 'event') return record.source;
      return record.kind === 'metric' || record.kind === 'span' ? record.name : process.proc;
    case 'sourcetype':
      return record.kind === 'event' ? record.sourcetype : record.kind;
  }
}

export interface Template {
  /** Placeholders that are not known. */
  unknown: string[];
  /** The same for all records of one kind of one process. */
  perProcess: boolean;
  render(record: RelayRecord): string;
}

/** Compiles `text`. */
export function compileTemplate(text: string): Template {
  const parts = text.split(/\{([A-Za-z_]+)\}/);
  const names = parts.filter((_, i) => i % 2 === 1);
  const known = (name: string): name is Field => (TEMPLATE_FIELDS as readonly string[]).includes(name);
  return {
    unknown: names.filter((name) => !known(name)),
    perProcess: !names.some((name) => ['name', 'source', 'sourcetype'].includes(name)),
    render(record) {
      let out = parts[0]!;
      for (let i = 1; i < parts.length; i += 2) {
        out += known(parts[i]!) ? field(record, parts[i] as Field) : `{${parts[i]}}`;
        out += parts[i + 1]!;
      }
      return out;
    },
  };
}
