// SPDX-License-Identifier: Apache-2.0
// Processes in namespaces of their own, made by unshare: no container engine is needed.
import {type ChildProcess, spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {makeDir, program} from './support.js';

const script = join(import.meta.dirname, 'container.sh');

export interface ContainerOptions {
  /** Words of container.sh. */
  words?: string[];
  /** A user namespace, made by this user (of the host). */
  user?: number;
  /** More programs below /own. */
  copy?: string[];
  /** The program; default test/programs/src/worker.c. */
  argv?: string[];
}

/** Why there can be no such process here; undefined: there can. */
export function noContainers(user?: number): string | undefined {
  const out = spawnSync(...unshare(user, ['true']), {encoding: 'utf8'});
  return out.status === 0 ? undefined : `unshare: ${out.stderr.trim() || out.error?.message}`;
}

function unshare(user: number | undefined, argv: string[]): [string, string[]] {
  const own = user === undefined && process.getuid!() === 0 ? [] : ['--user', '--map-root-user'];
  const words = [...own, '--mount', '--pid', '--net', '--fork', '--kill-child', ...argv];
  if (user === undefined || user === process.getuid!()) return ['unshare', words];
  const ids = [`--reuid=${user}`, `--regid=${user}`, '--clear-groups'];
  return ['setpriv', [...ids, 'unshare', ...words]];
}

/** A process in a container that does what it is told, one line at a time. */
export class Container {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  stderr = '';
  /** On the host. */
  pid = 0;

  private constructor(options: ContainerOptions) {
    const argv = options.argv ?? [program('worker')];
    const root = makeDir();
    if (options.user !== undefined) spawnSync('chmod', ['0777', root]);
    const words = (options.words ?? []).join(',') || '-';
    const [file, args] = unshare(options.user, ['sh', script, root, words, ...argv]);
    this.#child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {...process.env, COPY: (options.copy ?? []).join(' ')},
    });
    this.#child.stderr!.on('data', (text) => {
      this.stderr += String(text);
    });
    this.#lines = createInterface({input: this.#child.stdout!})[Symbol.asyncIterator]();
  }

  static async start(options: ContainerOptions = {}): Promise<Container> {
    const container = new Container(options);
    const line = await container.next();
    if (line !== 'ready') throw new Error(`no container: ${line} ${container.stderr}`);
    container.pid = childOf(container.#child.pid!);
    return container;
  }

  /** The next line of its output; undefined: it has ended. */
  async next(): Promise<string | undefined> {
    return (await this.#lines.next()).value as string | undefined;
  }

  async ask(line: string): Promise<string | undefined> {
    this.#child.stdin!.write(`${line}\n`);
    return this.next();
  }

  /** Closes its stdin; its exit status. */
  async end(): Promise<number | null> {
    const {exitCode} = this.#child;
    this.#child.stdin!.end();
    return exitCode ?? ((await once(this.#child, 'exit'))[0] as number | null);
  }

  closeInput(): void {
    this.#child.stdin!.end();
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** The process behind setpriv and unshare: the innermost, which is pid 1 there. */
function childOf(pid: number): number {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      if (Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]) === pid) return childOf(Number(name));
    } catch {
      // It has ended.
    }
  }
  return pid;
}
