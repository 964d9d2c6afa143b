// SPDX-License-Identifier: Apache-2.0
/** The settings of processes as they change with a reload, and what the library has to know of them. */
import type {Control} from '../../channel/index.js';
import {type Config, compileDfa, type DeepPartial, WATCH_DEFAULTS} from '../../config/index.js';
import {settingsSource} from '../compile.js';
import type {Settings, SettingsSource} from '../settings.js';
import {controlOf} from '../want.js';

/** A source that can be exchanged: images that begin afterwards have the new settings. */
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

/** The file-name automaton for everything any process may watch: the relay looks closer. */
export function fileWatch(config: Config): Uint8Array {
  const overlays = Object.values(config.custom).map((entry) => entry.config as DeepPartial<Config>);
  const names = [config, ...overlays].flatMap((part) =>
    (part.event?.watch ?? []).flatMap((watch) =>
      watch.type === 'file' ? [watch.name ?? WATCH_DEFAULTS.file.name] : [],
    ),
  );
  return compileDfa([...new Set(names)]);
}

/** The control block of the hub. */
export function hubControl(config: Config, settings: Settings): Partial<Control> {
  return {...controlOf(settings), wait: config.relay.wait};
}

/** Whether the parts about processes differ: those a reload gives to processes that start afterwards. */
export function processPartsDiffer(a: Config, b: Config): boolean {
  const part = ({metric, event, payload, libscope, tags, protocol, custom}: Config): string =>
    JSON.stringify([metric, event, payload, libscope, tags, protocol, custom]);
  return part(a) !== part(b);
}
