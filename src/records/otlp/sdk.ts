// SPDX-License-Identifier: Apache-2.0
/** Metrics and spans as the data types of OpenTelemetry's SDK, so that its own serializers encode them. */
import {type HrTime, SpanKind, SpanStatusCode, TraceFlags, ValueType} from '@opentelemetry/api';
import {type Resource, resourceFromAttributes} from '@opentelemetry/resources';
import {AggregationTemporality, DataPointType, type MetricData} from '@opentelemetry/sdk-metrics';
import {SCHEMA_URL} from '../semconv.js';
import type {Attributes, Buckets, Span} from '../types.js';

export const {CUMULATIVE, DELTA} = AggregationTemporality;

/** Seconds since the epoch as the SDK writes them; nonsense becomes 0. */
export function hrTime(seconds: number): HrTime {
  const micros = Number.isFinite(seconds) ? Math.max(0, Math.round(seconds * 1e6)) : 0;
  const whole = Math.floor(micros / 1e6);
  return [whole, (micros - whole * 1e6) * 1000];
}

export function makeResource(attributes: Attributes): Resource {
  return resourceFromAttributes(attributes, {schemaUrl: SCHEMA_URL});
}

/** One data point of a metric. */
export interface PointData {
  attributes: Attributes;
  start: number;
  time: number;
  value: number;
  buckets: Buckets | undefined;
}

/** A metric with its points. */
export function metricData(
  head: {name: string; unit: string; about: string; instrument: string},
  temporality: AggregationTemporality,
  points: readonly PointData[],
): MetricData {
  const descriptor = {
    name: head.name,
    description: head.about,
    unit: head.unit,
    valueType: ValueType.DOUBLE,
  };
  const base = (point: PointData) => ({
    attributes: point.attributes,
    startTime: hrTime(point.start),
    endTime: hrTime(point.time),
  });
  const numbers = () => points.map((point) => ({...base(point), value: point.value}));
  switch (head.instrument) {
    case 'histogram':
      return {
        descriptor,
        aggregationTemporality: temporality,
        dataPointType: DataPointType.HISTOGRAM,
        dataPoints: points.map((point) => ({...base(point), value: histogram(point.buckets!)})),
      };
    case 'gauge':
      return {
        descriptor,
        aggregationTemporality: temporality,
        dataPointType: DataPointType.GAUGE,
        dataPoints: numbers(),
      };
    case 'updowncounter':
      // Its value is a total whatever the preference for counters.
      return {
        descriptor,
        aggregationTemporality: CUMULATIVE,
        dataPointType: DataPointType.SUM,
        isMonotonic: false,
        dataPoints: numbers(),
      };
    default:
      return {
        descriptor,
        aggregationTemporality: temporality,
        dataPointType: DataPointType.SUM,
        isMonotonic: true,
        dataPoints: numbers(),
      };
  }
}

function histogram(buckets: Buckets) {
  return {
    buckets: {boundaries: [...buckets.bounds], counts: [...buckets.counts]},
    count: buckets.count,
    sum: buckets.sum,
    ...(buckets.count > 0 ? {min: buckets.min, max: buckets.max} : {}),
  };
}

const KINDS = {server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL};

/** A span as the trace serializers read it. */
export function readableSpan(
  span: Span,
  resource: Resource,
  scope: {name: string; version: string; schemaUrl: string},
) {
  const startTime = hrTime(span.startTime);
  const endTime = hrTime(span.endTime);
  const context = {traceId: span.traceId, spanId: span.spanId, traceFlags: TraceFlags.SAMPLED};
  const parent = span.parentSpanId;
  return {
    name: span.name,
    kind: KINDS[span.role],
    spanContext: () => context,
    ...(parent ? {parentSpanContext: {...context, spanId: parent, isRemote: true}} : {}),
    startTime,
    endTime,
    status: {code: span.error ? SpanStatusCode.ERROR : SpanStatusCode.UNSET},
    attributes: span.attributes,
    links: [],
    events: [],
    duration: hrTime(Math.max(0, span.endTime - span.startTime)),
    ended: true,
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}
