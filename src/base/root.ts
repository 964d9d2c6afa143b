// SPDX-License-Identifier: Apache-2.0
/** Where this installation lies: the folder with our package.json, found from this file upwards (src/ or dist/). */
import {existsSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

function find(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'package.json'))) {
    const up = dirname(dir);
    if (up === dir) return process.cwd();
    dir = up;
  }
  return dir;
}

/** Absolute path of the installation. */
export const ROOT = find();
/** The native parts that the build made. */
export const NATIVE = {
  addon: join(ROOT, 'build/addon/scope_addon.node'),
  libscope: join(ROOT, 'build/lib/libscope.so'),
  launcher: join(ROOT, 'build/bin/scope'),
} as const;
