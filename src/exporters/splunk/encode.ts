// SPDX-License-Identifier: Apache-2.0
/** Records as Splunk's HTTP event collector takes them: one JSON object each, one after the other. */
import type {SplunkExporterConfig} from '../../config/types.js';
import {ByteWriter} from '../../records/byte-writer.js';
import {metricFields} from '../../records/ndjson.js';
import {compileTemplate, type Template} from '../../records/template.js';
import type {Event, Metric, RelayRecord} from '../../records/types.js';

/** One request: where each object begins, so that the rest can be sent again after a refused one. */
export interface Piece {
  bytes: Buffer;
  /** Offsets of the objects. */
  starts: number[];
}

export interface HecEncoder {
  /** Pieces of at most `maxBytes` (a larger object stands alone), and how many records have no form. */
  encode(batch: readonly RelayRecord[], maxBytes: number): {pieces: Piece[]; invalid: number};
}

export function createHecEncoder(config: SplunkExporterConfig): HecEncoder {
  const index = compileTemplate(config.index);
  const metricsIndex = compileTemplate(config.metrics_index);
  const source = compileTemplate(config.source);
  const sourcetype = compileTemplate(config.sourcetype);
  const host = compileTemplate(config.host);
  const out = new ByteWriter();

  function member(name: string, value: unknown): void {
    out.ascii(`,"${name}":`);
    out.value(value);
  }

  /** `{"time":…,"host":…,"source":…,"sourcetype":…[,"index":…]` */
  function head(record: Event | Metric, where: Template): void {
    out.ascii('{"time":');
    out.time(record.time);
    member('host', host.render(record));
    member('source', source.render(record));
    member('sourcetype', sourcetype.render(record));
    const name = where.render(record);
    if (name !== '') member('index', name);
  }

  function writeEvent(event: Event): void {
    const {process, sourcetype: kind, data} = event;
    head(event, index);
    const {proc, pid, cmd, tags} = process;
    const text = typeof data === 'string' ? data : data.message;
    // Lines of text stay text, so that Splunk's field extractions for them work.
    if ((kind === 'console' || kind === 'file' || typeof data === 'string') && typeof text === 'string') {
      member('event', text);
    } else member('event', {...(data as Record<string, unknown>), proc, pid, cmd});
    member('fields', {proc, pid: String(pid), ...tags});
    out.byte(0x7d);
  }

  function writeMetric(metric: Metric): void {
    head(metric, metricsIndex);
    member('event', 'metric');
    const fields: Record<string, unknown> = {};
    for (const [name, value] of metricFields(metric)) fields[name] = String(value);
    fields[`metric_name:${metric.name}`] = metric.value;
    member('fields', fields);
    out.byte(0x7d);
  }

  /** False, and nothing written, when the record has no form. */
  function write(record: RelayRecord): boolean {
    const before = out.length;
    try {
      if (record.kind === 'event') writeEvent(record);
      else if (record.kind === 'metric' && Number.isFinite(record.value)) writeMetric(record);
    } catch {
      out.length = before;
    }
    return out.length > before;
  }

  return {
    encode(batch, maxBytes) {
      const pieces: Piece[] = [];
      let starts: number[] = [];
      let invalid = 0;
      out.length = 0;
      const finish = (end: number): void => {
        if (starts.length > 0) pieces.push({bytes: Buffer.from(out.buffer.subarray(0, end)), starts});
        out.buffer.copyWithin(0, end, out.length);
        out.length -= end;
        starts = [];
      };
      for (const record of batch) {
        const start = out.length;
        if (!write(record)) {
          invalid++;
          continue;
        }
        if (out.length > maxBytes && starts.length > 0) {
          finish(start);
          starts = [0];
        } else starts.push(start);
      }
      finish(out.length);
      return {pieces, invalid};
    },
  };
}
