// SPDX-License-Identifier: Apache-2.0
/** What the addon needs to make the lines of an image's fs.open and fs.close: those that fileData() gives. */
import {FileLines} from '../../channel/index.js';
import {type EventSource, eventSource} from '../../records/ndjson.js';
import type {Process} from '../../records/types.js';
import {CALLS, callName} from '../calls.js';
import type {Image} from './source.js';

let endsAreSet = false;

/** From `op` on, by system call number. */
function setEnds(): void {
  if (endsAreSet) return;
  endsAreSet = true;
  FileLines.setEnds(Array.from({length: CALLS}, (_, nr) => `,"op":${JSON.stringify(callName(nr))}}}}\n`));
}

/** Whether opens and closes of the image are lines of its session and nothing else. */
export function onlyLines(image: Image): boolean {
  return (
    image.plain('fs') &&
    image.wantsEvent('fs') &&
    !image.wantsSingle('fs.open') &&
    !image.wantsSingle('fs.close')
  );
}

/** Up to the value of `file`. */
function source(process: Process, name: string): EventSource {
  const {proc, pid, host} = process;
  return eventSource(process, 'fs', name, `${JSON.stringify({proc, pid, host}).slice(0, -1)},"file":`);
}

export function fileLines(image: Image, parent: FileLines | undefined): FileLines {
  const {process} = image;
  const prefix = Buffer.from(image.channelPrefix);
  const open = source(process, 'fs.open');
  const close = source(process, 'fs.close');
  const owner = {proc_uid: process.uid, proc_gid: process.gid, proc_cgroup: process.cgroup};
  setEnds();
  return new FileLines(
    {
      openHead: Buffer.concat([open.head, prefix]),
      openMiddle: open.middle,
      openTail: open.tail,
      closeHead: Buffer.concat([close.head, prefix]),
      closeMiddle: close.middle,
      closeTail: close.tail,
      owner: Buffer.from(`,${JSON.stringify(owner).slice(1, -1)}`),
      enhance: image.settings.events.enhanceFs,
    },
    parent,
  );
}
