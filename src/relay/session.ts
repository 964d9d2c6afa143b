// SPDX-License-Identifier: Apache-2.0
/**
 * The session relay: reads the channels of one `scope run` into its session, and to the destinations of its
 * configuration, in the background, until every process of it has ended and everything is stored. Killed at any time,
 * the next one goes on where it stopped.
 *
 * This file starts the drain of the rings and loads the rest only then: until the drain runs, a burst of the command
 * has nothing but the rings.
 */
import {existsSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {openFolder} from '../channel/index.js';
import {encodeLine} from '../records/ndjson.js';
import {FILES, type SessionWriter, tryOpenSession} from '../session/index.js';
import {StateFiles} from './state.js';

/** Runs until the session is complete. Returns the exit status. */
export async function runSession(workdir: string): Promise<number> {
  const writer = tryOpenSession(workdir, {encode: encodeLine});
  // Another relay has it: nothing to do.
  if (writer === undefined) return 0;
  writeFileSync(join(workdir, FILES.relayPid), `${process.pid}\n`);
  try {
    const channels = existsSync(join(workdir, FILES.channels));
    const how = channels ? await relay(workdir, writer) : 'over';
    if (how === 'over') writer.setStatus({state: 'ended'});
  } finally {
    writer.close();
    rmSync(join(workdir, FILES.relayPid), {force: true});
  }
  return 0;
}

async function relay(workdir: string, writer: SessionWriter): Promise<'over' | 'stopped'> {
  const states = new StateFiles(join(workdir, FILES.index));
  const saved = states.read(writer.position);
  const from = saved === undefined ? {} : {from: saved.position};
  const options = {create: true, ...from, ...farPlace(workdir)};
  const folder = openFolder(join(workdir, FILES.channels), options);
  const wake = {call: () => {}};
  try {
    folder.start(() => wake.call());
    const {runPipeline} = await import('./session-pipeline.js');
    return await runPipeline({workdir, writer, folder, states, saved: saved?.state, wake});
  } finally {
    folder.close();
  }
}

/** Where the channels of a process with other mounts lie (native/launch/far.c). */
function farPlace(workdir: string): {far?: string} {
  const file = join(workdir, FILES.far);
  return existsSync(file) ? {far: readFileSync(file, 'utf8')} : {};
}
