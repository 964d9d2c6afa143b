// SPDX-License-Identifier: Apache-2.0
/** Events that render their own line; `data` is made when somebody asks for it. */
import {eventSource} from '../../records/ndjson.js';
import type {Event, LineWriter, Process, SourceType} from '../../records/types.js';
import {channelId, OBJECT_DIGITS} from './channel-id.js';

/** What the lines of one image share. */
export interface LineParts {
  readonly process: Process;
  /** What every `_channel` begins with. */
  readonly channelPrefix: string;
}

/** What the lines of one image and source share, rendered once; and what those of the same second do. */
export class LineSource {
  readonly #head: Buffer;
  readonly #channelHead: Buffer;
  readonly #middle: Buffer;
  readonly #tail: Buffer;
  #second = Number.NaN;
  /** From the object of `_channel` to the fraction of `_time`. */
  #untilFraction: Buffer = Buffer.alloc(0);

  /** `data`: how every value of `data` begins. */
  constructor({process, channelPrefix}: LineParts, sourcetype: SourceType, source: string, data: string) {
    const {head, middle, tail} = eventSource(process, sourcetype, source, data);
    this.#head = head;
    this.#channelHead = Buffer.concat([head, Buffer.from(channelPrefix)]);
    this.#middle = middle;
    this.#tail = tail;
  }

  /** A line up to the members of `data`. */
  begin(out: LineWriter, object: number, time: number): void {
    if (object === 0) {
      out.bytes(this.#head);
      out.ascii('none');
    } else {
      out.bytes(this.#channelHead);
      out.digits(object, OBJECT_DIGITS);
    }
    const micros = Math.round(time * 1e6);
    const second = Math.floor(micros / 1e6);
    if (second !== this.#second) {
      this.#second = second;
      this.#untilFraction = Buffer.concat([this.#middle, Buffer.from(String(second))]);
    }
    out.bytes(this.#untilFraction);
    out.fraction(micros - second * 1e6);
    out.bytes(this.#tail);
  }
}

export abstract class LineEvent<Parts extends LineParts> implements Event {
  readonly kind = 'event';
  abstract readonly sourcetype: SourceType;
  abstract readonly source: string;
  readonly time: number;
  protected readonly parts: Parts;
  protected readonly object: number;

  constructor(parts: Parts, time: number, object: number) {
    this.time = time;
    this.parts = parts;
    this.object = object;
  }

  get process(): Process {
    return this.parts.process;
  }

  get channel(): string {
    return this.object === 0 ? 'none' : channelId(this.parts.channelPrefix, this.object);
  }

  abstract get data(): Record<string, unknown>;
  abstract writeLine(out: LineWriter): void;
}
