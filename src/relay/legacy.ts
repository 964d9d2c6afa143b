// SPDX-License-Identifier: Apache-2.0
/** The configuration as AppScope 1.x shows it in start messages: booleans and ports are strings. */
import type {Config, EventWatchConfig, TransportConfig} from '../config/types.js';

const text = (value: boolean): string => (value ? 'true' : 'false');

function transport(
  config: TransportConfig | undefined,
  fallback: Record<string, unknown>,
): Record<string, unknown> {
  if (config === undefined) return fallback;
  const {type, host, port, path, buffering, tls} = config;
  switch (type) {
    case 'tcp':
    case 'udp':
      return {
        type,
        host,
        port: String(port ?? ''),
        tls: {
          enable: text(tls?.enable ?? false),
          validateserver: text(tls?.validateserver ?? true),
          cacertpath: tls?.cacertpath ?? '',
        },
      };
    case 'unix':
      return {type, path};
    case 'file':
      return {type, path, buffering: buffering ?? 'line'};
    default:
      return {type};
  }
}

function watchEntry(entry: EventWatchConfig): Record<string, unknown> {
  const {type, name, field, value} = entry;
  const out: Record<string, unknown> = {type, name, field, value};
  if (type === 'http') out.headers = entry.headers;
  if (type === 'dns' && entry.mdns) out.mdns = text(entry.mdns);
  if (type === 'console') out.allowbinary = text(entry.allowbinary);
  return out;
}

/** The value of `current`. Destinations that are not given stand as files of the session. */
export function legacyConfiguration(
  config: Pick<Config, 'metric' | 'event' | 'payload' | 'libscope' | 'cribl' | 'tags' | 'protocol'>,
  watches: readonly EventWatchConfig[],
): Record<string, unknown> {
  const {metric, event, payload, libscope, cribl, tags, protocol} = config;
  const file = (path: string) => ({type: 'file', path, buffering: 'line'});
  return {
    metric: {
      enable: text(metric.enable),
      transport: transport(metric.transport, file('metrics.json')),
      format: {
        type: metric.format.type,
        statsdprefix: metric.format.statsdprefix,
        statsdmaxlen: metric.format.statsdmaxlen,
        verbosity: metric.format.verbosity,
      },
      watch: metric.watch.map(({type}) => ({type})),
    },
    libscope: {
      log: {level: libscope.log.level, transport: transport(libscope.log.transport, file('relay.log'))},
      snapshot: {
        coredump: text(libscope.snapshot.coredump),
        backtrace: text(libscope.snapshot.backtrace),
      },
      configevent: text(libscope.configevent),
      summaryperiod: libscope.summaryperiod,
      commanddir: libscope.commanddir,
    },
    event: {
      enable: text(event.enable),
      transport: transport(event.transport, file('events.json')),
      format: {
        type: event.format.type,
        maxeventpersec: event.format.maxeventpersec,
        enhancefs: text(event.format.enhancefs),
      },
      watch: watches.map(watchEntry),
    },
    payload: {enable: text(payload.enable), dir: payload.dir},
    tags,
    protocol: protocol.map(({name, regex, binary, len, detect, payload: capture}) => ({
      name,
      regex,
      binary: text(binary ?? false),
      len: len ?? 0,
      detect: text(detect ?? true),
      payload: text(capture ?? false),
    })),
    cribl: {
      enable: text(cribl.enable),
      transport: transport(cribl.transport, {type: 'edge'}),
      authtoken: cribl.authtoken,
    },
  };
}
