// SPDX-License-Identifier: Apache-2.0
/**
 * A UDP socket connected to one peer. The kernel tells of a peer on this host that is not there, but a moment later:
 * after a pause an empty datagram goes first, so that no full one is lost to find out.
 */
import {createSocket, type Socket} from 'node:dgram';
import {setTimeout as wait} from 'node:timers/promises';

/** Largest payload of an IPv4 datagram. */
export const LARGEST_DATAGRAM = 65_507;

export interface Datagrams {
  /** Ready to send; rejects when the peer is known not to be there. */
  open(signal: AbortSignal): Promise<void>;
  /** Rejects when the peer refuses. */
  send(bytes: Uint8Array): Promise<void>;
  close(): void;
}

/** A peer that took a datagram so lately is taken to be there still. */
const FRESH_MS = 50;
/** A refusal arrives within this time. */
const REFUSAL_MS = 10;

export function createDatagrams(host: string, port: number): Datagrams {
  let socket: Socket | undefined;
  let fault: Error | undefined;
  let used = 0;

  function close(): void {
    const last = socket;
    socket = undefined;
    last?.close();
  }

  function connect(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const made = createSocket({type: host.includes(':') ? 'udp6' : 'udp4'});
      socket = made;
      fault = undefined;
      used = 0;
      const aborted = (): void => {
        close();
        reject(new Error('aborted'));
      };
      signal.addEventListener('abort', aborted, {once: true});
      made.on('error', (error) => {
        fault = error;
        reject(error);
      });
      made.connect(port, host, (error?: Error) => {
        signal.removeEventListener('abort', aborted);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  function transmit(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (socket === undefined) {
        reject(new Error('not open'));
        return;
      }
      socket.send(bytes, (error) => {
        // The refusal of a datagram arrives as an error event, mostly one turn later.
        setImmediate(() => {
          const found = error ?? fault;
          fault = undefined;
          if (found) reject(found);
          else resolve();
        });
      });
    });
  }

  return {
    async open(signal) {
      if (socket === undefined) await connect(signal);
      if (performance.now() - used < FRESH_MS) return;
      await transmit(new Uint8Array(0));
      if (fault === undefined) await wait(REFUSAL_MS);
      if (fault !== undefined) throw fault;
      used = performance.now();
    },
    async send(bytes) {
      await transmit(bytes);
      used = performance.now();
    },
    close,
  };
}
