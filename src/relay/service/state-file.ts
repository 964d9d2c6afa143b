// SPDX-License-Identifier: Apache-2.0
/**
 * How far a service came: position in the channel folder and state of its images, so that the next one goes on after
 * kill -9. Only valid for the very folder it was written for: a hub made anew starts from its beginning.
 */
import {readFileSync, renameSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {Saved} from '../state.js';

const NAME = 'position.json';

/** Names a hub: its inode and the time it was made differ for every other one. */
export function hubIdentity(dir: string): string {
  const {dev, ino, birthtimeMs} = statSync(join(dir, 'hub'));
  return `${dev}:${ino}:${Math.round(birthtimeMs)}`;
}

/** What the last service left for this hub; undefined: nothing usable. */
export function readSaved(stateDir: string, hub: string): Saved | undefined {
  try {
    const found = JSON.parse(readFileSync(join(stateDir, NAME), 'utf8')) as Saved & {hub: string};
    return found.hub === hub ? {position: found.position, state: found.state} : undefined;
  } catch {
    return undefined; // none yet, or torn by a full disk: then records are read again, never lost
  }
}

export function writeSaved(stateDir: string, hub: string, saved: Saved): void {
  const path = join(stateDir, NAME);
  writeFileSync(`${path}.new`, JSON.stringify({hub, ...saved}), {mode: 0o600});
  renameSync(`${path}.new`, path);
}
