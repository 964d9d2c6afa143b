// SPDX-License-Identifier: Apache-2.0
/** The settings of processes as they change with a reload. */
import type {Config} from '../../config/index.js';
import {settingsSource} from '../compile.js';
import type {Settings, SettingsSource} from '../settings.js';

/** A source that can be exchanged; living images are told by Pipeline.reconfigure(). */
export class ChangingSettings implements SettingsSource {
  #current: SettingsSource;

  constructor(config: Config) {
    this.#current = settingsSource(config);
  }

  get base(): Settings {
    return this.#current.base;
  }

  of(facts: Parameters<SettingsSource['of']>[0]): Settings {
    return this.#current.of(facts);
  }

  change(config: Config): void {
    this.#current = settingsSource(config);
  }
}

/** Whether the parts about processes differ. */
export function processPartsDiffer(a: Config, b: Config): boolean {
  const part = ({metric, event, payload, libscope, tags, protocol, custom}: Config): string =>
    JSON.stringify([metric, event, payload, libscope, tags, protocol, custom]);
  return part(a) !== part(b);
}
