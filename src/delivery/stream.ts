// SPDX-License-Identifier: Apache-2.0
/** One connection that is made when needed and made again after it broke: TCP, TLS or a unix stream socket. */
import {connect, isIP, type Socket} from 'node:net';
import {connect as connectTls} from 'node:tls';
import type {TlsOptions} from './tls.js';

export interface StreamSettings {
  host?: string;
  port?: number;
  /** Unix socket; `@name`: abstract. Instead of host and port. Asked for at every attempt. */
  path?: () => string;
  tls?: TlsOptions;
}

export interface Stream {
  /** Counts connections: a change means that what belongs to the beginning of a connection must be sent again. */
  readonly generation: number;
  readonly connected: boolean;
  /** Resolves when connected; rejects with the reason. */
  open(signal: AbortSignal): Promise<void>;
  /** Resolves when the system has taken all bytes; after a rejection the connection is gone. */
  write(buffers: readonly Uint8Array[], signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

function dial(settings: StreamSettings): Socket {
  const {host = '127.0.0.1', port, tls} = settings;
  const path = settings.path?.().replace(/^@/, '\0');
  const target = path === undefined ? {host, port: port!} : {path};
  if (tls === undefined) return connect(target);
  const name = tls.servername ?? (isIP(host) === 0 ? host : undefined);
  return connectTls({...target, ...tls, ...(name === undefined ? {} : {servername: name})});
}

export function createStream(settings: StreamSettings): Stream {
  let socket: Socket | undefined;
  let ready = false;
  let fault: Error | undefined;
  let generation = 0;
  const waiting = new Set<(error: Error) => void>();

  function lost(which: Socket, error: Error): void {
    if (which !== socket) return;
    socket = undefined;
    ready = false;
    fault = error;
    which.destroy();
    for (const reject of [...waiting]) reject(error);
  }

  /** Runs `begin`; ends when it calls back, the connection breaks or the signal comes. */
  function guarded(signal: AbortSignal, begin: (done: () => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (error?: Error): void => {
        waiting.delete(end);
        signal.removeEventListener('abort', aborted);
        if (error === undefined) resolve();
        else reject(error);
      };
      const aborted = (): void => {
        const error = new Error('aborted');
        if (socket !== undefined) lost(socket, error);
        end(error);
      };
      waiting.add(end);
      signal.addEventListener('abort', aborted);
      if (signal.aborted) aborted();
      else begin(() => end());
    });
  }

  return {
    get generation() {
      return generation;
    },
    get connected() {
      return ready;
    },
    async open(signal) {
      if (ready) return;
      await guarded(signal, (done) => {
        let made: Socket;
        try {
          made = dial(settings);
        } catch (error) {
          for (const reject of [...waiting]) reject(error as Error);
          return;
        }
        socket = made;
        made.setNoDelay(true);
        made.on('error', (error) => lost(made, error));
        made.on('close', () => lost(made, fault ?? new Error('connection closed by the peer')));
        made.on('end', () => lost(made, new Error('connection closed by the peer')));
        // What the peer says is of no interest, but must not pile up.
        made.resume();
        made.once(settings.tls === undefined ? 'connect' : 'secureConnect', () => {
          if (made !== socket) return;
          ready = true;
          fault = undefined;
          generation++;
          done();
        });
      });
    },
    write(buffers, signal) {
      return guarded(signal, (done) => {
        if (!ready) {
          for (const reject of [...waiting]) reject(fault ?? new Error('not connected'));
          return;
        }
        const to = socket!;
        // One system call for all.
        to.cork();
        buffers.forEach((bytes, i) => {
          if (i < buffers.length - 1) to.write(bytes);
          else
            to.write(bytes, (error) => {
              if (!error) done();
            });
        });
        to.uncork();
      });
    },
    async close() {
      const last = socket;
      socket = undefined;
      ready = false;
      if (last === undefined) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => last.destroy(), 1000);
        last.once('close', () => {
          clearTimeout(timer);
          resolve();
        });
        last.end();
      });
    },
  };
}
