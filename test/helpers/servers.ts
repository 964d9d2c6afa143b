// SPDX-License-Identifier: Apache-2.0
/** Servers that somebody else makes. */
import {Server} from 'node:net';

/** Those that begin to listen while `work` runs. */
export async function serversOf(work: () => Promise<unknown>): Promise<Server[]> {
  const found: Server[] = [];
  const {listen} = Server.prototype;
  Server.prototype.listen = function seen(this: Server, ...args: unknown[]) {
    found.push(this);
    return listen.apply(this, args as never);
  } as typeof listen;
  try {
    await work();
  } finally {
    Server.prototype.listen = listen;
  }
  return found;
}
