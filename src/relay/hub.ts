// SPDX-License-Identifier: Apache-2.0
/**
 * What a channel folder's hub tells new processes to record. It is the union of what any process could need: the relay
 * narrows a channel once it knows whose it is, and leaves out itself what came until then.
 */
import type {Control, HubOptions} from '../channel/index.js';
import {type Config, compileDfa, configFor, WATCH_DEFAULTS} from '../config/index.js';
import {compileSettings} from './compile.js';
import {controlOf} from './want.js';

/** The configuration, and what it becomes with each `custom:` entry alone. */
function variants(config: Config): Config[] {
  const facts = {
    proc: 'x',
    cmd: '',
    host: '',
    username: '',
    variable: () => undefined,
    ancestors: () => [],
  };
  const entries = Object.values(config.custom);
  const alone = entries.map((entry) =>
    configFor({...config, custom: {x: {filter: {procname: 'x'}, config: entry.config}}}, facts),
  );
  return [config, ...alone];
}

/** Expressions for the names of files whose text may be wanted. */
function filePatterns(configs: readonly Config[]): string[] {
  const patterns = new Set<string>();
  for (const {event} of configs) {
    if (!event.enable) continue;
    for (const {type, name} of event.watch) {
      if (type === 'file' || (type === 'console' && name !== WATCH_DEFAULTS.console.name)) patterns.add(name);
    }
  }
  return [...patterns];
}

/** Control block and file watch for a configuration. */
export function hubOptions(config: Config): Required<Pick<HubOptions, 'fileWatch'>> & {
  control: Pick<Control, 'want' | 'maxPerSec' | 'wait'>;
} {
  const configs = variants(config);
  const controls = configs.map((one) => controlOf(compileSettings(one)));
  const want = controls.reduce((sum, one) => sum | one.want, 0);
  const limits = controls.map((one) => one.maxPerSec);
  // 0 is no limit, and wins.
  const maxPerSec = limits.includes(0) ? 0 : Math.max(...limits);
  return {control: {want, maxPerSec, wait: config.relay.wait}, fileWatch: compileDfa(filePatterns(configs))};
}
