// SPDX-License-Identifier: Apache-2.0
/** What the relay makes for one process, compiled from the configuration: enabled kinds, filters, verbosity, tags. */
import type {ProcessFacts} from '../config/index.js';
import type {MetricWatch} from '../records/names.js';
import type {SourceType} from '../records/types.js';

/** Whether a text matches a configured expression. */
export type Matcher = (text: string) => boolean;

/** An entry of `event.watch`; a filter that accepts everything is undefined. */
export interface EventWatch {
  /** On the event's source: name of the event, path, stdout, stderr. */
  name?: Matcher;
  /** On each key of `data`: others are left out. */
  field?: Matcher;
  /** On the values of `data`: one must match. */
  value?: Matcher;
}

/** A user's entry of `protocol:`. */
export interface ProtocolDefinition {
  name: string;
  regex: string;
  binary: boolean;
  len: number;
  detect: boolean;
  payload: boolean;
}

export interface Settings {
  metrics: {
    enabled: boolean;
    /** 0 … 9 */
    verbosity: number;
    watch: ReadonlySet<MetricWatch>;
  };
  events: {
    enabled: boolean;
    /** Of one process per second, 0: no limit. */
    maxPerSec: number;
    /** Owner and mode in fs events. */
    enhanceFs: boolean;
    /** Only kinds that are on. */
    watch: Partial<Record<SourceType, EventWatch>>;
    /** Of `watch` type http: further header fields, matched against `Name: value`. */
    headers: readonly Matcher[];
    /** Of `watch` type console: text that is not printable is shown as it is. */
    allowBinary: boolean;
    /** Of `watch` type dns: multicast, too. */
    mdns: boolean;
  };
  payload: {enabled: boolean; dir: string};
  /** Whether anything takes spans. */
  spans: boolean;
  /** Whether a destination uses OpenTelemetry's names: metrics then have parts. */
  conventions: boolean;
  /** Seconds. */
  summaryPeriod: number;
  /** A start message for each process. */
  startMessage: boolean;
  tags: Readonly<Record<string, string>>;
  protocols: readonly ProtocolDefinition[];
  /** The effective configuration in the start message: `{current: …}`. */
  configuration: Record<string, unknown>;
}

/** What decides about a process's settings. */
export interface Facts extends ProcessFacts {
  /** Variables of its environment that the library handed over. */
  env: Readonly<Record<string, string>>;
}

/** The settings of each process: the base, with the `custom:` entries that match it. */
export interface SettingsSource {
  readonly base: Settings;
  of(facts: Facts): Settings;
}

/** Whether events of a kind are made. */
export function eventsOn(settings: Settings, type: SourceType): boolean {
  return settings.events.enabled && settings.events.watch[type] !== undefined;
}

/** Whether metrics of a kind are made. */
export function metricsOn(settings: Settings, watch: MetricWatch): boolean {
  return settings.metrics.enabled && settings.metrics.watch.has(watch);
}
