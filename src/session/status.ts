// SPDX-License-Identifier: Apache-2.0
/** `status.json`: what the session's relay says about itself and about what is missing. */
import {readFileSync, renameSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {FILES} from './layout.js';

/**
 * `running`: reads channels. `draining`: every process has ended, the rest is being written. `sending`: the session is
 * complete, its destinations get the rest. `ended`: nothing more is done.
 */
export type RelayState = 'running' | 'draining' | 'sending' | 'ended';

export interface SessionStatus {
  state: RelayState;
  /** Of the relay that wrote this. */
  pid: number;
  /** Milliseconds since the epoch. */
  updated: number;
  /** Processes seen, and how many live. */
  processes?: {seen: number; live: number};
  /** Records lost by cause (`full`, `no_space`, `size_cap`, …); absent or 0: none. */
  lost?: Record<string, number>;
  /** What is not seen and why, for people. */
  notes?: string[];
  /** Size cap of the session, set once it was reached. */
  capBytes?: number;
  /** The remote destinations, when there are any. */
  destinations?: Record<string, unknown>;
}

export function readStatus(workdir: string): SessionStatus | undefined {
  try {
    return JSON.parse(readFileSync(join(workdir, FILES.status), 'utf8')) as SessionStatus;
  } catch {
    return undefined;
  }
}

/** Replaces the file by rename, so that a reader never sees half of it. */
export function writeStatus(workdir: string, status: SessionStatus): void {
  const path = join(workdir, FILES.status);
  writeFileSync(`${path}.new`, `${JSON.stringify(status, undefined, 2)}\n`);
  renameSync(`${path}.new`, path);
}
