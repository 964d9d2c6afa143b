// SPDX-License-Identifier: Apache-2.0
/** A file that was opened. Its path is kept as the bytes of a JSON string where it can be: few are ever read as text. */
import type {RecordCursor} from '../../channel/index.js';
import type {OpenFile} from './source.js';

export class OpenedFile implements OpenFile {
  readonly kind: number;
  readonly perms: number;
  readonly owner: number;
  readonly group: number;
  /** The path between quotation marks; undefined when it needs escapes. */
  readonly quoted: Buffer | undefined;
  rendered: Buffer | undefined = undefined;
  #path: string | undefined;

  constructor(record: RecordCursor, kind: number, perms: number, owner: number, group: number) {
    this.kind = kind;
    this.perms = perms;
    this.owner = owner;
    this.group = group;
    this.quoted = record.quoted();
    this.#path = this.quoted === undefined ? record.text() : undefined;
  }

  get path(): string {
    const path = this.#path ?? this.quoted!.toString('latin1', 1, this.quoted!.length - 1);
    this.#path = path;
    return path;
  }
}

/** A copy that is only data. */
export function plainFile(file: OpenFile): OpenFile {
  const {path, kind, perms, owner, group} = file;
  return {path, kind, perms, owner, group};
}
