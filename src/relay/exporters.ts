// SPDX-License-Identifier: Apache-2.0
/** The exporters by type; each is loaded when the configuration has one of it. */
import type {ExporterConfig} from '../config/index.js';
import type {CreateExporter, ExporterContext} from '../delivery/context.js';
import type {Exporter} from '../delivery/exporter.js';

type Type = ExporterConfig['type'];
type Loaders = {
  [T in Type]: () => Promise<{createExporter: CreateExporter<Extract<ExporterConfig, {type: T}>>}>;
};

const LOADERS: Loaders = {
  otlp: () => import('../exporters/otlp/index.js'),
  kafka: () => import('../exporters/kafka/index.js'),
  prometheus: () => import('../exporters/prometheus/index.js'),
  splunk: () => import('../exporters/splunk/index.js'),
  statsd: () => import('../exporters/statsd/index.js'),
  file: () => import('../exporters/file/index.js'),
  socket: () => import('../exporters/socket/index.js'),
};

/** Makes the exporter. Throws a ScopeError SCOPE_CONFIG_INVALID for what the schema could not rule out. */
export async function loadExporter(config: ExporterConfig, context: ExporterContext): Promise<Exporter> {
  const load = LOADERS[config.type] as () => Promise<{createExporter: CreateExporter<ExporterConfig>}>;
  return (await load()).createExporter(config, context);
}
