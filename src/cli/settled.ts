// SPDX-License-Identifier: Apache-2.0
/** The session that a subcommand reads, complete as of now. */
import {spawn} from 'node:child_process';
import {closeSync, openSync} from 'node:fs';
import {join} from 'node:path';
import {findSession, type Session} from '../session/history.js';
import {FILES} from '../session/layout.js';
import {settle} from '../session/settle.js';
import type {Context} from './context.js';

/** Starts the relay of a session whose own one died, as the launcher does: in the background, with relay.log. */
export function startRelay(workdir: string): void {
  const log = openSync(join(workdir, FILES.relayLog), 'a', 0o600);
  const main = process.argv[1]!;
  const child = spawn(process.execPath, [main, 'session', workdir], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', log, log],
  });
  child.on('error', () => undefined);
  child.unref();
  closeSync(log);
}

/** Finds the session and waits until what happened so far is stored. */
export async function settledSession(context: Context, id: number): Promise<Session> {
  const session = findSession(context.home, id);
  await settleSession(context, session);
  return session;
}

export async function settleSession(context: Context, session: Session, limitMs?: number): Promise<void> {
  const result = await settle(session, {
    startRelay,
    onWait: () => context.warn(`Waiting for the relay of session ${session.id} …`),
    ...(limitMs !== undefined && {limitMs}),
  });
  if (result === 'partial') {
    context.warn(
      `Session ${session.id} is not complete: its relay does not answer; see ${join(session.workdir, FILES.relayLog)}`,
    );
  }
}
