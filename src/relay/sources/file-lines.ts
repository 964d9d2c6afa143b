// SPDX-License-Identifier: Apache-2.0
/** What the addon needs to make the lines of an image's fs.open and fs.close: the same bytes that FileEvent writes. */
import {FileLines} from '../../channel/index.js';
import {FileParts} from './file-event.js';
import type {Image} from './source.js';

/** Numbers of system calls that have names are below. */
const CALLS = 512;
let endsAreSet = false;

function setEnds(parts: FileParts): void {
  if (endsAreSet) return;
  endsAreSet = true;
  FileLines.setEnds(Array.from({length: CALLS}, (_, nr) => parts.end(nr).toString('latin1')));
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

export function fileLines(image: Image, parent: FileLines | undefined): FileLines {
  const parts = new FileParts(image.process, image.channelPrefix);
  const {open, close, ownerPrefix} = parts;
  setEnds(parts);
  return new FileLines(
    {
      openHead: open.head,
      openMiddle: open.middle,
      openTail: open.tail,
      closeHead: close.head,
      closeMiddle: close.middle,
      closeTail: close.tail,
      owner: Buffer.from(ownerPrefix),
      enhance: image.settings.events.enhanceFs,
    },
    parent,
  );
}
