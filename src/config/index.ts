// SPDX-License-Identifier: Apache-2.0
/** Configuration: one file, SCOPE_* variables and flags become one checked `Config`. */
export {configFor, filterMatches, type ProcessFacts, withProcessEnvironment} from './custom.js';
export {parseDestination, type TransportInput} from './destination.js';
export {compileDfa, DFA_SIZE} from './dfa.js';
export {configText, type EffectiveValue, effectiveValues} from './effective.js';
export {IMPLICIT} from './implicit.js';
export {
  defaultConfig,
  findFile,
  type Loaded,
  type LoadOptions,
  load,
  loadConfig,
  problems,
  searchPath,
} from './load.js';
export type {Override} from './overrides.js';
export {ConfigError, type Origin, originText, type Problem, problemText} from './problem.js';
export {defaultSessionConfig, withSessionDefaults} from './session-defaults.js';
export type * from './types.js';
export {completeWatch, type EventKind, WATCH_DEFAULTS} from './watch.js';
