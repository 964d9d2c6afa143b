// SPDX-License-Identifier: Apache-2.0
/** Which sessions go: by `scope prune`, and by themselves when there are more than are kept. */
import {ScopeError} from '../base/errors.js';
import {deleteSession, isRunning, listSessions, type Session, writerLives} from './history.js';
import type {Environment} from './layout.js';

export const DEFAULT_KEEP = 100;

/** SCOPE_HISTORY_KEEP: how many sessions are kept; 0 keeps all. */
export function historyKeep(env: Environment): number {
  const text = env.SCOPE_HISTORY_KEEP;
  if (text === undefined || text === '') return DEFAULT_KEEP;
  if (!/^\d{1,9}$/.test(text)) {
    throw new ScopeError(
      'SCOPE_CONFIG_INVALID',
      `SCOPE_HISTORY_KEEP: ${text}: expected a number, 0 to keep all`,
    );
  }
  return Number(text);
}

/** Deletes the oldest sessions beyond `keep`, never one that runs. Returns how many went. */
export function retain(home: string, keep: number): number {
  if (keep === 0) return 0;
  return deleteAll(listSessions(home).slice(0, -keep));
}

/** Deletes these sessions but the ones that run or whose relay is at work. Returns how many went. */
export function deleteAll(sessions: readonly Session[]): number {
  let deleted = 0;
  for (const session of sessions) {
    if (isRunning(session) || writerLives(session.workdir)) continue;
    deleteSession(session);
    deleted += 1;
  }
  return deleted;
}
