// SPDX-License-Identifier: Apache-2.0
/** A UDP socket connected to one peer, so that a peer on this host that is not there is noticed. */
import {createSocket, type Socket} from 'node:dgram';

/** Largest payload of an IPv4 datagram. */
export const LARGEST_DATAGRAM = 65_507;

export interface Datagrams {
  open(signal: AbortSignal): Promise<void>;
  /** Rejects when the peer refuses; with the error of an earlier one when that came late. */
  send(bytes: Uint8Array): Promise<void>;
  close(): void;
}

export function createDatagrams(host: string, port: number): Datagrams {
  let socket: Socket | undefined;
  let fault: Error | undefined;

  function close(): void {
    const last = socket;
    socket = undefined;
    last?.close();
  }

  return {
    open(signal) {
      if (socket !== undefined) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const made = createSocket({type: host.includes(':') ? 'udp6' : 'udp4'});
        socket = made;
        fault = undefined;
        const aborted = (): void => {
          close();
          reject(new Error('aborted'));
        };
        signal.addEventListener('abort', aborted, {once: true});
        made.on('error', (error) => {
          fault = error;
          reject(error);
        });
        made.connect(port, host, () => {
          signal.removeEventListener('abort', aborted);
          resolve();
        });
      });
    },
    send(bytes) {
      return new Promise((resolve, reject) => {
        if (socket === undefined) {
          reject(new Error('not open'));
          return;
        }
        socket.send(bytes, (error) => {
          // The refusal of a datagram arrives as an error event one turn later.
          setImmediate(() => {
            const found = error ?? fault;
            fault = undefined;
            if (found) reject(found);
            else resolve();
          });
        });
      });
    },
    close,
  };
}
