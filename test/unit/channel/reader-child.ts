// SPDX-License-Identifier: Apache-2.0
/**
 * A relay for tests that kill it: appends 16 bytes per record to a file and commits like a session does: sizes and
 * position in one write, then the folder. Arguments: folder, output.
 */
import {closeSync, existsSync, ftruncateSync, openSync, readFileSync, writeSync} from 'node:fs';
import {openFolder, RecordCursor} from '../../../src/channel/index.js';

const [dir, output] = process.argv.slice(2) as [string, string];
const commitPath = `${output}.commit`;
const slot = existsSync(commitPath) ? readFileSync(commitPath) : Buffer.alloc(0);
let size = slot.length === 16 ? slot.readDoubleLE(0) : 0;
const position = slot.length === 16 ? slot.readDoubleLE(8) : 0;
const out = openSync(output, existsSync(output) ? 'r+' : 'w+');
const commit = openSync(commitPath, existsSync(commitPath) ? 'r+' : 'w+');
ftruncateSync(out, size);

const folder = openFolder(dir, {from: position});
const cursor = new RecordCursor();

function take(): void {
  for (let i = 0; i < 20; i++) {
    const batch = folder.next();
    if (!batch) break;
    const rows: number[] = [];
    cursor.reset(batch.bytes);
    while (cursor.next()) rows.push(cursor.tid, cursor.object);
    const bytes = Buffer.from(new Float64Array(rows).buffer);
    writeSync(out, bytes, 0, bytes.length, size);
    size += bytes.length;
  }
  const next = Buffer.alloc(16);
  next.writeDoubleLE(size, 0);
  next.writeDoubleLE(folder.position, 8);
  writeSync(commit, next, 0, 16, 0);
  folder.commit();
}

folder.start(() => {});
process.stdout.write('reading\n');
const timer = setInterval(() => {
  take();
  folder.scan();
  const all = [...folder.channels.values()];
  if (all.length > 0 && all.every((channel) => channel.drained) && folder.next() === undefined) {
    take();
    clearInterval(timer);
    folder.close();
    closeSync(out);
    closeSync(commit);
  }
}, 1);
