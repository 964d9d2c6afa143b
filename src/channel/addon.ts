// SPDX-License-Identifier: Apache-2.0
/** Loads scope_addon.node and types what it exports. Nothing outside src/channel touches it. */
import {createRequire} from 'node:module';
import {ScopeError} from '../base/errors.js';
import {NATIVE} from '../base/root.js';
import type {Layout} from './layout.js';

export interface Addon {
  readonly layout: Layout;
  readonly unixgram: {
    open(path: string): number;
    send(fd: number, bytes: Uint8Array): number;
    close(fd: number): void;
  };
}

function load(): Addon {
  try {
    return createRequire(import.meta.url)(NATIVE.addon) as Addon;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ScopeError(
      'SCOPE_INTERNAL',
      `cannot load ${NATIVE.addon}: ${why} (npm run build:native makes it)`,
      {
        cause,
      },
    );
  }
}

export const addon: Addon = load();
