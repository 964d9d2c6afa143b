// SPDX-License-Identifier: Apache-2.0
/** The application's own StatsD metrics, handed on with their names, tags and types. */
import {REC, type RecordCursor} from '../../channel/index.js';
import {parseStatsd, type StatsdSample} from '../../protocol/statsd.js';
import type {Attributes} from '../../records/types.js';
import {detected} from './detect.js';
import type {Image, Source, SourceKind} from './source.js';

/** Gauges whose value is remembered, for `+1|g`. */
const GAUGE_CAP = 10_000;

class StatsdSource implements Source {
  readonly #image: Image;
  readonly #gauges = new Map<string, number>();

  constructor(image: Image) {
    this.#image = image;
  }

  record(record: RecordCursor): void {
    const samples = parseStatsd(record.text());
    if (samples.length === 0) return;
    detected(this.#image, record, 'STATSD');
    const time = this.#image.time(record);
    for (const sample of samples) {
      const attributes: Attributes = {};
      for (const [name, value] of sample.tags) attributes[name] = value;
      const value = this.#value(sample);
      this.#image.sum({name: sample.name, value, type: sample.type, unit: '', attributes, time});
    }
  }

  /** Counters scaled up to what was sampled, changes of gauges added up. */
  #value(sample: StatsdSample): number {
    if (sample.type === 'counter') return sample.value / sample.rate;
    if (sample.type !== 'gauge') return sample.value;
    const key = `${sample.name}|${sample.tags.join('|')}`;
    const value = sample.relative ? (this.#gauges.get(key) ?? 0) + sample.value : sample.value;
    if (this.#gauges.size >= GAUGE_CAP && !this.#gauges.has(key)) this.#gauges.clear();
    this.#gauges.set(key, value);
    return value;
  }
}

export const statsdSource: SourceKind = {
  name: 'statsd',
  types: () => [REC.STATSD],
  create: (image) =>
    image.settings.metrics.enabled && image.settings.metrics.watch.has('statsd')
      ? new StatsdSource(image)
      : undefined,
};
