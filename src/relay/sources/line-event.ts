// SPDX-License-Identifier: Apache-2.0
/** Events that render their own line; `data` is made when somebody asks for it. */
import type {EventSource} from '../../records/ndjson.js';
import type {Event, LineWriter, Process, SourceType} from '../../records/types.js';
import {channelId, OBJECT_DIGITS} from './channel-id.js';

/** What the lines of one image share. */
export interface LineParts {
  readonly process: Process;
  /** What every `_channel` begins with. */
  readonly channelPrefix: string;
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

  /** Up to the members of `data`. */
  protected begin(out: LineWriter, {head, middle, tail}: EventSource): void {
    out.bytes(head);
    if (this.object === 0) out.ascii('none');
    else {
      out.ascii(this.parts.channelPrefix);
      out.digits(this.object, OBJECT_DIGITS);
    }
    out.bytes(middle);
    out.time(this.time);
    out.bytes(tail);
  }
}
