// SPDX-License-Identifier: Apache-2.0
// Our request beside that of OpenTelemetry's own gRPC metric exporter for the same sums and histograms.
import {ValueType} from '@opentelemetry/api';
import {OTLPMetricExporter} from '@opentelemetry/exporter-metrics-otlp-grpc';
import {resourceFromAttributes} from '@opentelemetry/resources';
import {AggregationTemporality, DataPointType, type MetricData} from '@opentelemetry/sdk-metrics';
import {expect, test} from 'vitest';
import {createExporter} from '../../../../src/exporters/otlp/index.js';
import {resourceOf} from '../../../../src/records/resource.js';
import {makeContext, makeDelivery, NEVER} from '../../../helpers/delivery.js';
import {grpcPeer} from '../../../helpers/otlp.js';
import {makeMetric, makeProcess} from '../../../helpers/records.js';

test('a collector sees no difference', async () => {
  const peer = await grpcPeer();
  const endpoint = `http://127.0.0.1:${peer.port}`;
  const theirs = new OTLPMetricExporter({url: endpoint});
  const ours = createExporter(
    {
      ...makeDelivery(),
      type: 'otlp',
      endpoint,
      protocol: 'grpc',
      signals: ['metrics'],
      temporality: 'cumulative',
      compression: 'none',
      max_request_bytes: 3 << 20,
      max_series: 1000,
    },
    makeContext(),
  );
  try {
    const process = makeProcess({uuid: 'u', startTime: 1_795_375_570});
    const time = 1_795_375_578.5;
    const buckets = {bounds: [5, 10], counts: [1, 2, 3], sum: 60, count: 6, min: 1, max: 30};
    await ours.send(
      [
        makeMetric({process, name: 'fs.open', value: 7, time}),
        makeMetric({process, name: 'http.duration.client', type: 'timer', value: 60, time, buckets}),
      ],
      NEVER,
    );
    const schemaUrl = 'https://opentelemetry.io/schemas/1.44.0';
    const point = {startTime: [1_795_375_570, 0], endTime: [1_795_375_578, 500_000_000]} as const;
    const head = (name: string, unit: string, description: string) => ({
      descriptor: {name, unit, description, valueType: ValueType.DOUBLE},
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
    });
    const metrics = [
      {
        ...head('appscope.file.operations', '{operation}', 'File operations'),
        dataPointType: DataPointType.SUM,
        isMonotonic: true,
        dataPoints: [{...point, attributes: {'appscope.file.operation': 'open'}, value: 7}],
      },
      {
        ...head('http.client.request.duration', 's', 'Duration of HTTP client requests'),
        dataPointType: DataPointType.HISTOGRAM,
        dataPoints: [
          {
            ...point,
            attributes: {},
            value: {
              buckets: {boundaries: [0.005, 0.01], counts: [1, 2, 3]},
              sum: 0.06,
              count: 6,
              min: 0.001,
              max: 0.03,
            },
          },
        ],
      },
    ] as unknown as MetricData[];
    const scope = {name: 'appscope', version: '2.0.0', schemaUrl};
    await new Promise<void>((resolve, reject) => {
      const request = {
        resource: resourceFromAttributes(resourceOf(process), {schemaUrl}),
        scopeMetrics: [{scope, metrics}],
      };
      theirs.export(request, ({error}) => (error === undefined ? resolve() : reject(error)));
    });
    expect(peer.requests).toHaveLength(2);
    expect(peer.requests[0]!.body).toEqual(peer.requests[1]!.body);
  } finally {
    await theirs.shutdown();
    await ours.stop();
    await peer.close();
  }
});
