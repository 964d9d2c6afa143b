// SPDX-License-Identifier: Apache-2.0
/** What a channel folder says of programs that have no channel in it, for people. */
import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import type {ChannelFolder} from '../channel/index.js';
import {FILES} from '../session/index.js';

/** Most lines taken of the launcher's notes. */
const LAUNCHER_NOTES = 100;

export function folderNotes(folder: ChannelFolder): string[] {
  const notes = launcherNotes(folder.channelDir);
  if (folder.stats().refused > 0)
    notes.push(
      `some processes were not seen: too little was free on the file system of ${folder.dir} (a program leaves 32 MiB or an eighth of it)`,
    );
  return notes;
}

/** What the launcher wrote down: programs that it could not scope, and why. */
function launcherNotes(dir: string): string[] {
  const path = join(dir, FILES.notes);
  // Most folders have none, and an exception twenty times a second is what an idle relay would spend its time on.
  if (!existsSync(path)) return [];
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean).slice(0, LAUNCHER_NOTES);
  } catch {
    return [];
  }
}
