// SPDX-License-Identifier: Apache-2.0
/**
 * Channel folders on tmpfs that nobody will ever read: their session was deleted, and their relay did not live to remove
 * them. Memory until the next boot, so each session relay that ends looks for them beside its own. /dev/shm may be shared with
 * containers: folders of other namespaces are left alone.
 */
import {existsSync, readdirSync, readlinkSync, rmSync} from 'node:fs';
import {join} from 'node:path';

/** What the launcher leaves in a folder (native/launch/session.c): a link to "NAMESPACE NAMESPACE PATH". */
const SESSION = 'session';

/** Mount and pid namespace of this process: only there paths and pids are those that the launcher meant. */
function ownNamespaces(): string {
  return `${readlinkSync('/proc/self/ns/mnt')} ${readlinkSync('/proc/self/ns/pid')} `;
}

/** Removes the folders in `base` whose session is gone and whose processes have ended. */
export function removeLeftFolders(base: string): void {
  const here = ownNamespaces();
  for (const name of namesIn(base)) {
    const folder = join(base, name);
    try {
      const owner = readlinkSync(join(folder, SESSION));
      if (!owner.startsWith(here) || existsSync(owner.slice(here.length)) || anyLives(folder)) continue;
      rmSync(folder, {recursive: true, force: true});
    } catch {
      // No link: not of a session, or of one that is just being made.
    }
  }
}

/** Whether a process that has a channel here lives; channels are called PID.TSC.chan. */
function anyLives(folder: string): boolean {
  return namesIn(folder).some(
    (name) => name.endsWith('.chan') && existsSync(`/proc/${Number.parseInt(name, 10)}`),
  );
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
