// SPDX-License-Identifier: Apache-2.0
/** Exporter `prometheus`: a page to be scraped, remote write, or both, over sums kept here. */
import type {PrometheusExporterConfig} from '../../config/types.js';
import type {ExporterContext} from '../../delivery/context.js';
import type {PlainExporter, SendResult} from '../../delivery/exporter.js';
import {toOwnPoints, toPoints} from '../../records/points.js';
import {createSeriesStore, type Series} from '../../records/series.js';
import type {Metric, Process, RelayRecord, Span} from '../../records/types.js';
import {type Exemplar, renderPage} from './page.js';
import {createRemoteWriter, encodeWrites, type WriteRequest} from './remote-write.js';
import {createScrapeServer} from './server.js';

const IDLE_MS = 3_600_000;

/** A batch is added up once; only its requests are repeated. */
interface Progress {
  batch: readonly RelayRecord[];
  requests: WriteRequest[];
  next: number;
  rejected: number;
  reason: string | undefined;
}

/** Series are told apart by what their labels show: a process with the pid and name of an earlier one goes on with its sums. */
function identity(process: Process): string {
  return `${process.host}\0${process.proc}\0${process.pid}\0${process.containerId}`;
}

export interface PrometheusExporter extends PlainExporter {
  /** host:port of the scrape endpoint once started. */
  readonly address: string | undefined;
}

export function createExporter(
  config: PrometheusExporterConfig,
  context: ExporterContext,
): PrometheusExporter {
  const pointsOf = config.names === 'semconv' ? toPoints : toOwnPoints;
  const labels = config.labels ?? {};
  const store = createSeriesStore({
    maxSeries: config.max_series,
    endedMs: config.stale_after,
    idleMs: IDLE_MS,
    keyOf: identity,
  });
  const key = `exporters.${context.name}.remote_write`;
  const writer =
    config.remote_write === undefined
      ? undefined
      : createRemoteWriter(config.remote_write, key, `appscope/${context.version}`);
  const ended: Series[] = [];
  const written = new WeakMap<Series, number>();
  const exemplars = new WeakMap<Process, Map<string, Exemplar>>();
  let invalid = 0;
  let progress: Progress | undefined;

  function sweep(): void {
    store.sweep(context.clock.now(), (series) => {
      if (writer !== undefined) ended.push(series);
    });
  }

  function render(openMetrics: boolean): string {
    sweep();
    const settings = {
      prefix: config.prefix,
      labels,
      openMetrics,
      ...(config.exemplars
        ? {exemplar: (series: Series) => exemplars.get(series.process)?.get(series.point.name)}
        : {}),
    };
    return renderPage(store.values(), settings, [
      {name: 'appscope_relay_series', help: 'Series on this page', type: 'gauge', value: store.size},
      {
        name: 'appscope_relay_series_refused',
        help: 'Records left out because max_series was reached',
        type: 'counter',
        value: store.over,
      },
      {
        name: 'appscope_relay_records_invalid',
        help: 'Records with values that are no numbers',
        type: 'counter',
        value: invalid,
      },
    ]);
  }

  const server =
    config.listen === undefined
      ? undefined
      : createScrapeServer(
          {listen: config.listen, path: config.path, ...(config.tls === undefined ? {} : {tls: config.tls})},
          render,
        );

  function remember(span: Span): void {
    if (span.role === 'internal') return;
    let found = exemplars.get(span.process);
    if (found === undefined) {
      found = new Map();
      exemplars.set(span.process, found);
    }
    const value = span.endTime - span.startTime;
    const {traceId, spanId, endTime: time} = span;
    found.set(`http.${span.role}.request.duration`, {traceId, spanId, value, time});
  }

  /** Milliseconds of the sample: receivers refuse a second one with the same time. */
  function timeOf(series: Series): number {
    const time = Math.max(Math.round(series.time * 1000), (written.get(series) ?? 0) + 1);
    written.set(series, time);
    return time;
  }

  function begin(batch: readonly RelayRecord[]): Progress {
    const touched = new Set<Series>();
    const state: Progress = {batch, requests: [], next: 0, rejected: 0, reason: undefined};
    const now = context.clock.now();
    sweep();
    for (const record of batch) {
      if (record.kind === 'span') remember(record);
      else if (record.kind === 'metric') add(record, now, touched, state);
    }
    if (writer !== undefined) {
      state.requests = encodeWrites(touched, ended.splice(0), {prefix: config.prefix, labels, timeOf});
    }
    return state;
  }

  function add(metric: Metric, now: number, touched: Set<Series>, state: Progress): void {
    let reason: string | undefined;
    for (const point of pointsOf(metric)) {
      const added = store.add(metric, point, now);
      if (added === 'invalid') reason = 'values that are no numbers';
      else if (added === 'over') reason ??= `more than ${config.max_series} series (max_series)`;
      else touched.add(added.series);
    }
    if (reason === undefined) return;
    if (reason === 'values that are no numbers') invalid++;
    state.rejected++;
    state.reason = reason;
  }

  return {
    type: 'prometheus',
    get address() {
      return server?.address;
    },
    accepts: (record) => record.kind === 'metric' || (record.kind === 'span' && config.exemplars),
    async start() {
      await server?.start();
    },
    async send(batch, signal): Promise<SendResult> {
      if (progress?.batch !== batch) progress = begin(batch);
      const state = progress;
      for (; state.next < state.requests.length; state.next++) {
        const request = state.requests[state.next]!;
        const refused = await writer!.send(request.bytes, signal);
        if (refused?.outcome === 'retryable') return refused;
        if (refused !== undefined) {
          state.rejected += request.count;
          state.reason = refused.reason;
        }
      }
      progress = undefined;
      const reason = state.reason === undefined ? {} : {reason: state.reason};
      return {outcome: 'success', rejected: state.rejected, ...reason};
    },
    async check(signal) {
      if (writer === undefined) return undefined;
      const refused = await writer.send(EMPTY, signal);
      return refused?.outcome === 'retryable' ? refused.reason : undefined;
    },
    async stop() {
      writer?.close();
      await server?.stop();
    },
  };
}

/** Snappy's form of nothing: a valid, empty request. */
const EMPTY = Buffer.from([0]);
