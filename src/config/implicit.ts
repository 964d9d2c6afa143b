// SPDX-License-Identifier: Apache-2.0
/** The transports of AppScope 1.x as exporters and routes, so that one router serves both kinds of file. */
import {fill} from './fill.js';
import {ROOT_SCHEMA} from './schema.js';
import type {Config, ExporterConfig, RecordKind, RouteConfig, TransportConfig} from './types.js';

/** Names that the implicit exporters get; a file cannot give an exporter such a name by accident. */
export const IMPLICIT = {
  metric: 'metric.transport',
  event: 'event.transport',
  cribl: 'cribl.transport',
} as const;

function tlsOf(transport: TransportConfig): Record<string, unknown> | undefined {
  if (!transport.tls.enable) return undefined;
  return {
    insecure_skip_verify: !transport.tls.validateserver,
    ...(transport.tls.cacertpath === '' ? {} : {ca_file: transport.tls.cacertpath}),
  };
}

function ndjson(transport: TransportConfig, extra: Record<string, unknown>): Record<string, unknown> {
  if (transport.type === 'file') return {type: 'file', path: transport.path};
  const tls = tlsOf(transport);
  return {
    type: 'socket',
    protocol: transport.type,
    ...(transport.type === 'unix' ? {path: transport.path} : {}),
    ...(transport.type === 'tcp' || transport.type === 'udp'
      ? {host: transport.host, port: transport.port}
      : {}),
    ...(tls ? {tls} : {}),
    ...extra,
  };
}

function statsd(config: Config, transport: TransportConfig): Record<string, unknown> {
  const {statsdprefix, statsdmaxlen, verbosity} = config.metric.format;
  const prefix = statsdprefix === '' || statsdprefix.endsWith('.') ? statsdprefix : `${statsdprefix}.`;
  if (transport.type === 'file')
    return {type: 'file', path: transport.path, format: 'statsd', prefix, verbosity};
  return {
    type: 'statsd',
    protocol: transport.type === 'edge' ? 'unix' : transport.type,
    ...(transport.path === undefined ? {} : {path: transport.path}),
    host: transport.host,
    ...(transport.port === undefined ? {} : {port: transport.port}),
    prefix,
    max_length: statsdmaxlen,
    verbosity,
  };
}

const exporter = (value: Record<string, unknown>): ExporterConfig =>
  fill({$ref: '#/$defs/exporter'}, value) as ExporterConfig;

function route(kinds: RecordKind[], to: string): RouteConfig {
  return fill(ROOT_SCHEMA.properties!.routes!.items!, {match: {kind: kinds}, to: [to]}) as RouteConfig;
}

/** The configuration with exporters and routes for its transports. */
export function withImplicit(config: Config): Config {
  const exporters: Record<string, ExporterConfig> = {...config.exporters};
  const routes: RouteConfig[] = [];
  const start = {start_message: config.libscope.configevent};
  const cribl = config.cribl.enable ? config.cribl.transport : undefined;
  if (cribl) {
    const token = config.cribl.authtoken === '' ? {} : {authtoken: config.cribl.authtoken};
    exporters[IMPLICIT.cribl] = exporter(
      ndjson(cribl, cribl.type === 'file' ? {} : {start_message: true, ...token}),
    );
    // Payloads go there too, over a connection of their own.
    routes.push(
      route(
        ['metric', 'event', 'start', ...(cribl.type === 'file' ? [] : ['payload' as const])],
        IMPLICIT.cribl,
      ),
    );
  } else {
    const {transport: metrics} = config.metric;
    if (metrics && config.metric.enable) {
      exporters[IMPLICIT.metric] = exporter(
        config.metric.format.type === 'statsd' ? statsd(config, metrics) : ndjson(metrics, {...start}),
      );
      routes.push(
        route(config.metric.format.type === 'statsd' ? ['metric'] : ['metric', 'start'], IMPLICIT.metric),
      );
    }
    const {transport: events} = config.event;
    if (events && config.event.enable) {
      exporters[IMPLICIT.event] = exporter(ndjson(events, {...start}));
      routes.push(route(['event', 'start'], IMPLICIT.event));
    }
  }
  return {...config, exporters, routes: [...routes, ...config.routes]};
}
