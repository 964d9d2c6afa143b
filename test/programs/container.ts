// SPDX-License-Identifier: Apache-2.0
// Processes in namespaces of their own, made by unshare: no container engine is needed.
import {spawnSync} from 'node:child_process';
import {chmodSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {makeDir, program} from './support.js';
import {Told} from './told.js';

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

/** What makes us root where we are not. */
export const AS_ROOT = process.getuid!() === 0 ? [] : ['--user', '--map-root-user'];

function unshare(user: number | undefined, argv: string[]): [string, string[]] {
  const own = user === undefined ? AS_ROOT : ['--user', '--map-root-user'];
  const words = [...own, '--mount', '--pid', '--net', '--fork', '--kill-child', ...argv];
  if (user === undefined || user === process.getuid!()) return ['unshare', words];
  const ids = [`--reuid=${user}`, `--regid=${user}`, '--clear-groups'];
  return ['setpriv', [...ids, 'unshare', ...words]];
}

/** A process in a container that does what it is told. */
export class Container {
  readonly #told: Told;
  /** On the host. */
  readonly pid: number;

  private constructor(told: Told) {
    this.#told = told;
    this.pid = childOf(told.pid);
  }

  static async start(options: ContainerOptions = {}): Promise<Container> {
    const argv = options.argv ?? [program('worker')];
    const root = makeDir();
    if (options.user !== undefined) chmodSync(root, 0o777);
    const words = (options.words ?? []).join(',') || '-';
    const [file, args] = unshare(options.user, ['sh', script, root, words, ...argv]);
    const env = {...process.env, COPY: (options.copy ?? []).join(' ')};
    return new Container(await Told.start([file, ...args], {env}));
  }

  get stderr(): string {
    return this.#told.stderr;
  }

  next(): Promise<string | undefined> {
    return this.#told.next();
  }

  ask(line: string): Promise<string | undefined> {
    return this.#told.ask(line);
  }

  end(): Promise<number | null> {
    return this.#told.end();
  }

  closeInput(): void {
    this.#told.closeInput();
  }

  kill(): void {
    this.#told.kill();
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
