// SPDX-License-Identifier: Apache-2.0
/**
 * What living processes have counted since it was last asked, from their channels: for a view that cannot wait for the next
 * summary. Only reads: the relay reports the same counts in its own time.
 */
import {type Channel, openFolder} from '../channel/index.js';
import type {Config} from '../config/index.js';
import type {Metric, Process, RelayRecord} from '../records/types.js';
import {settingsSource} from './compile.js';
import {ProcessImage} from './image.js';
import {describe} from './process-info.js';
import type {Settings} from './settings.js';
import {CounterSource} from './sources/counters.js';
import {ProcessSource, type ProcessState} from './sources/process.js';

/** One process image, as of the last read. */
interface Known {
  process: Process;
  counters: CounterSource['state'];
  usage: ProcessState;
}

export class LiveCounts {
  readonly #dir: string;
  readonly #settings: Settings;
  readonly #now: () => number;
  readonly #since: number;
  #known = new Map<string, Known>();

  /** `now`: seconds since the epoch. Of processes that live already the counts up to now are passed over. */
  constructor(dir: string, config: Config, now: () => number = () => Date.now() / 1000) {
    this.#dir = dir;
    this.#settings = settingsSource(config).base;
    this.#now = now;
    this.#since = now();
    this.read();
  }

  /** Processes of the last read. */
  get pids(): ReadonlySet<number> {
    return new Set([...this.#known.values()].map(({process}) => process.pid));
  }

  /** Metrics since the last read, of each process that lives or ended since; empty when the folder is gone. */
  read(): Metric[] {
    const out: RelayRecord[] = [];
    // Opened anew each time: only who drains channels can let go of those that are over.
    let folder: ReturnType<typeof openFolder>;
    try {
      folder = openFolder(this.#dir);
    } catch {
      return [];
    }
    try {
      const before = this.#known;
      this.#known = new Map();
      for (const channel of folder.channels.values()) {
        if (channel.state === 'empty' || channel.failure !== undefined) continue;
        this.#known.set(channel.path, this.#report(channel, before.get(channel.path), out));
      }
    } finally {
      folder.close();
    }
    return out.filter((record) => record.kind === 'metric');
  }

  #report(channel: Channel, before: Known | undefined, out: RelayRecord[]): Known {
    const process = before?.process ?? describe(channel);
    const passedOver = before === undefined && channel.header.startTime < this.#since;
    const image = new ProcessImage(channel, process, this.#settings, passedOver ? [] : out, undefined);
    const counters = new CounterSource(image);
    const usage = new ProcessSource(image);
    if (before !== undefined) {
      counters.state = before.counters;
      usage.state = before.usage;
    }
    const now = this.#now();
    counters.report(now, false);
    usage.report(now, false);
    return {process, counters: counters.state, usage: usage.state};
  }
}
