// SPDX-License-Identifier: Apache-2.0
/** As much of a Kafka broker as a producer needs: versions, metadata, producer ids, produce. Keeps what it was sent. */
import {createServer, type Socket} from 'node:net';

export interface Broker {
  readonly port: number;
  /** Record batches as they came, by topic. */
  readonly batches: {topic: string; bytes: Buffer}[];
  /** Error codes of the next produce requests; 0: fine. */
  readonly errors: number[];
  /** Takes requests and does not answer. */
  hang: boolean;
  /** Topics that are not there. */
  readonly missing: Set<string>;
  /** Connections that are open. */
  readonly sockets: ReadonlySet<Socket>;
  close(): Promise<void>;
}

const PRODUCE = 0;
const METADATA = 3;
const API_VERSIONS = 18;
const INIT_PRODUCER_ID = 22;
const UNKNOWN_TOPIC = 3;

class Reader {
  at = 0;
  constructor(readonly bytes: Buffer) {}
  int16(): number {
    this.at += 2;
    return this.bytes.readInt16BE(this.at - 2);
  }
  int32(): number {
    this.at += 4;
    return this.bytes.readInt32BE(this.at - 4);
  }
  string(): string {
    const length = this.int16();
    if (length < 0) return '';
    this.at += length;
    return this.bytes.toString('utf8', this.at - length, this.at);
  }
  block(): Buffer {
    const length = Math.max(0, this.int32());
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
  list<T>(item: () => T): T[] {
    return Array.from({length: Math.max(0, this.int32())}, item);
  }
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}
function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}
const string = (text: string): Buffer => Buffer.concat([int16(Buffer.byteLength(text)), Buffer.from(text)]);
const list = (items: Buffer[]): Buffer => Buffer.concat([int32(items.length), ...items]);

export async function startBroker(port = 0): Promise<Broker> {
  const sockets = new Set<Socket>();
  const batches: Broker['batches'] = [];
  const errors: number[] = [];
  const missing = new Set<string>();

  function metadata(request: Reader): Buffer {
    const topics = request.list(() => request.string());
    const partition = Buffer.concat([
      int16(0),
      int32(0),
      int32(1),
      list([int32(1)]),
      list([int32(1)]),
      list([]),
    ]);
    return Buffer.concat([
      int32(0),
      list([Buffer.concat([int32(1), string('127.0.0.1'), int32(broker.port), int16(-1)])]),
      string('test'),
      int32(1),
      list(
        topics.map((name) =>
          missing.has(name)
            ? Buffer.concat([int16(UNKNOWN_TOPIC), string(name), Buffer.from([0]), list([])])
            : Buffer.concat([int16(0), string(name), Buffer.from([0]), list([partition])]),
        ),
      ),
    ]);
  }

  function produce(request: Reader): Buffer {
    request.string();
    request.int16();
    request.int32();
    const error = errors.shift() ?? 0;
    const answers = request.list(() => {
      const topic = request.string();
      const partitions = request.list(() => {
        const partition = request.int32();
        const bytes = Buffer.from(request.block());
        if (error === 0) batches.push({topic, bytes});
        return Buffer.concat([int32(partition), int16(error), int64(0), int64(-1), int64(0)]);
      });
      return Buffer.concat([string(topic), list(partitions)]);
    });
    return Buffer.concat([list(answers), int32(0)]);
  }

  function answer(key: number, request: Reader): Buffer {
    switch (key) {
      case API_VERSIONS: {
        const keys = [
          [PRODUCE, 3, 5],
          [METADATA, 0, 5],
          [API_VERSIONS, 0, 2],
          [INIT_PRODUCER_ID, 0, 1],
        ];
        return Buffer.concat([int16(0), list(keys.map((row) => Buffer.concat(row.map(int16)))), int32(0)]);
      }
      case METADATA:
        return metadata(request);
      case INIT_PRODUCER_ID:
        return Buffer.concat([int32(0), int16(0), int64(7), int16(0)]);
      case PRODUCE:
        return produce(request);
      default:
        throw new Error(`request ${key} is not known here`);
    }
  }

  function serve(socket: Socket): void {
    let pending = Buffer.alloc(0);
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.on('data', (more) => {
      pending = Buffer.concat([pending, more]);
      while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
        const end = 4 + pending.readInt32BE(0);
        const request = new Reader(pending.subarray(4, end));
        pending = pending.subarray(end);
        const key = request.int16();
        request.int16();
        const correlation = request.int32();
        request.string();
        if (broker.hang) continue;
        const body = Buffer.concat([int32(correlation), answer(key, request)]);
        socket.write(Buffer.concat([int32(body.length), body]));
      }
    });
  }

  const server = createServer(serve);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const broker = {
    port: (server.address() as {port: number}).port,
    batches,
    errors,
    missing,
    hang: false,
    sockets,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
  return broker;
}
