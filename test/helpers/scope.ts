// SPDX-License-Identifier: Apache-2.0
/** The built `scope` command in a home of its own, cleaned up after. */
import {type ChildProcess, spawn, spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import {NATIVE} from '../../src/base/root.js';
import {listSessions, writerLives} from '../../src/session/history.js';

export interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}

export class Scope {
  readonly home = mkdtempSync(join(tmpdir(), 'scope-home-'));
  readonly env: Record<string, string>;
  readonly #children: ChildProcess[] = [];

  constructor(env: Record<string, string> = {}) {
    this.env = {
      PATH: process.env.PATH!,
      HOME: this.home,
      SCOPE_HOME: this.home,
      SCOPE_NODE: process.execPath,
      ...env,
    };
  }

  /** Runs `scope WORDS` to its end. */
  run(words: readonly string[], env: Record<string, string> = {}): Ran {
    const {status, stdout, stderr} = spawnSync(NATIVE.launcher, words, {
      env: {...this.env, ...env},
      encoding: 'utf8',
      timeout: 60_000,
      maxBuffer: 256 * 1024 * 1024,
    });
    return {status, stdout, stderr};
  }

  /** Starts `scope WORDS` in a process group of its own. */
  start(words: readonly string[], stdin: 'pipe' | 'ignore' = 'ignore'): ChildProcess {
    const child = spawn(NATIVE.launcher, words, {
      env: this.env,
      stdio: [stdin, 'pipe', 'pipe'],
      detached: true,
    });
    this.#children.push(child);
    return child;
  }

  /** Folder of the last session. */
  get workdir(): string {
    return listSessions(this.home).at(-1)!.workdir;
  }

  /** Pid of the last session's relay; undefined: none. */
  get relay(): number | undefined {
    if (!writerLives(this.workdir)) return undefined;
    return Number(readFileSync(join(this.workdir, '.index/lock'), 'utf8').split(' ')[0]);
  }

  /** Ends everything that was started and removes what it left. */
  async close(): Promise<void> {
    for (const child of this.#children) {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) continue;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      process.kill(-child.pid, 'SIGKILL');
      await gone;
    }
    for (const {workdir} of listSessions(this.home)) {
      await waitFor(() => !writerLives(workdir), 'the relay to end', 10_000).catch(() => undefined);
      rmSync(join(`/dev/shm/scope-${process.getuid!()}`, basename(workdir)), {recursive: true, force: true});
    }
    rmSync(this.home, {recursive: true, force: true, maxRetries: 20, retryDelay: 50});
  }
}

/** Polls until the condition holds; rejects after the limit, naming it. */
export async function waitFor(condition: () => boolean, what: string, limitMs = 30_000): Promise<void> {
  const until = Date.now() + limitMs;
  while (!condition()) {
    if (Date.now() > until) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
