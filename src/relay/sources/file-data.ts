// SPDX-License-Identifier: Apache-2.0
/** `data` of fs.open and fs.close. */
import type {Process} from '../../records/types.js';
import type {OpenFile} from './source.js';

/** Traffic of a descriptor's life. */
export interface Traffic {
  rxBytes: number;
  rxOps: number;
  txBytes: number;
  txOps: number;
  /** Mean microseconds of an operation. */
  micros: number;
}

/** The members in their order; `traffic` of a close. */
export function fileData(
  process: Process,
  file: OpenFile,
  op: string,
  traffic: Traffic | undefined,
): Record<string, unknown> {
  const data: Record<string, unknown> = {
    proc: process.proc,
    pid: process.pid,
    host: process.host,
    file: file.path,
    proc_uid: process.uid,
    proc_gid: process.gid,
    proc_cgroup: process.cgroup,
    file_perms: file.perms,
    file_owner: file.owner,
    file_group: file.group,
  };
  if (traffic !== undefined) {
    data.file_read_bytes = traffic.rxBytes;
    data.file_read_ops = traffic.rxOps;
    data.file_write_bytes = traffic.txBytes;
    data.file_write_ops = traffic.txOps;
    data.duration = traffic.micros;
  }
  data.op = op;
  return data;
}
