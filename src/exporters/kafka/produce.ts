// SPDX-License-Identifier: Apache-2.0
/**
 * The produce request of kafkajs with an encoder of ours. kafkajs makes several objects and buffers for each message, copies
 * a list for each, and sums bytes one at a time: 10 µs a message. Connections, login, metadata, partitions, sequence numbers,
 * retries and answers stay with it.
 *
 * Three seams, all of the pinned version 2.2.4 and watched by tests: the list of messages it is given is an object that
 * does what is asked of it there (find, reduce, length), the table of protocol versions, and how encoders are put together.
 */
import kafkajs from 'kafkajs';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import produce, {
  type ProduceArguments,
  type ProduceProtocol,
} from 'kafkajs/src/protocol/requests/produce/index.js';
import {type Entry, valuesOf} from './entry.js';
import {batchRoom, writeBatch} from './record-batch.js';

const {KafkaJSNonRetriableError} = kafkajs;

interface Message {
  key: string;
  value: Buffer;
}
type Partitions = Record<string, PartitionMessages>;

/** Messages of one partition, where kafkajs expects a list. */
class PartitionMessages {
  readonly entries: Entry[] = [];
  length = 0;

  add(entry: Entry): void {
    this.entries.push(entry);
    this.length += entry.messages;
  }
}

/** Messages of one topic, where kafkajs expects a list. */
class TopicMessages {
  readonly #entries: readonly Entry[];
  readonly #signal: AbortSignal;

  constructor(entries: readonly Entry[], signal: AbortSignal) {
    this.#entries = entries;
    this.#signal = signal;
  }

  /** Looks for a message without value. */
  find(): undefined {
    return undefined;
  }

  /**
   * Sorts messages into partitions; `place` puts one into an object by partition. Asked ahead of every attempt: messages that
   * were given up would come a second time, behind later ones.
   */
  reduce(place: (into: Record<string, unknown>, message: Message) => Record<string, unknown>): Partitions {
    if (this.#signal.aborted) throw new KafkaJSNonRetriableError('aborted');
    const partitionOf = new Map<string, string>();
    const found: Partitions = {};
    for (const entry of this.#entries) {
      let partition = partitionOf.get(entry.key);
      if (partition === undefined) {
        partition = Object.keys(place({}, {key: entry.key, value: Buffer.alloc(0)}))[0]!;
        partitionOf.set(entry.key, partition);
      }
      found[partition] ??= new PartitionMessages();
      found[partition].add(entry);
    }
    return found;
  }
}

/** What sendBatch() takes as topicMessages. kafkajs begins no attempt to send them after the signal. */
export function topicMessages(
  entries: readonly Entry[],
  signal: AbortSignal,
): {topic: string; messages: Message[]}[] {
  const topics = new Map<string, Entry[]>();
  for (const entry of entries) {
    const list = topics.get(entry.topic);
    if (list === undefined) topics.set(entry.topic, [entry]);
    else list.push(entry);
  }
  return Array.from(topics, ([topic, list]) => ({
    topic,
    messages: new TopicMessages(list, signal) as unknown as Message[],
  }));
}

const FIRST_WITH_BATCHES = 3;

function isOurs(args: ProduceArguments): boolean {
  return args.topicData.every(({partitions}) =>
    partitions.every(({messages}) => messages instanceof PartitionMessages),
  );
}

/** Memory of requests, used again when they have been answered. */
const idle: Buffer[] = [];
const IDLE_KEPT = 2;
const POOLED_BYTES = 1280 * 1024;
/** In front of a request, for what kafkajs puts there: length, kind, number, client id. */
const HEADROOM = 512;

/** Bytes with room in front of them. */
interface Request {
  bytes: Buffer;
  start: number;
  end: number;
}
/** Encoders of kafkajs whose content is such bytes. */
const requests = new WeakMap<object, Request>();

/** Encoders append others by copying them, twice for each request; ours is prepended instead. */
function installEncoder(): void {
  const {writeEncoder} = Encoder.prototype;
  Encoder.prototype.writeEncoder = function prepend(value) {
    const request = requests.get(value);
    if (request === undefined || this.offset > request.start) return writeEncoder.call(this, value);
    const start = request.start - this.offset;
    this.buf.copy(request.bytes, start, 0, this.offset);
    this.buf = request.bytes.subarray(start, request.end);
    this.offset = request.end - start;
    requests.set(this, {...request, start});
    return this;
  };
}

function lend(size: number): Buffer {
  if (size > POOLED_BYTES) return Buffer.allocUnsafeSlow(size);
  return idle.pop() ?? Buffer.allocUnsafeSlow(POOLED_BYTES);
}

function giveBack(bytes: Buffer): void {
  if (bytes.length === POOLED_BYTES && idle.length < IDLE_KEPT) idle.push(bytes);
}

/** Of a topic and a partition, besides names and batches. */
const FIXED_BYTES = 32;

/** transactional_id acks timeout [topic [partition records]]. */
async function encodeRequest(args: ProduceArguments): Promise<Request> {
  const {acks, timeout, compression = 0, producerId, producerEpoch = 0, topicData} = args;
  const codec = compression === 0 ? undefined : (kafkajs.CompressionCodecs[compression as 1]() as Codec);
  const entriesOf = (messages: unknown) => (messages as PartitionMessages).entries;
  const room = topicData.reduce(
    (sum, {topic, partitions}) =>
      partitions.reduce(
        (part, {messages}) => part + FIXED_BYTES + batchRoom(entriesOf(messages), codec !== undefined),
        sum + FIXED_BYTES + topic.length,
      ),
    FIXED_BYTES,
  );
  const bytes = lend(room + HEADROOM);
  let at = bytes.writeInt16BE(-1, HEADROOM);
  at = bytes.writeInt16BE(acks, at);
  at = bytes.writeInt32BE(timeout, at);
  at = bytes.writeInt32BE(topicData.length, at);
  for (const {topic, partitions} of topicData) {
    at = bytes.writeInt16BE(Buffer.byteLength(topic), at);
    at += bytes.write(topic, at);
    at = bytes.writeInt32BE(partitions.length, at);
    for (const {partition, messages, firstSequence = 0} of partitions) {
      at = bytes.writeInt32BE(Number(partition), at);
      const start = at + 4;
      at = await writeBatch(bytes, start, entriesOf(messages), {
        producerId: BigInt(String(producerId ?? -1)),
        producerEpoch,
        firstSequence,
        time: Date.now(),
        compression,
        compress: codec && ((buffer) => codec.compress({buffer})),
      });
      bytes.writeInt32BE(at - start, start - 4);
    }
  }
  return {bytes, start: HEADROOM, end: at};
}

interface Codec {
  compress(encoder: {buffer: Buffer}): Promise<Buffer>;
}

/** Brokers before 0.11 take an older format, which kafkajs writes. */
function plain(args: ProduceArguments): ProduceArguments {
  const listOf = ({entries}: PartitionMessages): Message[] =>
    entries.flatMap((entry) => Array.from(valuesOf(entry), (value) => ({key: entry.key, value})));
  return {
    ...args,
    topicData: args.topicData.map(({topic, partitions}) => ({
      topic,
      partitions: partitions.map((one) => ({...one, messages: listOf(one.messages as PartitionMessages)})),
    })),
  };
}

let installed = false;

/** Puts our encoder in its place; other users of kafkajs in this process notice nothing. */
export function installProduce(): void {
  if (installed) return;
  installed = true;
  installEncoder();
  const {protocol} = produce;
  produce.protocol = ({version}): ProduceProtocol => {
    const original = protocol({version});
    return (args) => {
      if (!isOurs(args)) return original(args);
      if (version < FIRST_WITH_BATCHES) return original(plain(args));
      const made = original({...args, topicData: []});
      let sent: Request | undefined;
      const encode = async (): Promise<object> => {
        sent = await encodeRequest(args);
        const buffer = sent.bytes.subarray(sent.start, sent.end);
        const encoder = {buf: buffer, buffer};
        requests.set(encoder, sent);
        return encoder;
      };
      const decode = (bytes: Buffer): Promise<unknown> => {
        // A request that is answered has been read to its end.
        if (sent !== undefined) giveBack(sent.bytes);
        sent = undefined;
        return made.response.decode(bytes);
      };
      return {request: {...made.request, encode}, response: {...made.response, decode}};
    };
  };
}
