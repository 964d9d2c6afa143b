// SPDX-License-Identifier: Apache-2.0
/** Runs commands scoped by the real launcher, without its relay: tests run the relay themselves. */
import {spawn, spawnSync} from 'node:child_process';
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {NATIVE} from '../../src/base/root.js';
import {readStatus} from '../../src/session/index.js';

/** A SCOPE_HOME of its own, and everything that was started in it. */
export interface ScopedHome {
  home: string;
  env: NodeJS.ProcessEnv;
  /** Runs to its end; returns the session's folder. */
  run(...command: string[]): string;
  /** Runs `scope run` with flags, and with its own relay; returns the session's folder when the session has ended. */
  runWhole(...words: string[]): Promise<string>;
  /** Starts; returns the session's folder as soon as there is one. */
  start(...command: string[]): Promise<string>;
  /** Ends what was started, removes all files. */
  clean(): void;
}

function lastSession(home: string): string | undefined {
  try {
    const dir = join(home, 'history');
    const names = readdirSync(dir).sort((a, b) => stamp(a) - stamp(b));
    return names.length === 0 ? undefined : join(dir, names.at(-1)!);
  } catch {
    return undefined;
  }
}

const stamp = (name: string): number => Number(name.split('_').at(-1));

export function scopedHome(): ScopedHome {
  const home = mkdtempSync(join(tmpdir(), 'scope-home-'));
  // A relay that does nothing: the test's own takes over.
  const env = {...process.env, HOME: home, SCOPE_HOME: home, SCOPE_NODE: '/bin/true'};
  const started: number[] = [];
  return {
    home,
    env,
    run(...command) {
      const {status, stderr} = spawnSync(NATIVE.launcher, command, {
        env,
        cwd: home,
        encoding: 'utf8',
        timeout: 30_000,
      });
      if (status !== 0) throw new Error(`${command.join(' ')}: ${status} ${stderr}`);
      return lastSession(home)!;
    },
    async runWhole(...words) {
      const {status, stderr} = spawnSync(NATIVE.launcher, ['run', ...words], {
        env: {...env, SCOPE_NODE: process.execPath},
        cwd: home,
        encoding: 'utf8',
        timeout: 30_000,
      });
      if (status !== 0) throw new Error(`${words.join(' ')}: ${status} ${stderr}`);
      const workdir = lastSession(home)!;
      const deadline = Date.now() + 30_000;
      const over = () => {
        const status = readStatus(workdir);
        // The relay still tidies up after it said so.
        return status?.state === 'ended' && !existsSync(`/proc/${status.pid}`);
      };
      while (!over()) {
        if (Date.now() > deadline) throw new Error(`${workdir}: its relay does not end`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return workdir;
    },
    async start(...command) {
      const child = spawn(NATIVE.launcher, command, {env, cwd: home, stdio: 'ignore', detached: true});
      started.push(child.pid!);
      const deadline = Date.now() + 30_000;
      for (;;) {
        const found = lastSession(home);
        if (found !== undefined && readdirSync(found).includes('channels')) return found;
        if (Date.now() > deadline) throw new Error(`${command.join(' ')}: no session`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    clean() {
      for (const pid of started) {
        try {
          process.kill(-pid, 'SIGKILL');
        } catch {
          // It has ended.
        }
      }
      rmSync(home, {recursive: true, force: true, maxRetries: 10, retryDelay: 50});
    },
  };
}

/** Lines of an NDJSON file of a session. */
export function linesOf(workdir: string, file: 'events.json' | 'metrics.json'): string[] {
  return readFileSync(join(workdir, file), 'utf8').split('\n').filter(Boolean);
}

export interface WireEvent {
  type?: string;
  _channel: string;
  info?: {process: Record<string, unknown>};
  body: {sourcetype: string; source: string; proc: string; pid: number; data: Record<string, unknown>};
}

export function eventsOf(workdir: string): WireEvent[] {
  return linesOf(workdir, 'events.json').map((line) => JSON.parse(line) as WireEvent);
}

export function metricsOf(workdir: string): Record<string, unknown>[] {
  return linesOf(workdir, 'metrics.json').map(
    (line) => (JSON.parse(line) as {body: Record<string, unknown>}).body,
  );
}
