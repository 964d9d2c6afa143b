// SPDX-License-Identifier: Apache-2.0
/** Notices that the configuration file changed: by looking, which also sees the symbolic links of a ConfigMap move. */
import {statSync} from 'node:fs';

export interface WatchedFile {
  /** True once after each change that has settled: two looks in a row found the same. */
  changed(): boolean;
}

function identity(path: string): string {
  try {
    const {dev, ino, size, mtimeMs, ctimeMs} = statSync(path);
    return `${dev}:${ino}:${size}:${mtimeMs}:${ctimeMs}`;
  } catch {
    return ''; // between unlink and rename; a file that stays away changes nothing
  }
}

export function watchFile(path: string): WatchedFile {
  let known = identity(path);
  let seen = known;
  return {
    changed() {
      const now = identity(path);
      const settled = now === seen;
      seen = now;
      if (!settled || now === known || now === '') return false;
      known = now;
      return true;
    },
  };
}
