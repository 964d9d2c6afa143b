// SPDX-License-Identifier: Apache-2.0
/** What is on the wire of the loopback device, as tshark decodes it. */
import {type ChildProcess, spawn, spawnSync} from 'node:child_process';
import {statSync} from 'node:fs';

/** Why nothing can be captured here; undefined: it can. */
export function whyNot(): string | undefined {
  if (spawnSync('tshark', ['--version']).error) return 'no tshark';
  const {status, stdout} = spawnSync('dumpcap', ['-D'], {encoding: 'utf8'});
  return status === 0 && / lo\b/.test(stdout) ? undefined : 'no right to capture';
}

const wait = (ms: number) => new Promise((done) => setTimeout(done, ms));

export class Capture {
  readonly #file: string;
  readonly #dumpcap: ChildProcess;

  private constructor(file: string, dumpcap: ChildProcess) {
    this.#file = file;
    this.#dumpcap = dumpcap;
  }

  /** Captures what the filter says into a file, from when this resolves on. */
  static async start(file: string, filter: string): Promise<Capture> {
    const dumpcap = spawn('dumpcap', ['-q', '-i', 'lo', '-s', '0', '-B', '64', '-w', file, '-f', filter], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    // It says which file it writes once the socket is open.
    await new Promise<void>((done, fail) => {
      let text = '';
      const timer = setTimeout(() => fail(new Error(`dumpcap: ${text}`)), 15_000);
      dumpcap.stderr.setEncoding('utf8').on('data', (more: string) => {
        text += more;
        if (!text.includes('File: ')) return;
        clearTimeout(timer);
        done();
      });
      dumpcap.on('error', fail);
      dumpcap.on('close', () => fail(new Error(`dumpcap: ${text}`)));
    });
    return new Capture(file, dumpcap);
  }

  /** Ends when nothing has come for a while. */
  async stop(): Promise<void> {
    const size = () => statSync(this.#file).size;
    for (let before = -1; before !== size(); ) {
      before = size();
      await wait(400);
    }
    const gone = new Promise((done) => this.#dumpcap.once('close', done));
    this.#dumpcap.kill('SIGINT');
    await gone;
  }

  kill(): void {
    this.#dumpcap.kill('SIGKILL');
  }

  /** Fields of the packets that a display filter picks; a field that occurs several times gives several values. */
  fields(display: string, names: readonly string[], decodeAs: readonly string[] = []): string[][][] {
    const {status, stdout, stderr} = spawnSync(
      'tshark',
      [
        ...['-n', '-r', this.#file, '-Y', display, '-T', 'fields'],
        ...['-E', 'separator=/t', '-E', 'occurrence=a', '-E', 'aggregator=|'],
        ...decodeAs.flatMap((rule) => ['-d', rule]),
        ...names.flatMap((name) => ['-e', name]),
      ],
      {encoding: 'utf8', maxBuffer: 1 << 28, timeout: 60_000},
    );
    if (status !== 0) throw new Error(`tshark: ${stderr}`);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split('\t').map((value) => (value === '' ? [] : value.split('|'))));
  }
}
