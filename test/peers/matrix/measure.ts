// SPDX-License-Identifier: Apache-2.0
/** What the tests of the matrix measure with: processes, the library's counts, the tracer's. */
import {type ChildProcess, spawn} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {openFolder} from '../../../src/channel/index.js';
import {makeDir} from '../../programs/support.js';
import {hookedCalls} from '../../programs/truth.js';

const children: ChildProcess[] = [];

/** Ends what start() began. */
export function killAll(): void {
  for (const child of children.splice(0)) {
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {
      // ended by itself
    }
  }
}

export interface Process {
  child: ChildProcess;
  output: () => string;
  /** Resolves with the match when the output has it. */
  says: (pattern: RegExp) => Promise<RegExpExecArray>;
}

export function start(argv: string[], env: NodeJS.ProcessEnv): Process {
  const child = spawn(argv[0]!, argv.slice(1), {
    env: {...process.env, ...env},
    cwd: makeDir(),
    detached: true,
  });
  children.push(child);
  let output = '';
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr])
    stream!.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      for (const listener of listeners) listener();
    });
  const says = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((done, fail) => {
      const look = () => {
        const match = pattern.exec(output);
        if (!match) return;
        listeners.delete(look);
        done(match);
      };
      listeners.add(look);
      child.once('close', () => fail(new Error(`ended without saying ${pattern}: ${output}`)));
      look();
    });
  return {child, output: () => output, says};
}

/** Calls by number in all channels of a home, but for those of one process. */
export function countsOf(home: string, without: number | undefined): Map<number, number> {
  const counts = new Map<number, number>();
  const history = join(home, 'history');
  for (const session of readdirSync(history)) {
    const folder = openFolder(join(history, session, 'channels'));
    folder.scan();
    for (const channel of folder.channels.values()) {
      if (channel.header.pid === without) continue;
      channel.calls().forEach((n, nr) => {
        if (n) counts.set(nr, (counts.get(nr) ?? 0) + n);
      });
    }
    folder.close();
  }
  return counts;
}

/** Until no thread of a process runs, or has run since the look before. */
export async function asleep(pid: number): Promise<void> {
  let before = '';
  for (let i = 0; i < 500; i++) {
    const now = readdirSync(`/proc/${pid}/task`)
      .map((tid) => {
        const stat = readFileSync(`/proc/${pid}/task/${tid}/stat`, 'latin1');
        const status = readFileSync(`/proc/${pid}/task/${tid}/status`, 'latin1');
        return `${tid} ${/\) (\w)/.exec(stat)![1]} ${status.match(/ctxt_switches.*/g)}`;
      })
      .join('\n');
    if (now === before && !/ [^S] /.test(now)) return;
    before = now;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error(`process ${pid} does not come to rest:\n${before}`);
}

/** What the tracer wrote: number and calls. */
export const traced = (out: string): [number, number][] =>
  readFileSync(out, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number) as [number, number]);

export const since = (before: Map<number, number>, after: Map<number, number>): [number, number][] =>
  [...after].map(([nr, n]) => [nr, n - (before.get(nr) ?? 0)]);

/** Hooked calls by name, without those that are not hooked in such a program. */
export function named(counts: Iterable<[number, number]>, unhooked: string[] = []): Record<string, number> {
  const calls: Record<string, number> = {};
  for (const [nr, n] of counts) {
    const name = hookedCalls.get(nr);
    if (name && n > 0 && !unhooked.includes(name)) calls[name] = n;
  }
  return calls;
}

export const total = (calls: Record<string, number>) => Object.values(calls).reduce((a, b) => a + b, 0);

/** Calls of which another number was seen than made. */
export const differing = (
  seen: Record<string, number>,
  made: Record<string, number>,
): Record<string, string> =>
  Object.fromEntries(
    [...new Set([...Object.keys(seen), ...Object.keys(made)])]
      .filter((name) => seen[name] !== made[name])
      .map((name) => [name, `${seen[name] ?? 0} / ${made[name] ?? 0}`]),
  );
