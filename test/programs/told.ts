// SPDX-License-Identifier: Apache-2.0
// A process that does what it is told, one line at a time: test/programs/src/worker.c, parent.go, Parent.java, sealed.c.
import {type ChildProcess, type SpawnOptions, spawn} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';

export class Told {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  stderr = '';

  private constructor(argv: string[], options: SpawnOptions) {
    this.child = spawn(argv[0]!, argv.slice(1), {...options, stdio: ['pipe', 'pipe', 'pipe']});
    this.child.stderr!.on('data', (text) => {
      this.stderr += String(text);
    });
    this.#lines = createInterface({input: this.child.stdout!})[Symbol.asyncIterator]();
  }

  /** Starts it and waits until it is ready. */
  static async start(argv: string[], options: SpawnOptions = {}): Promise<Told> {
    const told = new Told(argv, options);
    const line = await told.next();
    if (line !== 'ready') throw new Error(`${argv.join(' ')}: ${line} ${told.stderr}`);
    return told;
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** The next line of its output; undefined: it has ended. */
  async next(): Promise<string | undefined> {
    return (await this.#lines.next()).value as string | undefined;
  }

  async ask(line: string): Promise<string | undefined> {
    this.child.stdin!.write(`${line}\n`);
    return this.next();
  }

  closeInput(): void {
    this.child.stdin!.end();
  }

  /** Closes its stdin; its exit status. */
  async end(): Promise<number | null> {
    this.closeInput();
    return this.child.exitCode ?? ((await once(this.child, 'exit'))[0] as number | null);
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}
