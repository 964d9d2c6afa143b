// SPDX-License-Identifier: Apache-2.0
/** What a running relay service says of itself; written to `state_dir`/status.json once a second while it changes, and served on request. */
import {readFileSync} from 'node:fs';
import {rename, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {ScopeError} from '../../base/errors.js';
import type {DestinationStatus} from '../../delivery/destination.js';
import type {RouteStatus} from '../../routing/index.js';

export interface ServiceStatus {
  pid: number;
  version: string;
  state: 'starting' | 'running' | 'stopping' | 'stopped';
  /** ISO 8601. */
  started: string;
  updated: string;
  /** The configuration file, and since when it is in force. */
  config: string;
  configLoaded: string;
  /** What was wrong with a file that could not be taken over. */
  configError?: string;
  /** Folder of the channels. */
  dir: string;
  processes: {live: number; seen: number};
  /** Living processes that keep the tags of an earlier configuration until their next exec. */
  keepingTags?: number;
  records: number;
  unrouted: number;
  /** Records lost before they came to the relay, by cause. */
  lost: Record<string, number>;
  /** What is not seen and why, for people. */
  notes: string[];
  spool: {bytes: number; max: number; full: number};
  memory: number;
  exporters: DestinationStatus[];
  routes: RouteStatus[];
}

const NAME = 'status.json';

let writing: Promise<void> = Promise.resolve();

/** Replaces the status file in one step, one after the other; readers never see half of it. */
export function writeStatus(dir: string, status: ServiceStatus): Promise<void> {
  const path = join(dir, NAME);
  const text = `${JSON.stringify(status, undefined, 1)}\n`;
  const replaced = writing.then(async () => {
    await writeFile(`${path}.new`, text, {mode: 0o600});
    await rename(`${path}.new`, path);
  });
  writing = replaced.catch(() => undefined);
  return replaced;
}

/** The last status of the relay with this state folder. */
export function readStatus(dir: string): ServiceStatus {
  try {
    return JSON.parse(readFileSync(join(dir, NAME), 'utf8')) as ServiceStatus;
  } catch (cause) {
    throw new ScopeError(
      'SCOPE_NOT_FOUND',
      `no relay has run with state_dir ${dir} (${(cause as Error).message})`,
      {cause},
    );
  }
}

/** Whether the process that wrote the status still runs. One that nobody has waited for yet does not. */
export function isAlive(status: ServiceStatus): boolean {
  if (status.state === 'stopped') return false;
  try {
    const stat = readFileSync(`/proc/${status.pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}
