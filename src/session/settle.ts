// SPDX-License-Identifier: Apache-2.0
/**
 * Makes a session complete before it is read: waits until its relay has stored what happened before now, and starts a
 * relay when there is none left and the session has not ended.
 */
import {existsSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {readCommit} from './commit.js';
import {type Session, writerLives} from './history.js';
import {FILES, INDEX_FILES} from './layout.js';
import {readStatus} from './status.js';

export interface SettleOptions {
  /** Starts a relay of this session in the background. */
  startRelay: (workdir: string) => void;
  /** Told once when it takes long. */
  onWait?: () => void;
  /** After this the session is read as it is. */
  limitMs?: number;
}

/** `complete`: it has ended. `current`: it goes on, and what happened before the call is stored. */
export type Settled = 'complete' | 'current' | 'partial';

/** A relay that was just started needs this long until it holds the session. */
const GRACE_MS = 3_000;
const TICK_MS = 10;
const SLOW_MS = 1_500;

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export async function settle(session: Session, options: SettleOptions): Promise<Settled> {
  const {workdir} = session;
  const asked = Date.now();
  const deadline = asked + (options.limitMs ?? 120_000);
  let restarts = 0;
  // Where a relay once was, a missing one is dead; before that it is on its way.
  let graceUntil = existsSync(join(workdir, FILES.status)) ? 0 : session.start + GRACE_MS;
  let told = false;
  let hurried = false;
  for (;;) {
    if (isComplete(workdir)) return 'complete';
    // Nothing left to read from: it never had channels, or they went with the machine's memory.
    if (!existsSync(join(workdir, FILES.channels)) && !writerLives(workdir)) return 'complete';
    const now = Date.now();
    if (writerLives(workdir)) {
      if (isCurrent(workdir, asked)) return 'current';
      if (!hurried) hurry(workdir);
      hurried = true;
    } else if (now > graceUntil) {
      if (restarts === 2) return 'partial';
      options.startRelay(workdir);
      restarts += 1;
      graceUntil = now + 2 * GRACE_MS;
    }
    if (now > deadline) return 'partial';
    if (now - asked > SLOW_MS && !told) {
      told = true;
      options.onWait?.();
    }
    await pause(TICK_MS);
  }
}

/** Asks a relay that takes its time (src/relay/patience.ts) not to. */
function hurry(workdir: string): void {
  try {
    writeFileSync(join(workdir, FILES.index, INDEX_FILES.hurry), '');
  } catch {
    // Somebody else's session: it takes as long as it takes.
  }
}

function isComplete(workdir: string): boolean {
  const state = readStatus(workdir)?.state;
  return state === 'ended' || state === 'sending';
}

/** The relay runs and its last commit holds everything from before `asked`. */
function isCurrent(workdir: string, asked: number): boolean {
  if (readStatus(workdir)?.state !== 'running') return false;
  const commit = readCommit(join(workdir, FILES.index, INDEX_FILES.commit));
  return commit !== undefined && commit.asOf > asked;
}
