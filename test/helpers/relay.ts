// SPDX-License-Identifier: Apache-2.0
/** A pipeline over channels in memory, and what it made. */
import {loadConfig} from '../../src/config/index.js';
import type {Event, Metric, RelayRecord} from '../../src/records/types.js';
import {settingsSource} from '../../src/relay/compile.js';
import {Pipeline} from '../../src/relay/pipeline.js';
import {NEW_STATE, type RelayState} from '../../src/relay/state.js';
import {EPOCH, type MemoryFolder, memoryFolder} from './channel-records.js';

export interface TestRelay {
  folder: MemoryFolder;
  pipeline: Pipeline;
  records: RelayRecord[];
  events(source?: string): Event[];
  metrics(name?: string): Metric[];
  /** States given to commit(). */
  states: RelayState[];
  /** Seconds since the epoch; the pipeline's clock. */
  time: number;
  /** Passes, then commits. */
  run(): void;
}

/** A relay with the configuration of a YAML text. */
export function testRelay(
  text = '',
  state: RelayState = NEW_STATE,
  folder = memoryFolder(),
  linesOnly = false,
): TestRelay {
  const config = loadConfig({text, file: 'test', env: {}, cwd: '/'});
  const records: RelayRecord[] = [];
  const states: RelayState[] = [];
  const relay: TestRelay = {
    folder,
    records,
    states,
    time: EPOCH + 10,
    pipeline: new Pipeline({
      folder,
      settings: settingsSource(config),
      state,
      now: () => relay.time,
      sink: {
        linesOnly,
        append: (made) => records.push(...made),
        commit: (_position, saved) => states.push(saved),
      },
    }),
    events: (source) =>
      records.filter((r): r is Event => r.kind === 'event' && (source === undefined || r.source === source)),
    metrics: (name) =>
      records.filter((r): r is Metric => r.kind === 'metric' && (name === undefined || r.name === name)),
    run() {
      while (relay.pipeline.pass()) {
        // More is waiting.
      }
      relay.pipeline.commit();
    },
  };
  return relay;
}
