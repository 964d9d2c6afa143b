// SPDX-License-Identifier: Apache-2.0
/** How the relay makes an exporter from its configuration: each src/exporters/<name>/index.ts exports `createExporter`. */
import type {Clock} from '../base/clock.js';
import type {Exporter} from './exporter.js';

/** What an exporter may know of the relay it is part of. */
export interface ExporterContext {
  /** The exporter's key in the configuration. */
  name: string;
  clock: Clock;
  /** Version of this program, for scope and user-agent fields. */
  version: string;
  /** Host the relay runs on. */
  host: string;
  /** For rare happenings a person should read; never one line per record. */
  log(message: string): void;
}

/** Throws ScopeError SCOPE_CONFIG_INVALID for values that the schema cannot rule out. */
export type CreateExporter<Config> = (config: Config, context: ExporterContext) => Exporter;
