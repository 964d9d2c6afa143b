// SPDX-License-Identifier: Apache-2.0
/** The part of kafkajs 2.2.4 behind its public interface that produce.ts needs. */
declare module 'kafkajs/src/protocol/requests/produce/index.js' {
  export interface ProduceArguments {
    acks: number;
    timeout: number;
    compression?: number;
    producerId?: unknown;
    producerEpoch?: number;
    topicData: {
      topic: string;
      partitions: {partition: number | string; messages: unknown; firstSequence?: number}[];
    }[];
  }
  export type ProduceProtocol = (args: ProduceArguments) => {
    request: {encode(): Promise<unknown>} & Record<string, unknown>;
    response: {decode(bytes: Buffer): Promise<unknown>};
  };
  const definitions: {versions: string[]; protocol(options: {version: number}): ProduceProtocol};
  export default definitions;
}

declare module 'kafkajs/src/protocol/encoder.js' {
  export default class Encoder {
    buf: Buffer;
    offset: number;
    writeEncoder(value: object): this;
  }
}
