// SPDX-License-Identifier: Apache-2.0
// An OTLP receiver over gRPC that throws everything away; prints its port.
import {Server, ServerCredentials} from '@grpc/grpc-js';

const server = new Server({'grpc.max_receive_message_length': 16 << 20});
for (const name of ['metrics.v1.MetricsService', 'logs.v1.LogsService', 'trace.v1.TraceService']) {
  const same = (bytes) => bytes;
  server.addService(
    {
      Export: {
        path: `/opentelemetry.proto.collector.${name}/Export`,
        requestStream: false,
        responseStream: false,
        requestSerialize: same,
        requestDeserialize: same,
        responseSerialize: same,
        responseDeserialize: same,
      },
    },
    {Export: (_, done) => done(null, Buffer.alloc(0))},
  );
}
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(port);
});
