// SPDX-License-Identifier: Apache-2.0
/** Prometheus remote write 1.0: series as snappy-compressed protobuf. */
import {compress} from 'snappyjs';
import type {PrometheusExporterRemoteWriteConfig} from '../../config/types.js';
import {authorization, createHttpClient, parseUrl, refusal} from '../../delivery/http.js';
import {tlsOptions} from '../../delivery/tls.js';
import {ProtoWriter} from '../../records/otlp/proto.js';
import type {Series} from '../../records/series.js';
import {familyName, labelsOf, renderNumber} from './names.js';

/** One series with one sample; `value` undefined: the mark that ends a series. */
interface Sample {
  labels: [string, string][];
  value: number | undefined;
}

/** The NaN that Prometheus takes as "this series has ended". */
const STALE_NAN = 0x7ff0000000000002n;
const SERIES_PER_REQUEST = 2000;

function* samplesOf(
  series: Series,
  prefix: string,
  fixed: Record<string, string>,
  ended: boolean,
): Generator<Sample> {
  const name = familyName(series.point, prefix);
  const labels = labelsOf(series.process, series.attributes, fixed);
  const sample = (suffix: string, value: number, more: [string, string][] = []): Sample => ({
    labels: [['__name__', name + suffix], ...labels, ...more],
    value: ended ? undefined : value,
  });
  const {buckets} = series;
  if (buckets === undefined) {
    yield sample(series.point.instrument === 'counter' ? '_total' : '', series.value);
    return;
  }
  let sum = 0;
  for (let i = 0; i < buckets.counts.length; i++) {
    sum += buckets.counts[i]!;
    yield sample('_bucket', sum, [['le', renderNumber(buckets.bounds[i] ?? Infinity)]]);
  }
  yield sample('_sum', buckets.sum);
  yield sample('_count', sum);
}

function writeSample(out: ProtoWriter, {labels, value}: Sample, time: number): void {
  const series = out.begin(0x0a);
  labels.sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, text] of labels) {
    const label = out.begin(0x0a);
    out.text(0x0a, name);
    out.text(0x12, text);
    out.end(label);
  }
  const sample = out.begin(0x12);
  if (value === undefined) {
    out.double(0x09, 0);
    out.buffer.writeBigUInt64LE(STALE_NAN, out.length - 8);
  } else out.double(0x09, value);
  out.byte(0x10);
  out.int64(time);
  out.end(sample);
  out.end(series);
}

export interface WriteRequest {
  bytes: Buffer;
  /** Series of ours in it. */
  count: number;
}

/** Requests that carry the present values of `touched` and the end of `ended`. */
export function encodeWrites(
  touched: Iterable<Series>,
  ended: Iterable<Series>,
  settings: {prefix: string; labels: Record<string, string>; timeOf(series: Series): number},
): WriteRequest[] {
  const requests: WriteRequest[] = [];
  const out = new ProtoWriter();
  let count = 0;
  const finish = (): void => {
    if (count === 0) return;
    requests.push({bytes: Buffer.from(compress(out.view())), count});
    out.length = 0;
    count = 0;
  };
  const add = (series: Series, isEnd: boolean): void => {
    const time = settings.timeOf(series);
    for (const sample of samplesOf(series, settings.prefix, settings.labels, isEnd))
      writeSample(out, sample, time);
    if (++count >= SERIES_PER_REQUEST) finish();
  };
  for (const series of touched) add(series, false);
  for (const series of ended) add(series, true);
  finish();
  return requests;
}

export function createRemoteWriter(
  config: PrometheusExporterRemoteWriteConfig,
  key: string,
  userAgent: string,
) {
  const url = parseUrl(config.url, `${key}.url`);
  const client = createHttpClient(tlsOptions(config.tls, url.protocol === 'https:'));
  return {
    /** Undefined: taken. */
    async send(bytes: Uint8Array, signal: AbortSignal) {
      try {
        const headers = {
          'user-agent': userAgent,
          'content-type': 'application/x-protobuf',
          'content-encoding': 'snappy',
          'x-prometheus-remote-write-version': '0.1.0',
          ...config.headers,
          ...authorization(config.auth),
        };
        return refusal(await client.post(url, headers, bytes, signal), Date.now());
      } catch (error) {
        return {outcome: 'retryable' as const, reason: (error as Error).message};
      }
    },
    close: () => client.close(),
  };
}
