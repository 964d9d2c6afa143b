// SPDX-License-Identifier: Apache-2.0
/**
 * Reading is faster than sending. While a queue is a quarter full and its destination takes records, sends get the loop:
 * a burst then waits in the spool instead of being dropped from the queue. They keep it as long as they use it; when the
 * loop is mostly idle it is the peer that is slow, and after a few turns reading goes on, so that others do not wait for it.
 */
import type {ChannelFolder} from '../channel/index.js';
import type {Outputs} from './outputs.js';

const SEND_TURN_MS = 10;
/** Turns that a peer which has used up the patience gets. */
const AGAIN = 5;
const BUSY = 0.3;

export class SendTurns {
  readonly #outputs: Pick<Outputs, 'pressed'>;
  readonly #folder: Pick<ChannelFolder, 'stats'>;
  readonly #othersWait: () => boolean;
  readonly #patience: number;
  #turns = 0;
  #forced = false;

  /**
   * `othersWait`: somebody needs the next records although a destination is behind; they come after so many turns that sends
   * did not use.
   */
  constructor(
    outputs: Pick<Outputs, 'pressed'>,
    folder: Pick<ChannelFolder, 'stats'>,
    othersWait: () => boolean,
    patience: number,
  ) {
    this.#outputs = outputs;
    this.#folder = folder;
    this.#othersWait = othersWait;
    this.#patience = patience;
  }

  /** Reading went on although a destination is behind: sends have no use for the loop. */
  get forced(): boolean {
    return this.#forced;
  }

  /** A pass of reading ends here: a destination has enough, and nobody is waited for in vain. */
  get pressed(): boolean {
    return !this.#forced && this.#outputs.pressed();
  }

  /** Calls `next` when reading shall go on. */
  afterSends(next: () => void): void {
    this.#forced = this.#outputs.pressed();
    const patient = this.#turns < this.#patience || !this.#othersWait();
    if (!this.#forced || !patient || !this.#spoolHasRoom()) {
      // A peer that has been slow for so long is not waited for as long each time.
      this.#turns = this.#forced ? Math.max(0, this.#patience - AGAIN) : 0;
      setImmediate(next);
      return;
    }
    const before = performance.eventLoopUtilization();
    setTimeout(() => {
      const busy = performance.eventLoopUtilization(before).utilization > BUSY;
      this.#turns = busy ? 0 : this.#turns + 1;
      this.afterSends(next);
    }, SEND_TURN_MS);
  }

  #spoolHasRoom(): boolean {
    const {spooled, spoolMax} = this.#folder.stats();
    return spooled < spoolMax / 2;
  }
}
