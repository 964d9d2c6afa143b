// SPDX-License-Identifier: Apache-2.0
/** Datagrams over unix sockets, by the addon: Node has no module for them. */
import {addon} from './addon.js';

/** Returns a descriptor; throws with the system's reason. `@name`: abstract. */
export function openUnixgram(path: string): number {
  return addon.unixgram.open(path);
}

/** 0, or the errno; EAGAIN when the receiver's queue is full. */
export function sendUnixgram(fd: number, bytes: Uint8Array): number {
  return addon.unixgram.send(fd, bytes);
}

export function closeUnixgram(fd: number): void {
  addon.unixgram.close(fd);
}
