// SPDX-License-Identifier: Apache-2.0
// What the channels of a folder counted, and what the tracer counted, in the same shape: calls by name.
import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {COUNTER, openFolder} from '../../src/channel/index.js';
import {makeDir, program, root, run} from './support.js';

const numbers = new Map(
  [
    ...readFileSync('/usr/include/x86_64-linux-gnu/asm/unistd_64.h', 'utf8').matchAll(
      /#define __NR_(\w+) (\d+)/g,
    ),
  ].map((m) => [m[1]!, Number(m[2])]),
);

/** Number → name of every call in the table of hooked calls. */
export const hookedCalls = new Map(
  [...readFileSync(join(root, 'native/base/calls.h'), 'utf8').matchAll(/X\((\w+), \w+, \w+\)/g)]
    .filter((m) => numbers.has(m[1]!))
    .map((m) => [numbers.get(m[1]!)!, m[1]!]),
);

const RX = [
  'FS_READ_BYTES',
  'NET_RX_INET_TCP',
  'NET_RX_INET_UDP',
  'NET_RX_UNIX_TCP',
  'NET_RX_UNIX_UDP',
  'NET_RX_OTHER',
] as const;
const TX = [
  'FS_WRITE_BYTES',
  'CONSOLE_BYTES',
  'NET_TX_INET_TCP',
  'NET_TX_INET_UDP',
  'NET_TX_UNIX_TCP',
  'NET_TX_UNIX_UDP',
  'NET_TX_OTHER',
] as const;

const sum = (names: readonly (keyof typeof COUNTER)[], of: Float64Array) =>
  names.reduce((n, name) => n + of[COUNTER[name]]!, 0);

/** What the channels of a folder say: calls by name, bytes read and written. */
export function seen(dir: string): {calls: Record<string, number>; rx: number; tx: number} {
  const folder = openFolder(dir);
  const calls: Record<string, number> = {};
  let rx = 0;
  let tx = 0;
  folder.scan();
  for (const channel of folder.channels.values()) {
    channel.calls().forEach((n, nr) => {
      const name = hookedCalls.get(nr);
      if (n && name) calls[name] = (calls[name] ?? 0) + n;
    });
    rx += sum(RX, channel.counters());
    tx += sum(TX, channel.counters());
  }
  folder.close();
  return {calls, rx, tx};
}

export function countCalls(dir: string): Record<string, number> {
  return seen(dir).calls;
}

/** Hooked calls of a bare program, from its first instruction, by the tracer. */
export async function traceBare(argv: string[]): Promise<Record<string, number>> {
  const out = join(makeDir(), 'calls');
  await run([program('tracer'), out, '-', ...argv], {}, {timeoutMs: 120_000});
  const calls: Record<string, number> = {};
  for (const line of readFileSync(out, 'utf8').trim().split('\n')) {
    const [nr, n] = line.split(' ').map(Number);
    const name = hookedCalls.get(nr!);
    // The tracer's own exec of the program is one of the counted.
    const truth = name === 'execve' ? n! - 1 : n!;
    if (name && truth > 0) calls[name] = truth;
  }
  return calls;
}

/** Ends relays that sessions of these homes started and that have not ended by themselves. */
export async function endRelays(homes: string[]): Promise<void> {
  for (const home of homes) {
    try {
      execFileSync('pkill', ['-9', '-f', `session ${home}/`]);
    } catch {
      // none is left
    }
  }
}
