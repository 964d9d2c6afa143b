// SPDX-License-Identifier: Apache-2.0
/** What the addon needs to make the log records of an image's fs.open and fs.close: those that OTLP makes of the events. */
import {FileLines, type FileLogParts} from '../../channel/index.js';
import {CHANNEL_KEY, fieldAttributes, fieldKey, headOf} from '../../records/otlp/logs.js';
import {CALLS, callName} from '../calls.js';
import type {Image} from './source.js';

/** Of fileData(), as native/addon/file_logs.h numbers them behind the channel. */
const VARYING = [
  'file',
  'file_perms',
  'file_owner',
  'file_group',
  'file_read_bytes',
  'file_read_ops',
  'file_write_bytes',
  'file_write_ops',
  'duration',
];
let opsAreSet = false;

function setOps(): void {
  if (opsAreSet) return;
  opsAreSet = true;
  FileLines.setOps(Array.from({length: CALLS}, (_, nr) => fieldAttributes({op: callName(nr)})));
}

export function fileLogs({process, channelPrefix}: Pick<Image, 'process' | 'channelPrefix'>): FileLogParts {
  const {uid, gid, cgroup} = process;
  setOps();
  return {
    openHead: headOf('fs', 'fs.open'),
    closeHead: headOf('fs', 'fs.close'),
    prefix: Buffer.from(channelPrefix),
    owner: fieldAttributes({proc_uid: uid, proc_gid: gid, proc_cgroup: cgroup}),
    keys: [CHANNEL_KEY, ...VARYING.map(fieldKey)],
  };
}
