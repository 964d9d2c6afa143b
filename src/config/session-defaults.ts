// SPDX-License-Identifier: Apache-2.0
/** What an interactive session has where nobody said otherwise. */
import {type Loaded, load} from './load.js';
import type {Config} from './types.js';

/**
 * Metrics as NDJSON, no binary on the console, payloads in the session's own folder, and no limit of events per second,
 * since its size is limited.
 */
export function withSessionDefaults(loaded: Loaded, payloadDir: string): Config {
  const {config} = loaded;
  const unset = (...path: string[]) => loaded.origin(path).kind === 'default';
  if (unset('metric', 'format', 'type')) config.metric.format.type = 'ndjson';
  if (unset('event', 'format', 'maxeventpersec')) config.event.format.maxeventpersec = 0;
  if (unset('payload', 'dir')) config.payload.dir = payloadDir;
  if (unset('event', 'watch')) {
    for (const watch of config.event.watch) if (watch.type === 'console') watch.allowbinary = false;
  }
  return config;
}

/** The configuration of a session without flag, variable or file. */
export function defaultSessionConfig(payloadDir: string): Config {
  return withSessionDefaults(load({env: {}, cwd: '/', text: '', file: 'defaults'}), payloadDir);
}
