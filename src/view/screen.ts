// SPDX-License-Identifier: Apache-2.0
/** A full-screen picture on a terminal: only lines that changed are written. */

const ENTER = '\u001b[?1049h\u001b[?25l\u001b[2J';
const LEAVE = '\u001b[?25h\u001b[?1049l';

export class Screen {
  readonly #write: (text: string) => void;
  #shown: string[] = [];
  #open = false;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  open(): void {
    this.#open = true;
    this.#write(ENTER);
  }

  /** Forgets what is shown: after a resize everything is drawn again. */
  reset(): void {
    this.#shown = [];
    this.#write('\u001b[2J');
  }

  /** Shows these lines from the top; synchronised, so that the terminal never shows half. */
  draw(lines: readonly string[]): void {
    let out = '';
    lines.forEach((line, i) => {
      if (line !== this.#shown[i]) out += `\u001b[${i + 1};1H${line}\u001b[0m`;
    });
    this.#shown = [...lines];
    if (out !== '') this.#write(`\u001b[?2026h${out}\u001b[?2026l`);
  }

  /** Gives the terminal back; safe twice. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#write(LEAVE);
  }
}
