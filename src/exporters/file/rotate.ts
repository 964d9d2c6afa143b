// SPDX-License-Identifier: Apache-2.0
/** Sets files aside: out.ndjson -> out.ndjson.1 -> out.ndjson.2 … with the oldest removed, compressed when wanted. */
import {createReadStream, createWriteStream} from 'node:fs';
import {rename, rm, stat} from 'node:fs/promises';
import {pipeline} from 'node:stream/promises';
import {createGzip} from 'node:zlib';

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Moves `path` to `path.1` after moving the older ones up; at most `keep` stay. */
export async function setAside(path: string, keep: number): Promise<void> {
  await rm(`${path}.${keep}`, {force: true});
  await rm(`${path}.${keep}.gz`, {force: true});
  for (let n = keep - 1; n >= 1; n--) {
    for (const end of ['', '.gz']) {
      if (await exists(`${path}.${n}${end}`)) await rename(`${path}.${n}${end}`, `${path}.${n + 1}${end}`);
    }
  }
  if (keep > 0) await rename(path, `${path}.1`);
  else await rm(path, {force: true});
}

/** `path` becomes `path.gz`; complete or not there. */
export async function compress(path: string, mode: number): Promise<void> {
  const part = `${path}.gz.part`;
  try {
    await pipeline(createReadStream(path), createGzip(), createWriteStream(part, {mode}));
    await rename(part, `${path}.gz`);
    await rm(path, {force: true});
  } catch (error) {
    await rm(part, {force: true});
    throw error;
  }
}
