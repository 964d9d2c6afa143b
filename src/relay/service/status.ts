// SPDX-License-Identifier: Apache-2.0
/** What a running relay service says of itself; written to `state_dir`/status.json once a second, and served on request. */
import {readFileSync, renameSync, writeFileSync} from 'node:fs';
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
  records: number;
  unrouted: number;
  /** Records lost before they came to the relay, by cause. */
  lost: Record<string, number>;
  spool: {bytes: number; max: number; full: number};
  memory: number;
  exporters: DestinationStatus[];
  routes: RouteStatus[];
}

const NAME = 'status.json';

/** Replaces the status file in one step; readers never see half of it. */
export function writeStatus(dir: string, status: ServiceStatus): void {
  const path = join(dir, NAME);
  writeFileSync(`${path}.new`, `${JSON.stringify(status, undefined, 1)}\n`, {mode: 0o600});
  renameSync(`${path}.new`, path);
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

/** Whether the process that wrote the status still runs. */
export function isAlive(status: ServiceStatus): boolean {
  if (status.state === 'stopped') return false;
  try {
    process.kill(status.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
