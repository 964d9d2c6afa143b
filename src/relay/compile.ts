// SPDX-License-Identifier: Apache-2.0
/** From the configuration to the settings of each process: filters compiled, `custom:` entries laid over. */
import {RE2JS} from 're2js';
import {
  type Config,
  completeWatch,
  configFor,
  type EventWatchConfig,
  WATCH_DEFAULTS,
  withProcessEnvironment,
} from '../config/index.js';
import {legacyConfiguration} from './legacy.js';
import type {EventWatch, Matcher, Settings, SettingsSource} from './settings.js';

/** The parts that are about a process. */
const PARTS = ['metric', 'event', 'payload', 'libscope', 'cribl', 'tags', 'protocol'] as const;
export type ProcessConfig = Pick<Config, (typeof PARTS)[number]>;
/** Sets of settings that are kept: each process may bring its own by its environment. */
const SETTINGS_KEPT = 256;

/** Expressions of our own defaults: linear in JavaScript's engine, and faster there. */
const OWN = new Set(Object.values(WATCH_DEFAULTS).flatMap((watch) => [watch.name, watch.field, watch.value]));

/** Compiles an expression that is searched for; undefined: it accepts everything. */
export function compileMatcher(expression: string): Matcher | undefined {
  if (expression === '.*' || expression === '') return undefined;
  if (OWN.has(expression)) {
    const own = new RegExp(expression);
    return (text) => own.test(text);
  }
  const compiled = RE2JS.compile(expression);
  return (text) => compiled.matcher(text).find();
}

function compileWatch(entry: EventWatchConfig): EventWatch {
  return {
    name: compileMatcher(entry.name),
    field: compileMatcher(entry.field),
    value: compileMatcher(entry.value),
  };
}

/** What the destinations take beside events and plain metrics. */
type Wants = Pick<Settings, 'spans' | 'conventions'>;
const NOTHING: Wants = {spans: false, conventions: false};

/** Settings of a whole configuration, its `custom:` entries aside. */
export function compileSettings(config: ProcessConfig, wants: Wants = NOTHING): Settings {
  const {metric, event, payload, libscope, tags} = config;
  const watches = event.watch.map(completeWatch);
  const watch: Settings['events']['watch'] = {};
  for (const entry of watches) watch[entry.type] = compileWatch(entry);
  const http = watches.findLast((entry) => entry.type === 'http');
  return {
    metrics: {
      enabled: metric.enable,
      verbosity: Math.min(9, Math.max(0, metric.format.verbosity)),
      watch: new Set(metric.watch.map((entry) => entry.type)),
    },
    events: {
      enabled: event.enable,
      maxPerSec: event.format.maxeventpersec,
      enhanceFs: event.format.enhancefs,
      watch,
      headers: (http?.headers ?? []).map((header) => compileMatcher(header) ?? (() => true)),
      allowBinary: watches.findLast((entry) => entry.type === 'console')?.allowbinary ?? true,
      mdns: watches.some((entry) => entry.type === 'dns' && entry.mdns),
    },
    payload: {enabled: payload.enable, dir: payload.dir},
    ...wants,
    summaryPeriod: Math.max(1, libscope.summaryperiod),
    startMessage: libscope.configevent,
    tags,
    protocols: config.protocol,
    configuration: {current: legacyConfiguration(config, watches)},
  };
}

/** Only OTLP has a form for spans; files and sockets write records of every kind that they know. */
function takesSpans(exporter: Config['exporters'][string]): boolean {
  return exporter.type === 'otlp' && exporter.signals.includes('traces');
}

function usesConventions(exporter: Config['exporters'][string]): boolean {
  if (exporter.type === 'otlp') return exporter.signals.includes('metrics');
  return exporter.type === 'prometheus' && exporter.names === 'semconv';
}

/** Settings of each process; processes with the same configuration share one object. */
export function settingsSource(config: Config): SettingsSource {
  const exporters = Object.values(config.exporters);
  const wants = {spans: exporters.some(takesSpans), conventions: exporters.some(usesConventions)};
  const base = compileSettings(config, wants);
  const made = new Map<string, Settings>();
  return {
    base,
    of(facts) {
      const own = withProcessEnvironment(configFor(config, facts), facts.env);
      if (own === config) return base;
      const key = JSON.stringify(PARTS.map((part) => own[part]));
      let settings = made.get(key);
      if (settings === undefined) {
        settings = compileSettings(own, wants);
        if (made.size >= SETTINGS_KEPT) made.clear();
        made.set(key, settings);
      }
      return settings;
    },
  };
}
