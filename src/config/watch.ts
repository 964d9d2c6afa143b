// SPDX-License-Identifier: Apache-2.0
/** Kinds of events and metrics that can be watched, and what each watches when the configuration does not say. */
import type {EventWatchConfig} from './types.js';

export type EventKind = EventWatchConfig['type'];

const ALL = {name: '.*', field: '.*', value: '.*'} as const;

export const WATCH_DEFAULTS: Record<EventKind, {name: string; field: string; value: string}> = {
  file: {...ALL, name: '(\\/logs?\\/)|(\\.log$)|(\\.log[.\\d])'},
  console: {...ALL, name: '(stdout)|(stderr)'},
  syslog: ALL,
  metric: {...ALL, field: '^[^h]+'},
  http: ALL,
  net: ALL,
  fs: ALL,
  dns: ALL,
};

/** The entry with the defaults of its kind. */
export function completeWatch(entry: Partial<EventWatchConfig> & {type: EventKind}): EventWatchConfig {
  const own = WATCH_DEFAULTS[entry.type];
  return {
    type: entry.type,
    name: entry.name ?? own.name,
    field: entry.field ?? own.field,
    value: entry.value ?? own.value,
    headers: entry.headers ?? [],
    allowbinary: entry.allowbinary ?? true,
    mdns: entry.mdns ?? false,
  };
}
